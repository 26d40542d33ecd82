// The page on which a reader connects the account with other providers, and disconnects it: for somebody who has signed in just
// now, by forms with a token of this browser (security 162).

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import { readForm } from '../http/body.ts';
import { csrfToken, hasCsrfToken } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { addressOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { createFailurePage, keepBrowser } from './middleware.ts';
import type { Upstream } from './upstream.ts';

const PAGE = '/account/connections';
const field = z.string().max(200).default('');
const connectForm = z.object({ csrf_token: field, provider: field });
const disconnectForm = z.object({ csrf_token: field, identity: field });

export function connectionRoutes(options: {
  upstream: Upstream;
  reader: Reader;
  pages: SitePages;
  secrets: readonly string[];
}) {
  const { upstream, reader, pages } = options;
  const failures = createFailurePage(options);

  async function show(ctx: Context) {
    const signedIn = await reader.find(ctx);
    if (!signedIn) return seeOther(ctx, '/login');
    await render(ctx, null);
  }

  async function render(ctx: Context, problem: 'last-credential' | 'form-renewed' | null) {
    const { account } = await reader.require(ctx);
    const { realm } = siteOf(ctx);
    const identities = await upstream.listIdentities(account.id);
    const nameOf = (id: string) => realm.upstreams.find((one) => one.id === id)?.name ?? id;
    pages.render(ctx, {
      view: 'upstream/connections',
      // A form's redirect goes straight to the provider's page.
      formTargets: await upstream.listOrigins(realm),
      data: {
        csrfToken: csrfToken(ctx),
        problem,
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
    const signedIn = await reader.requireRecent(ctx);
    if (!hasCsrfToken(ctx, form.csrf_token)) return refuse(ctx, 403, 'form-renewed');
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
    const signedIn = await reader.requireRecent(ctx);
    if (!hasCsrfToken(ctx, form.csrf_token)) return refuse(ctx, 403, 'form-renewed');
    const outcome = await upstream.unlink(signedIn, form.identity, addressOf(ctx));
    if (!outcome.ok && outcome.reason === 'last-credential') return refuse(ctx, 409, 'last-credential');
    seeOther(ctx, PAGE);
  }

  function refuse(ctx: Context, status: number, problem: 'last-credential' | 'form-renewed') {
    ctx.status = status;
    return render(ctx, problem);
  }

  const page = { on: 'auth', answers: 'page', effect: 'acts', csrf: 'form' } as const;
  return routes([
    {
      ...page,
      name: 'upstream.show_connections',
      method: 'GET',
      path: '/account/connections',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: no write, one indexed read',
      handle: show,
    },
    {
      ...page,
      name: 'upstream.connect',
      method: 'POST',
      path: '/account/connections',
      limit: 'upstream-address',
      handle: connect,
    },
    {
      ...page,
      name: 'upstream.disconnect',
      method: 'POST',
      path: '/account/connections/remove',
      limit: 'none: changes only what belongs to the caller',
      handle: disconnect,
    },
  ]);
}
