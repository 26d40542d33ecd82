// The page on which a reader connects the account with other providers, and disconnects it: for somebody who has signed in just
// now, by forms with a token of this browser (security 162).

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import { readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { createFailurePage, keepBrowser } from '../upstream/middleware.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type Gate, leaveNote, takeNote } from './middleware.ts';

const PAGE = '/account/connections';
const field = z.string().max(200).default('');
const connectForm = z.object({ csrf_token: field, provider: field });
const disconnectForm = z.object({ csrf_token: field, identity: field });

export function connectionRoutes(
  options: { upstream: Upstream; pages: SitePages; secrets: readonly string[] },
  gate: Gate,
) {
  const { upstream, pages } = options;
  const failures = createFailurePage(options);

  async function show(ctx: Context) {
    const signedIn = await gate.enter(ctx, PAGE);
    if (!signedIn) return;
    await render(ctx, signedIn, null, (await gate.readKept(ctx, signedIn)) !== null);
  }

  type Problem = 'last-credential' | 'form-renewed' | null;

  async function render(ctx: Context, { account }: SignedIn, problem: Problem, isKept = false) {
    const { realm } = siteOf(ctx);
    const identities = await upstream.listIdentities(account.id);
    const nameOf = (id: string) => realm.upstreams.find((one) => one.id === id)?.name ?? id;
    pages.render(ctx, {
      view: 'account_page/connections',
      // A form's redirect goes straight to the provider's page.
      formTargets: await upstream.listOrigins(realm),
      data: {
        csrfToken: csrfToken(ctx),
        problem,
        isKept,
        note: takeNote(ctx),
        identities: identities.map(({ id, upstreamId, email }) => ({ id, name: nameOf(upstreamId), email })),
        providers: realm.upstreams
          .filter(({ id }) => !identities.some(({ upstreamId }) => upstreamId === id))
          .map(({ id, name }) => ({ id, name })),
      },
    });
  }

  async function connect(ctx: Context) {
    const form = await readForm(ctx, connectForm);
    const { realm } = siteOf(ctx);
    const signedIn = await admit(ctx, form, { provider: form.provider });
    if (!signedIn) return;
    const entry = upstream.find(realm, form.provider);
    if (!entry) throw new AppError('not_found', { description: 'This realm does not sign in with that provider.' });
    const from = {
      to: { path: PAGE, client: null, targets: [] },
      browser: keepBrowser(ctx),
      address: addressOf(ctx),
    } as const;
    await failures.follow(ctx, entry.id, await upstream.startLink(signedIn, realm, entry, from));
  }

  async function disconnect(ctx: Context) {
    const form = await readForm(ctx, disconnectForm);
    const signedIn = await admit(ctx, form, { identity: form.identity });
    if (!signedIn) return;
    const from = { address: addressOf(ctx), locale: languageOf(ctx) };
    const { realm } = siteOf(ctx);
    const outcome = await upstream.unlink(realm, signedIn.account.id, { id: form.identity, from });
    if (!outcome.ok && outcome.reason === 'unknown')
      throw new AppError('not_found', { description: 'None of your connections has this id.' });
    if (!outcome.ok) {
      ctx.status = 409;
      return render(ctx, signedIn, 'last-credential');
    }
    leaveNote(ctx, 'disconnected');
    seeOther(ctx, PAGE);
  }

  const admit = (ctx: Context, form: { csrf_token: string }, kept: Record<string, string>) =>
    gate.admit(ctx, {
      form,
      path: PAGE,
      needs: 'recent-sign-in',
      kept,
      again: (who) => render(ctx, who, 'form-renewed'),
    });

  const page = { on: 'auth', answers: 'page', effect: 'acts', csrf: 'form' } as const;
  return routes([
    {
      ...page,
      name: 'account_page.show_connections',
      method: 'GET',
      path: '/account/connections',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: no write, one indexed read',
      handle: show,
    },
    {
      ...page,
      name: 'account_page.connect',
      method: 'POST',
      path: '/account/connections',
      limit: 'upstream-address',
      handle: connect,
    },
    {
      ...page,
      name: 'account_page.disconnect',
      method: 'POST',
      path: '/account/connections/remove',
      limit: 'none: changes only what belongs to the caller',
      handle: disconnect,
    },
  ]);
}
