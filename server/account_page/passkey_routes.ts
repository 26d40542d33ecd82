// The hosted page of a reader's passkeys: add, rename, remove. Each needs a recent sign-in, with the factor that there is
// (security 169); who lacks that is taken to it and comes back here.

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Database } from '../db/database.ts';
import { readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { readQuery } from '../http/query.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Login } from '../login/login.ts';
import { keepSignedIn, readAttempt } from '../login/middleware.ts';
import type { Mfa } from '../mfa/mfa.ts';
import { placeOf, readPasskey } from '../mfa/middleware.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import type { Gate } from './middleware.ts';

const PATH = '/account/passkeys';
/** Longer than any name that is kept; what is typed travels in an address. */
const LONGEST_KEPT_NAME = 200;
const DONE = ['added', 'renamed', 'removed'] as const;
const formField = z.string().max(24_000).default('');
const passkeyForm = z.object({
  act: z.enum(['', 'add', 'rename', 'remove']).default(''),
  id: formField,
  name: formField,
  ceremony: formField,
  response: formField,
  csrf_token: formField,
});
type Form = z.infer<typeof passkeyForm>;
type Problem = 'name' | 'wrong' | 'last-credential' | 'form-renewed';

export function passkeyRoutes(
  options: { db: Database; mfa: Mfa; login: Login; reader: Reader; pages: SitePages },
  gate: Gate,
) {
  const { db, mfa, login, reader, pages } = options;
  const { passkeys } = mfa;

  async function show(ctx: Context) {
    const signedIn = await gate.enterRecent(ctx, PATH);
    if (!signedIn) return;
    const { done } = readQuery(ctx, ['done']);
    const kept = await gate.readKept(ctx, signedIn);
    await render(ctx, signedIn, {
      done: DONE.find((one) => one === done) ?? null,
      isKept: kept !== null,
      name: kept?.['name'] ?? '',
    });
  }

  async function change(ctx: Context) {
    const form = await readForm(ctx, passkeyForm);
    // The button under the recovery codes.
    if (form.act === '') return seeOther(ctx, PATH);
    const name = form.act === 'add' ? form.name : '';
    const signedIn = await gate.admit(ctx, {
      form,
      path: PATH,
      needs: 'recent-sign-in',
      kept: { act: form.act, name: name.slice(0, LONGEST_KEPT_NAME) },
      // A form that is renewed is shown to whoever may see the page.
      again: async () => {
        const who = await gate.enterRecent(ctx, PATH);
        if (who) await render(ctx, who, { problem: 'form-renewed', name });
      },
    });
    if (!signedIn) return;
    const again = (problem: Problem, status: number) => {
      ctx.status = status;
      return render(ctx, signedIn, { problem, name });
    };
    if (form.act !== 'remove' && form.name.trim() === '') return again('name', 400);
    switch (form.act) {
      case 'add':
        return add(ctx, signedIn, { form, again });
      case 'rename':
        await passkeys.rename(signedIn.account.id, form);
        return seeOther(ctx, `${PATH}?done=renamed`);
      case 'remove': {
        const outcome = await passkeys.remove(siteOf(ctx).realm, readerOf(signedIn), form.id, {
          address: addressOf(ctx),
          locale: languageOf(ctx),
        });
        if (!outcome.ok && outcome.reason === 'last-credential') return again('last-credential', 409);
        return seeOther(ctx, `${PATH}?done=removed`);
      }
      default:
        return form.act satisfies never;
    }
  }

  async function add(
    ctx: Context,
    signedIn: SignedIn,
    { form, again }: { form: Form; again: (problem: Problem, status: number) => Promise<void> },
  ) {
    const given = { ...readPasskey(form), name: form.name };
    const isOffered = siteOf(ctx).realm.settings.second_factor !== 'off';
    const outcome = isOffered ? await passkeys.register(placeOf(ctx), readerOf(signedIn), given) : null;
    if (!outcome?.ok) return again('wrong', 400);
    // The session has proven it now: a new token, as after any other second factor (security 45).
    const raised = await login.raiseWithPasskey(await readAttempt(ctx, reader), signedIn, outcome.amr);
    if (raised.ok && raised.kind === 'session') keepSignedIn(ctx, raised);
    if (!outcome.recoveryCodes) return seeOther(ctx, `${PATH}?done=added`);
    pages.render(ctx, {
      view: 'mfa/recovery_codes',
      data: {
        action: PATH,
        csrfToken: csrfToken(ctx),
        handle: null,
        problem: null,
        retryAfterSeconds: null,
        codes: outcome.recoveryCodes,
      },
    });
  }

  async function render(
    ctx: Context,
    { account }: SignedIn,
    page: { done?: (typeof DONE)[number] | null; problem?: Problem; name?: string; isKept?: boolean },
  ) {
    const list = await passkeys.list(db, account.id);
    pages.render(ctx, {
      view: 'mfa/passkeys',
      data: {
        csrfToken: csrfToken(ctx),
        action: PATH,
        options: '/api/auth/v1/passkeys/options',
        isOffered: siteOf(ctx).realm.settings.second_factor !== 'off',
        done: page.done ?? null,
        problem: page.problem ?? null,
        name: page.name ?? '',
        isKept: page.isKept === true,
        passkeys: list.map(({ id, name, createdAt, lastUsedAt }) => ({
          id,
          name,
          createdAt,
          lastUsedAt,
        })),
      },
    });
  }

  const page = { on: 'auth', answers: 'page', limit: 'none: only what belongs to the caller' } as const;
  return routes([
    {
      ...page,
      name: 'account_page.show_passkeys',
      method: 'GET',
      path: '/account/passkeys',
      effect: 'reads',
      csrf: 'none: reads',
      handle: show,
    },
    {
      ...page,
      name: 'account_page.change_passkeys',
      method: 'POST',
      path: '/account/passkeys',
      effect: 'acts',
      csrf: 'form',
      handle: change,
    },
  ]);
}

const readerOf = ({ account, session }: SignedIn) => ({ accountId: account.id, sessionId: session.id });
