// One login, every domain: `authorize` on client and auth domain, automatic sign-in, and `token`, the browser's landing page
// that turns a code into this host's session. Decisions are made in oauth/; here they become redirects, pages and cookies.

import { isbot } from 'isbot';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Client, Clients } from '../clients/clients.ts';
import { callbackOrigins } from '../clients/clients.ts';
import { AppError, toRefusal } from '../http/errors.ts';
import { isSubresource, requestOrigin } from '../http/fetch_metadata.ts';
import { readQuery } from '../http/query.ts';
import { configuredUrl, type OwnPath, seeOther, type Target } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { CallbackUri } from '../lib/ids.ts';
import { parseToken } from '../lib/token.ts';
import { checkCallback, isLoopbackHost, withParameter } from '../lib/url.ts';
import type { Login } from '../login/login.ts';
import { signInByOldSession } from '../login/middleware.ts';
import { type Decision, decideAuthorization, type OAuth, type SessionDraft } from '../oauth/oauth.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';
import { setCredential } from '../sessions/middleware.ts';
import type { Credential } from '../sessions/sessions.ts';
import {
  AUTHORIZE,
  AUTO_SSO,
  codeAddress,
  draftParameters,
  nextHopAddress,
  PARAMETERS,
  type Parameters,
} from './hop_address.ts';
import { endFlows, endQuiet, isQuiet, keepQuiet, readFlows, startFlow } from './middleware.ts';
import { presentAuthorizeFailure } from './present.ts';

