// The hosted page of two-step sign-in for readers who are signed in: set it up, new recovery codes, turn it off. Each needs a
// recent sign-in, with the factor that there is (security 169); who lacks that is taken to it and comes back here.

import { z } from 'zod';
import type { Account, SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Database } from '../db/database.ts';
import { formField, readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Login, ReturnTo } from '../login/login.ts';
import { frameFields, keepSignedIn, readAttempt, throttled, withReturn } from '../login/middleware.ts';
import type { Enrolment, Factor, Mfa, SetUpRefused } from '../mfa/mfa.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import type { Gate } from './middleware.ts';

const twoStepForm = z.object({
  act: z.enum(['', 'renew-codes', 'remove']).default(''),
  code: formField,
  carried: formField,
  saved: formField,
  ...frameFields,
});

const PAGE = '/account/two-step';

export function twoStepRoutes(
  options: { db: Database; mfa: Mfa; login: Login; reader: Reader; pages: SitePages },
  gate: Gate,
) {
  const { db, mfa, login, reader, pages } = options;
  type Page = { to: ReturnTo | null; problem?: string | null; retryAfterSeconds?: number | null };

  async function show(ctx: Context) {
    const { request_handle: handle } = readQuery(ctx, ['request_handle']);
    const to = await login.readReturn(siteOf(ctx).domain.host, handle);
    const signedIn = await gate.enterRecent(ctx, withReturn(PAGE, to));
    if (!signedIn) return;
    const app = await findApp(signedIn);
    if (app) return showState(ctx, signedIn, app);
    requireOffered(ctx);
    const { carried, ...enrolment } = await mfa.beginEnrolment(siteOf(ctx).realm, signedIn.account);
    showSetUp(ctx, { enrolment, carried, account: signedIn.account }, { to });
  }

  async function change(ctx: Context) {
    const form = await readForm(ctx, twoStepForm);
    const to = await login.readReturn(siteOf(ctx).domain.host, form.handle);
    const { realm } = siteOf(ctx);
    if (form.saved === '1') return seeOther(ctx, to?.path ?? PAGE);
    const path = withReturn(PAGE, to);
    // A stale form shows the page anew: a set-up begins with another key.
    const signedIn = await gate.admit(ctx, { form, path, needs: 'recent-sign-in', again: () => seeOther(ctx, path) });
    if (!signedIn) return;
    const { id: accountId } = signedIn.account;
    const from = { address: addressOf(ctx), sessionId: signedIn.session.id, locale: languageOf(ctx) };
    switch (form.act) {
      case 'remove':
        await mfa.removeTotp(realm, accountId, from);
        return seeOther(ctx, PAGE);
      case 'renew-codes': {
        const codes = await mfa.regenerateRecoveryCodes(realm, accountId, from);
        return codes ? showCodes(ctx, codes, to) : seeOther(ctx, PAGE);
      }
      case '':
        return setUp(ctx, signedIn, form);
      default:
        return form.act satisfies never;
    }
  }

  async function setUp(ctx: Context, signedIn: SignedIn, form: z.infer<typeof twoStepForm>) {
    const { realm, domain } = siteOf(ctx);
    requireOffered(ctx);
    const to = await login.readReturn(domain.host, form.handle);
    const enrolment = await mfa.openEnrolment(realm, signedIn.account, form.carried);
    if (!enrolment || (await findApp(signedIn))) return seeOther(ctx, withReturn(PAGE, to));
    const again = (problem: string, retryAfterSeconds: number | null = null) =>
      showSetUp(
        ctx,
        { enrolment, carried: form.carried, account: signedIn.account },
        { to, problem, retryAfterSeconds },
      );
    if (form.code.trim() === '') {
      ctx.status = 400;
      return again('missing');
    }
    const reading = { accountId: signedIn.account.id, sessionId: signedIn.session.id };
    const from = { address: addressOf(ctx), sessionId: signedIn.session.id, locale: languageOf(ctx) };
    const outcome = await mfa.enrol(realm, reading, { carried: form.carried, code: form.code }, from);
    if (!outcome.ok) return refuse(ctx, outcome, { to, again });
    // The session has proven both factors now: a new token, as after any other second factor (security 45).
    const raised = await login.raiseAfterSetUp(await readAttempt(ctx, reader), signedIn);
    if (raised.ok && raised.kind === 'session') keepSignedIn(ctx, raised);
    showCodes(ctx, outcome.recoveryCodes, to);
  }

  function refuse(
    ctx: Context,
    refused: SetUpRefused,
    on: { to: ReturnTo | null; again: (problem: string, retryAfterSeconds?: number | null) => void },
  ) {
    if (refused.reason === 'throttled') return on.again('throttled', throttled(ctx, refused.retryAfterSeconds));
    if (refused.reason !== 'wrong') return seeOther(ctx, withReturn(PAGE, on.to));
    ctx.status = 401;
    on.again('wrong');
  }

  /** The authenticator app of a reader; passkeys have a page of their own. */
  const findApp = async ({ account }: SignedIn): Promise<Factor | null> =>
    (await mfa.factorsOf(db, account.id)).find(({ kind }) => kind === 'totp') ?? null;

  async function showState(ctx: Context, { account }: SignedIn, app: Factor) {
    pages.render(ctx, {
      view: 'mfa/two_step',
      data: {
        csrfToken: csrfToken(ctx),
        since: app.createdAt,
        codesLeft: await mfa.countRecoveryCodes(db, account.id),
      },
    });
  }

  function showSetUp(ctx: Context, given: { enrolment: Enrolment; carried: string; account: Account }, page: Page) {
    const { account, ...shown } = given;
    pages.render(ctx, {
      view: 'mfa/set_up',
      formTargets: page.to?.targets ?? [],
      data: {
        ...shown,
        accountName: account.email ?? account.username ?? account.name ?? '',
        action: PAGE,
        csrfToken: csrfToken(ctx),
        handle: page.to?.handle ?? null,
        problem: page.problem ?? null,
        retryAfterSeconds: page.retryAfterSeconds ?? null,
        isRequired: false,
        cancelUrl: '/account',
      },
    });
  }

  const showCodes = (ctx: Context, codes: readonly string[], to: ReturnTo | null) =>
    pages.render(ctx, {
      view: 'mfa/recovery_codes',
      formTargets: to?.targets ?? [],
      data: {
        action: PAGE,
        csrfToken: csrfToken(ctx),
        handle: to?.handle ?? null,
        problem: null,
        retryAfterSeconds: null,
        codes,
      },
    });

  const page = { on: 'auth', answers: 'page' } as const;
  return routes([
    {
      ...page,
      name: 'account_page.show_two_step',
      method: 'GET',
      path: '/account/two-step',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: only what belongs to the caller',
      handle: show,
    },
    {
      ...page,
      name: 'account_page.change_two_step',
      method: 'POST',
      path: '/account/two-step',
      effect: 'acts',
      csrf: 'form',
      limit: 'second-factor-session',
      handle: change,
    },
  ]);
}

/** @throws AppError where the realm offers no second factor */
function requireOffered(ctx: Context) {
  if (siteOf(ctx).realm.settings.second_factor === 'off')
    throw new AppError('not_found', { description: 'Two-step sign-in is not offered here.' });
}
