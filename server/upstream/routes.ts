// The doors of sign-in with another provider on the auth domain: the way out from the hosted pages, the addresses at which
// answers arrive (one for each provider, RFC 9700 §4.4.2.2), and the page that says why it did not work.

import type { Reader } from '../accounts/middleware.ts';
import { readRawForm } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { configuredUrl, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Login } from '../login/login.ts';
import { goOn, readAttempt } from '../login/middleware.ts';
import { addressOf, type SitePages, siteOf } from '../realms/middleware.ts';
import type { StoredUpstream } from '../realms/realms.ts';
import { createFailurePage, keepBrowser, readBrowser } from './middleware.ts';
import { callbackPath, type FailureReason, type Upstream } from './upstream.ts';

const ANSWER = ['code', 'state', 'iss', 'error', 'error_description', 'user'] as const;
/** A name that Apple posts is short; anything longer is left out. */
const LONGEST_POSTED = 2000;
const FRONT_PAGE = { path: '/', client: null, targets: [] } as const;
const STATUSES: Record<FailureReason, number> = {
  expired: 400,
  cancelled: 200,
  'provider-error': 502,
  invalid: 403,
  unavailable: 503,
  throttled: 429,
  'other-session': 400,
  'sign-in-first': 409,
  'sign-up-closed': 403,
  taken: 409,
  refused: 403,
};

export function upstreamRoutes(options: {
  upstream: Upstream;
  login: Login;
  reader: Reader;
  pages: SitePages;
  secrets: readonly string[];
}) {
  const { upstream, login, reader, pages } = options;
  const failures = createFailurePage(options);

  /** The button of the hosted pages. */
  async function start(ctx: Context) {
    const { realm, domain } = siteOf(ctx);
    const entry = getProvider(ctx, String(ctx['params']?.provider ?? ''));
    const { request_handle: handle } = readQuery(ctx, ['request_handle']);
    const to = (await login.readReturn(domain.host, handle)) ?? FRONT_PAGE;
    const from = { to, browser: keepBrowser(ctx), address: addressOf(ctx), link: null };
    await failures.follow(ctx, entry.id, await upstream.start(realm, entry, from));
  }

  const finishFor = (id: string) => (ctx: Context) => finish(ctx, id);
  const finishGeneric = (ctx: Context) => finish(ctx, String(ctx['params']?.id ?? ''));

  async function finish(ctx: Context, id: string) {
    const entry = getProvider(ctx, id);
    if (callbackPath(entry) !== ctx.path) throw new AppError('not_found');
    const parameters = readQuery(ctx, ANSWER);
    const attempt = await readAttempt(ctx, reader);
    const outcome = await upstream.finish(attempt, entry, { parameters, browser: readBrowser(ctx) });
    if (!outcome.ok) return failures.send(ctx, entry.id, outcome);
    const { completed, returnPath: path, handle } = outcome;
    if (!completed) return seeOther(ctx, path);
    if (!completed.ok) throw new AppError('verification_required');
    goOn(ctx, completed, { path, handle });
  }

  /** A post from another site comes without our cookies; the same answer as a link does not (security 89, for the same reason). */
  async function finishPosted(ctx: Context) {
    const { id } = getProvider(ctx, 'apple');
    const form = await readRawForm(ctx);
    const known = ANSWER.map((name) => [name, form.get(name)] as const).filter(
      ([, value]) => value !== undefined && value.length <= LONGEST_POSTED,
    );
    const self = `${siteOf(ctx).realm.authOrigin}/api/auth/v1/${id}/callback`;
    seeOther(ctx, configuredUrl(self, Object.fromEntries(known)));
  }

  async function showFailure(ctx: Context) {
    const { realm } = siteOf(ctx);
    const outcome = await failures.read(readQuery(ctx, ['outcome']).outcome);
    const reason = outcome?.reason ?? 'expired';
    const entry = outcome && upstream.find(realm, outcome.upstreamId);
    ctx.status = STATUSES[reason];
    if (outcome?.retryAfterSeconds != null)
      ctx.set('Retry-After', String(Math.max(1, Math.ceil(outcome.retryAfterSeconds))));
    const isLinking = reason === 'taken' || reason === 'other-session';
    pages.render(ctx, {
      view: 'upstream/failed',
      data: {
        reason,
        providerName: entry?.name ?? null,
        detail: outcome?.detail ?? null,
        retryAfterSeconds: outcome?.retryAfterSeconds ?? null,
        continueUrl: isLinking ? '/account/connections' : ((outcome?.path === '/' ? null : outcome?.path) ?? '/login'),
      },
    });
  }

  /** The provider of this realm with that id. @throws AppError not_found: the realm has none such */
  function getProvider(ctx: Context, id: string): StoredUpstream {
    const entry = upstream.find(siteOf(ctx).realm, id);
    if (!entry) throw new AppError('not_found', { description: 'This realm does not sign in with that provider.' });
    return entry;
  }

  const page = { on: 'auth', answers: 'page', effect: 'acts' } as const;
  const answer = {
    ...page,
    csrf: 'own: state, once, in the browser that set out',
    limit: 'none: a state is 256 random bits and single-use',
  } as const;
  const generic = { ...answer, handle: finishGeneric };
  return routes([
    {
      ...page,
      name: 'upstream.start',
      method: 'GET',
      path: '/login/with/:provider',
      csrf: 'own: beginning is harmless, the end is bound to this browser',
      limit: 'upstream-address',
      handle: start,
    },
    {
      ...answer,
      name: 'upstream.finish_google',
      method: 'GET',
      path: '/api/auth/v1/google/callback',
      handle: finishFor('google'),
    },
    {
      ...answer,
      name: 'upstream.finish_facebook',
      method: 'GET',
      path: '/api/auth/v1/facebook/callback',
      handle: finishFor('facebook'),
    },
    {
      ...answer,
      name: 'upstream.finish_apple',
      method: 'GET',
      path: '/api/auth/v1/apple/callback',
      handle: finishFor('apple'),
    },
    {
      ...answer,
      name: 'upstream.finish_linkedin',
      method: 'GET',
      path: '/api/auth/v1/linkedin/callback',
      handle: finishFor('linkedin'),
    },
    {
      ...answer,
      name: 'upstream.finish_github',
      method: 'GET',
      path: '/api/auth/v1/github/callback',
      handle: finishFor('github'),
    },
    {
      ...answer,
      name: 'upstream.finish_microsoft',
      method: 'GET',
      path: '/api/auth/v1/microsoft/callback',
      handle: finishFor('microsoft'),
    },
    { ...generic, name: 'upstream.finish_oidc', method: 'GET', path: '/api/auth/v1/oidc/:id/callback' },
    { ...generic, name: 'upstream.finish_oauth', method: 'GET', path: '/api/auth/v1/oauth2/:id/callback' },
    {
      ...page,
      name: 'upstream.finish_posted',
      method: 'POST',
      path: '/api/auth/v1/apple/callback',
      csrf: 'own: changes nothing, it only sends the browser on to the GET',
      limit: 'none: no write',
      handle: finishPosted,
    },
    {
      ...page,
      name: 'upstream.show_failure',
      method: 'GET',
      path: '/login/failed',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: no write',
      handle: showFailure,
    },
  ]);
}