export function bridgekeeperOAuthRoutes(options: { oauth: OAuth; login: Login; reader: Reader; clients: Clients }) {
  const { oauth, login, reader, clients } = options;

  async function authorize(ctx: Context) {
    if (readQuery(ctx, ['allow_ajax']).allow_ajax === 'true') return authorizeByScript(ctx);
    const query = readQuery(ctx, PARAMETERS);
    requirePage(ctx);
    const decision = await decideOrAdopt(ctx, query, { isSilent: false });
    seeOther(ctx, await proceed(ctx, query, decision));
  }

  /** The same decision without a redirect. The script assigns what it gets to `location.href`, so nobody else may ask. */
  async function authorizeByScript(ctx: Context) {
    try {
      const query = readQuery(ctx, PARAMETERS);
      const from = requestOrigin(ctx, siteOf(ctx).domain.origin);
      if (from === 'foreign' || from === 'typed' || ctx.get('Sec-Fetch-Mode') === 'navigate') {
        throw new AppError('forbidden', { description: 'Ask with allow_ajax from a script of the same origin.' });
      }
      const url = absolute(ctx, await proceed(ctx, query, await decide(ctx, query, { isSilent: false })));
      // The document says redirect_url, every published client reads redirect_uri.
      ctx.body = { redirect_uri: url, redirect_url: url };
    } catch (error) {
      const refusal = toRefusal(error);
      if (refusal.code === 'server_error') throw error;
      ctx.status = refusal.status;
      ctx.set(refusal.headers);
      ctx.body = presentAuthorizeFailure(refusal);
    }
  }

  async function autoSso(ctx: Context) {
    const query = readQuery(ctx, PARAMETERS);
    requirePage(ctx, { isNavigationOnly: true });
    const decision = await decideOrAdopt(ctx, query, { isSilent: true });
    if (decision.kind === 'next-hop' && !decision.draft.isRestart && (isQuiet(ctx) || isbot(ctx.get('User-Agent')))) {
      return seeOther(ctx, withParameter(decision.draft.callbackUri, 'logged_in', 'false'));
    }
    if (decision.kind === 'next-hop') keepQuiet(ctx, settingSeconds(siteOf(ctx).realm.settings.auto_sso_quiet));
    seeOther(ctx, await proceed(ctx, query, decision));
  }

  /** Whoever would have to sign in may hold a session of the realm's former system: then that is a sign-in. */
  async function decideOrAdopt(
    ctx: Context,
    query: Parameters,
    how: { isSilent: boolean },
  ): Promise<Decision<'session'>> {
    const decision = await decide(ctx, query, how);
    const isAnonymous = ['next-hop', 'login', 'back-anonymous'].includes(decision.kind);
    if (!isAnonymous || !(await signInByOldSession(ctx, { login, reader }))) return decision;
    // On a client domain the reader is where he wanted to be; on the auth domain he is on his way.
    return decision.kind === 'next-hop'
      ? { kind: 'back-anonymous', callback: decision.draft.callbackUri }
      : decide(ctx, query, how);
  }

  async function decide(
    ctx: Context,
    query: Parameters,
    { isSilent }: { isSilent: boolean },
  ): Promise<Decision<'session'>> {
    const { realm, domain } = siteOf(ctx);
    const [client, hostClient, signedIn] = await Promise.all([
      query.client_id === undefined ? null : clients.find(realm.id, query.client_id),
      domain.role === 'client' ? clients.findForHost(domain.host) : null,
      domain.role === 'auth' ? reader.find(ctx) : null,
    ]);
    const carried = await carriedOver(ctx, query);
    return decideAuthorization(
      {
        face: 'session',
        parameters: {
          client_id: query.client_id,
          redirect_uri: query.redirect_uri,
          callback_uri: query.callback_uri,
          response_type: query.response_type,
          state: query.state ?? carried.state,
          // On a client domain the flow begins here, whatever the address says.
          flow: domain.role === 'auth' ? (query.flow ?? carried.flow) : undefined,
        },
        isRestart: (query.restart ?? carried.restart) === '1',
        isSilent,
      },
      { role: domain.role, client, hostClient, isSignedIn: signedIn !== null },
    );
  }

  /** What a realm's own sign-in page hands back in its request handle: the flow that the reader came with. */
  async function carriedOver(ctx: Context, query: Parameters): Promise<Parameters> {
    const to = await login.readReturn(siteOf(ctx).domain.host, query.request_handle);
    if (!to) return {};
    const before = new URL(to.path, 'https://handle.invalid').searchParams;
    const isSame = (['client_id', 'redirect_uri'] as const).every((name) => before.get(name) === (query[name] ?? null));
    if (!isSame) return {};
    const read = (name: string) => before.get(name) ?? undefined;
    return Object.fromEntries(
      ['state', 'flow', 'restart'].map((name) => [name, read(name)]).filter(([, value]) => value !== undefined),
    );
  }

  /** Where a decision leads. @throws AppError for a refusal */
  async function proceed(ctx: Context, query: Parameters, decision: Decision<'session'>): Promise<Target> {
    switch (decision.kind) {
      case 'refuse-here':
        throw refusalOf(ctx, decision);
      case 'back-anonymous':
        return decision.callback;
      case 'next-hop':
        return nextHop(ctx, decision.draft);
      case 'login':
        return signInPage(ctx, query, decision.draft);
      case 'issue': {
        const signedIn = (await reader.find(ctx)) as SignedIn;
        const code = await oauth.issueCode(signedIn.session, decision.draft);
        // Signed out between two statements: as if the sign-out had come first.
        if (code === null) return signInPage(ctx, query, decision.draft);
        return codeAddress(decision.draft, code);
      }
      default:
        return decision satisfies never;
    }
  }

  /** From a client domain to the auth domain, with a flow cookie that proves on return which browser set out. */
  function nextHop(ctx: Context, draft: SessionDraft): Target {
    const flow = startFlow(ctx, { isRestart: draft.isRestart });
    return nextHopAddress(siteOf(ctx).realm.authOrigin, draft, flow);
  }

  /** The realm's sign-in page, with all it needs to come back. */
  async function signInPage(ctx: Context, query: Parameters, draft: SessionDraft): Promise<Target> {
    const { realm, domain } = siteOf(ctx);
    const flow = draft.flowHash?.toString('base64url') ?? null;
    const back = configuredUrl(`${realm.authOrigin}${AUTHORIZE}`, { ...draftParameters(draft), flow });
    const handle = await login.makeReturn(domain.host, {
      path: back.slice(realm.authOrigin.length) as OwnPath,
      client: { id: draft.client.clientId, name: draft.client.name, host: draft.client.domain?.host ?? null },
      targets: callbackOrigins(draft.client),
    });
    const page = realm.authenticationUrl ?? `${realm.authOrigin}/login`;
    return configuredUrl(page, {
      client_id: draft.client.clientId,
      redirect_uri: draft.redirectUri,
      callback_uri: draft.callbackUri,
      response_type: query.response_type ?? 'code',
      state: draft.state,
      request_handle: handle,
    });
  }

  async function landOnToken(ctx: Context) {
    const query = readQuery(ctx, ['code', 'callback_uri']);
    if (isSubresource(ctx)) throw new AppError('forbidden', { description: 'This address is opened as a page.' });
    const { domain } = siteOf(ctx);
    const client = await clients.findForHost(domain.host);
    if (!client) throw new AppError('unknown_client', { description: 'This domain has no enabled client.' });
    const code = parseToken(query.code);
    const flows = readFlows(ctx);
    const current = (await reader.find(ctx))?.session ?? null;
    const redemption = {
      kind: 'session' as const,
      host: domain.host,
      client,
      flowHashes: flows.map(({ hash }) => hash),
      current,
      address: addressOf(ctx),
    };
    const outcome = code ? await oauth.redeem({ ...redemption, code }) : ({ kind: 'unknown' } as const);
    switch (outcome.kind) {
      case 'created':
        keepDomainSession(ctx, outcome);
        return seeOther(ctx, outcome.callback);
      case 'again':
        return seeOther(ctx, outcome.callback);
      case 'restart':
        return seeOther(ctx, restartUrl(ctx, client, outcome));
      case 'back-anonymous':
        return seeOther(ctx, withParameter(outcome.callback, 'logged_in', 'false'));
      case 'cookies-refused':
        throw new AppError('cookies_refused', { continueUrl: outcome.callback });
      case 'refused':
        throw new AppError('code_invalid', { continueUrl: `${domain.origin}/` });
      case 'unknown': {
        // A flow of this browser whose code is gone (its session ended, or it came too late) begins again, once.
        const callback = ownCallback(client, query.callback_uri);
        if (code && callback && flows.some(({ isRestart }) => !isRestart))
          return seeOther(ctx, restartUrl(ctx, client, { callback, isSilent: false }));
        throw new AppError('code_invalid', { continueUrl: `${domain.origin}/` });
      }
      default:
        return outcome satisfies never;
    }
  }

  function keepDomainSession(ctx: Context, made: { credential: Credential; remainingSeconds: number }) {
    ctx.remove('Set-Cookie');
    endFlows(ctx);
    endQuiet(ctx);
    setCredential(ctx, made.credential, made.remainingSeconds);
  }

  const base = { on: 'any', effect: 'acts', limit: 'none: writes only for a signed-in reader' } as const;
  return routes([
    {
      ...base,
      name: 'bridgekeeper.authorize',
      method: 'GET',
      path: '/api/auth/v1/oauth/authorize',
      answers: 'page',
      csrf: 'own: codes reach only the proven redirect URI, and scripts of the same origin',
      handle: authorize,
    },
    {
      ...base,
      name: 'bridgekeeper.auto_sso',
      method: 'GET',
      path: '/api/auth/v1/oauth/auto-sso/authorize',
      answers: 'page',
      csrf: 'own: navigations only, callback on the own host',
      handle: autoSso,
    },
    {
      ...base,
      on: 'client',
      name: 'bridgekeeper.token',
      method: 'GET',
      path: '/api/auth/v1/oauth/token',
      answers: 'page',
      csrf: 'own: the flow cookie of this browser',
      limit: 'none: a code is 256 random bits and single-use',
      handle: landOnToken,
    },
  ]);
}

