// Sign-in with another provider in the session-sharing API: by link from any site, and with a token that an app or a script
// of the provider brings.

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import { type Client, type Clients, callbackOrigins, redirectHost, schemeSources } from '../clients/clients.ts';
import { readJson } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { isSubresource } from '../http/fetch_metadata.ts';
import { readQuery } from '../http/query.ts';
import { configuredUrl, type OwnPath, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { asHost, type CallbackUri } from '../lib/ids.ts';
import { checkCallback } from '../lib/url.ts';
import type { Identified, ReturnTo } from '../login/login.ts';
import { keepSignedIn, readAttempt } from '../login/middleware.ts';
import { keepChallenge } from '../mfa/middleware.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';
import type { StoredUpstream } from '../realms/realms.ts';
import { createFailurePage, keepBrowser } from '../upstream/middleware.ts';
import type { Failure, Upstream } from '../upstream/upstream.ts';
import { answerCompleted, secondFactorCode, startFlow } from './middleware.ts';
import { presentUser } from './present.ts';

const LOGIN = '/api/auth/v1/login';
const AUTHORIZE = '/api/auth/v1/oauth/authorize';
/** Parameters of an authorize address that was put into `redirect-url` unencoded, as published clients do. */
const STRAYS = ['redirect_uri', 'callback_uri', 'response_type', 'state', 'flow', 'restart'] as const;

const token = z
  .string({ error: 'must be a string' })
  .min(1, 'is missing')
  .max(8192, 'must have at most 8192 characters');
const tokenBody = z.object({
  token: z.union([token, z.object({ 'access-token': token.optional(), 'id-token': token.optional() })], {
    error: 'must be the token of the provider, or {"access-token": …}',
  }),
  nonce: z.string().max(500).nullish(),
  'set-session': z.boolean({ error: 'must be true or false' }).nullish(),
});
const oneTapBody = z.object({
  token,
  nonce: z.string().max(500).nullish(),
  'redirect-url': z.string().max(2048).nullish(),
});

export function bridgekeeperUpstreamRoutes(options: {
  upstream: Upstream;
  clients: Clients;
  reader: Reader;
  secrets: readonly string[];
}) {
  const { upstream, clients, reader } = options;
  const failures = createFailurePage(options);

  /** Begins by link. Every sign-in is made on the auth domain; a site gets its own session by the usual way back. */
  async function start(ctx: Context) {
    if (isSubresource(ctx)) throw new AppError('forbidden', { description: 'This address is opened as a page.' });
    const query = readQuery(ctx, ['auth-provider', 'redirect-url', ...STRAYS]);
    const { realm, domain } = siteOf(ctx);
    const entry = getProvider(ctx, query['auth-provider']);
    const wanted = query['redirect-url'];
    if (domain.role === 'auth') {
      const to = await returnTo(ctx, wanted, query);
      const from = { to, browser: keepBrowser(ctx), address: addressOf(ctx), link: null };
      return failures.follow(ctx, entry.id, await upstream.start(realm, entry, from));
    }
    const client = await clients.findForHost(domain.host);
    if (!client) throw new AppError('unknown_client', { description: 'This domain has no enabled client.' });
    const flow = startFlow(ctx, { isRestart: false });
    const back = authorizeUrl(ctx, client, { callback: getCallback(wanted, client), flow });
    seeOther(ctx, configuredUrl(`${realm.authOrigin}${LOGIN}`, { 'auth-provider': entry.id, 'redirect-url': back }));
  }

  /**
   * Where on the auth domain the reader goes on: a page there, its authorize endpoint (which checks everything again), or that
   * endpoint for the site whose page was asked for. Security 205: parsed, never compared by its beginning.
   */
  async function returnTo(
    ctx: Context,
    wanted: string | undefined,
    strays: Partial<Record<string, string>>,
  ): Promise<ReturnTo> {
    const { realm } = siteOf(ctx);
    if (wanted === undefined) return { path: '/', client: null, targets: [] };
    const authorize = parseAuthorize(wanted, realm.authOrigin);
    if (authorize) {
      for (const name of STRAYS) {
        const stray = strays[name];
        if (stray !== undefined && !authorize.searchParams.has(name)) authorize.searchParams.set(name, stray);
      }
      const asking = await clients.find(realm.id, authorize.searchParams.get('client_id') ?? '');
      return toClient(`${authorize.pathname}${authorize.search}` as OwnPath, asking);
    }
    const sites = await clients.listSites(realm.id);
    const checked = checkCallback(wanted, [realm.authOrigin, ...sites.map(({ origin }) => origin)]);
    if (!checked.ok) throw refusedCallback(wanted);
    const url = new URL(checked.callback);
    if (url.origin === realm.authOrigin) return toClient(`${url.pathname}${url.search}` as OwnPath, null);
    const client = await clients.findForHost(asHost(url.host));
    if (!client) throw refusedCallback(wanted);
    const back = authorizeUrl(ctx, client, { callback: checked.callback, flow: null });
    return toClient(back.slice(realm.authOrigin.length) as OwnPath, client);
  }

  async function signInWithToken(ctx: Context) {
    const entry = getProvider(ctx, String(ctx['params']?.provider ?? ''));
    const body = await readJson(ctx, tokenBody);
    const given = typeof body.token === 'string' ? body.token : (body.token['id-token'] ?? body.token['access-token']);
    if (!given) throw new AppError('invalid_request', { description: 'token: send "access-token" or "id-token".' });
    const brought = { token: given, nonce: body.nonce ?? null };
    if (body['set-session'] === false) return answerIdentified(ctx, await identify(ctx, entry, brought));
    answerCompleted(ctx, await check(ctx, entry, brought));
  }

  async function identify(ctx: Context, entry: StoredUpstream, given: { token: string; nonce: string | null }) {
    const outcome = await upstream.identifyByToken(await readAttempt(ctx, reader), entry, given);
    if (!outcome.ok) throw tokenRefusal(outcome, entry);
    if (!outcome.identified.ok) throw new AppError('verification_required');
    return outcome.identified;
  }

  async function googleOneTap(ctx: Context) {
    const entry = getProvider(ctx, 'google');
    const { token: given, nonce, 'redirect-url': wanted } = await readJson(ctx, oneTapBody);
    const completed = await check(ctx, entry, { token: given, nonce: nonce ?? null });
    const { domain } = siteOf(ctx);
    const target = wanted ? checkCallback(wanted, [domain.origin]) : null;
    if (!target?.ok || completed.kind === 'over-limit') return answerCompleted(ctx, completed);
    if (completed.kind === 'second-factor') {
      // `code` is also an authorization code's name, so it goes to pages of this very site only (security 208).
      keepChallenge(ctx, completed.token);
      return seeOther(ctx, configuredUrl(target.callback, { code: secondFactorCode(completed) }));
    }
    keepSignedIn(ctx, completed);
    seeOther(ctx, target.callback);
  }

  async function check(ctx: Context, entry: StoredUpstream, given: { token: string; nonce: string | null }) {
    const outcome = await upstream.signInWithToken(await readAttempt(ctx, reader), entry, given);
    if (!outcome.ok) throw tokenRefusal(outcome, entry);
    if (!outcome.completed.ok) throw new AppError('verification_required');
    return outcome.completed;
  }

  /** The provider of this realm with that name. @throws AppError invalid_request */
  function getProvider(ctx: Context, id: string | undefined): StoredUpstream {
    const { realm } = siteOf(ctx);
    const entry = upstream.find(realm, id);
    if (entry) return entry;
    const known = realm.upstreams.map((one) => one.id).join(', ');
    throw new AppError('invalid_request', {
      description: known ? `The providers of this site are: ${known}.` : 'This site signs in with no other provider.',
    });
  }

  function authorizeUrl(ctx: Context, client: Client, to: { callback: CallbackUri; flow: string | null }): string {
    return configuredUrl(`${siteOf(ctx).realm.authOrigin}${AUTHORIZE}`, {
      client_id: client.clientId,
      redirect_uri: client.redirectUris[0] ?? '',
      callback_uri: to.callback,
      response_type: 'code',
      flow: to.flow,
    });
  }

  const tokenRoute = {
    on: 'any',
    answers: 'json',
    effect: 'acts',
    csrf: 'json',
    limit: 'upstream-address',
    method: 'POST',
  } as const;
  return routes([
    {
      on: 'any',
      answers: 'page',
      effect: 'acts',
      name: 'bridgekeeper.upstream_start',
      method: 'GET',
      path: '/api/auth/v1/login',
      csrf: 'own: beginning is harmless, the end is bound to this browser',
      limit: 'upstream-address',
      handle: start,
    },
    // Before the next one, which would take its name for a provider's.
    {
      ...tokenRoute,
      name: 'bridgekeeper.google_one_tap',
      method: 'POST',
      path: '/api/auth/v1/login/google-one-tap',
      handle: googleOneTap,
    },
    {
      ...tokenRoute,
      name: 'bridgekeeper.upstream_token',
      method: 'POST',
      path: '/api/auth/v1/login/:provider',
      handle: signInWithToken,
    },
    {
      ...tokenRoute,
      name: 'bridgekeeper.upstream_script_token',
      method: 'POST',
      path: '/api/login/:provider',
      handle: signInWithToken,
    },
  ]);
}

/** Who it is, without cookie or token: the app holds no session of ours. */
function answerIdentified(ctx: Context, identified: Extract<Identified, { ok: true }>): void {
  ctx.body =
    identified.kind === 'identified'
      ? { user: presentUser(identified.account) }
      : {
          code: secondFactorCode(identified),
          message: 'This account signs in with a second factor. Send the token with "set-session": true.',
        };
}

/** The way back to a client, with the origins that the redirects after a form reach on it. */
function toClient(path: OwnPath, client: Client | null): ReturnTo {
  if (!client) return { path, client: null, targets: [] };
  const targets = client.domain ? callbackOrigins(client) : schemeSources(client.redirectUris);
  return {
    path,
    client: { id: client.clientId, name: client.name, host: client.domain?.host ?? redirectHost(client) },
    targets,
  };
}

/** An authorize address of the auth domain; null for any other. */
function parseAuthorize(wanted: string, authOrigin: string): URL | null {
  if (!URL.canParse(wanted)) return null;
  const url = new URL(wanted);
  const isOurs = url.origin === authOrigin && !url.username && !url.password;
  return isOurs && [AUTHORIZE, '/oauth/authorize'].includes(url.pathname) ? url : null;
}

/** The page of the site to come back to; an authorize address of its own names it in turn. */
function getCallback(wanted: string | undefined, client: Client): CallbackUri {
  const origins = callbackOrigins(client);
  const authorize = wanted === undefined ? null : parseAuthorize(wanted, origins[0] ?? '');
  const callback = authorize ? (authorize.searchParams.get('callback_uri') ?? undefined) : wanted;
  const checked = checkCallback(callback ?? `${origins[0]}/`, origins);
  if (!checked.ok) throw refusedCallback(callback ?? '');
  return checked.callback;
}

function refusedCallback(sent: string): AppError {
  return new AppError('callback_not_allowed', {
    description: 'The redirect-url is not a page of this site.',
    rows: [{ label: 'Sent', value: sent.slice(0, 500) }],
  });
}

function tokenRefusal(failure: Failure, { name }: StoredUpstream): AppError {
  switch (failure.reason) {
    case 'throttled':
      return new AppError('too_many_requests', { retryAfterSeconds: failure.retryAfterSeconds ?? 60 });
    case 'unavailable':
      return new AppError('unavailable', {
        description: `${name} does not answer at the moment.`,
        retryAfterSeconds: failure.retryAfterSeconds ?? 30,
      });
    case 'sign-in-first':
      return new AppError('invalid_credentials', {
        description: `There is an account with this e-mail address. Sign in with your password, then connect ${name}.`,
      });
    case 'sign-up-closed':
      return new AppError('forbidden', { description: 'Sign-up is closed on this site.' });
    default:
      // One answer for a token that is not believed and for an account that may not sign in (security 163).
      return new AppError('invalid_credentials', { description: `The sign-in with ${name} was not accepted.` });
  }
}