/**
 * Answers of this flow are seen by a person: a request for a part of a page, or by a foreign script, gets none. On a client
 * domain its own scripts may ask for `authorize`, but never find out in silence who is signed in.
 */
function requirePage(ctx: Context, options: { isNavigationOnly?: boolean } = {}) {
  const isScript = !['', 'navigate'].includes(ctx.get('Sec-Fetch-Mode'));
  const isRefusedScript = isScript && (options.isNavigationOnly === true || siteOf(ctx).domain.role === 'auth');
  if (isSubresource(ctx) || isRefusedScript)
    throw new AppError('forbidden', { description: 'This address is opened as a page.' });
}

/** This host's own authorize, for a flow that begins again. */
function restartUrl(ctx: Context, client: Client, flow: { callback: CallbackUri; isSilent: boolean }): Target {
  return configuredUrl(`${siteOf(ctx).domain.origin}${flow.isSilent ? AUTO_SSO : AUTHORIZE}`, {
    client_id: client.clientId,
    redirect_uri: client.redirectUris[0] ?? '',
    callback_uri: flow.callback,
    response_type: 'code',
    restart: '1',
  });
}

/** The callback in the address, if it is one of this client at all; the stored one decides wherever there is one. */
function ownCallback(client: Client, sent: string | undefined): CallbackUri | null {
  const checked = checkCallback(sent ?? `${client.domain?.origin ?? ''}/`, callbackOrigins(client));
  return checked.ok ? checked.callback : null;
}

function absolute(ctx: Context, target: Target): string {
  return target.startsWith('/') ? `${siteOf(ctx).domain.origin}${target}` : target;
}

/** What a person is told: what was sent always, what is registered only on a loopback realm; the log has both. */
function refusalOf(ctx: Context, decision: Extract<Decision<'session'>, { kind: 'refuse-here' }>): AppError {
  const { realm } = siteOf(ctx);
  const registered = decision.client?.redirectUris ?? [];
  const isTrial = isLoopbackHost(realm.authHost);
  const rows = decision.sent === undefined ? [] : [{ label: 'Sent', value: decision.sent.slice(0, 500) }];
  if (isTrial && decision.code === 'redirect_uri_mismatch')
    rows.push(...registered.map((value) => ({ label: 'Registered', value })));
  return new AppError(decision.code, {
    description: decision.description,
    rows,
    detail: { realm: realm.slug, client: decision.client?.clientId ?? null, sent: decision.sent ?? null, registered },
  });
}
