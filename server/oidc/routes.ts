// Discovery, JWK set, userinfo and RP-initiated logout on the auth domain.

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import { type Client, type Clients, schemeSources } from '../clients/clients.ts';
import { limitReadersTo } from '../clients/middleware.ts';
import { readForm, readRawForm } from '../http/body.ts';
import { csrfToken, hasCsrfToken, renewCsrf } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { configuredUrl, type OwnPath, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Keys } from '../keys/keys.ts';
import { createSealer } from '../lib/seal.ts';
import type { Login } from '../login/login.ts';
import { noteSignedOut } from '../login/middleware.ts';
import { checkDpopProof, oauthError, type Provider } from '../oauth/oauth.ts';
import { addressOf, noteBrandOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { clearCredential } from '../sessions/middleware.ts';
import { type BackChannelLogout, discoveryDocument, presentUserinfo } from './oidc.ts';

const END_SESSION = [
  'id_token_hint',
  'logout_hint',
  'client_id',
  'post_logout_redirect_uri',
  'state',
  'ui_locales',
] as const;
type EndSession = Partial<Record<(typeof END_SESSION)[number], string>>;
const confirmForm = z.object({
  csrf_token: z.string().max(200).default(''),
  request: z.string().max(8000).default(''),
});
const DISCOVERY_SECONDS = 300;

export function oidcRoutes(options: {
  provider: Provider;
  clients: Clients;
  keys: Keys;
  login: Login;
  reader: Reader;
  pages: SitePages;
  backChannelLogout: BackChannelLogout;
  secrets: readonly string[];
}) {
  const { provider, clients, keys, login, reader, pages, backChannelLogout } = options;
  const sealer = createSealer({ secrets: options.secrets, purpose: 'end-session' });

  function discovery(ctx: Context) {
    makePublic(ctx, DISCOVERY_SECONDS);
    const { realm } = siteOf(ctx);
    const { authOrigin, settings } = realm;
    ctx.body = discoveryDocument(authOrigin, pages.offeredBy(realm), settings.dynamic_registration === 'on');
  }

  async function jwks(ctx: Context) {
    makePublic(ctx, keys.maxAgeSeconds);
    ctx.body = await keys.publish(siteOf(ctx).realm.id);
    ctx.type = 'application/jwk-set+json';
  }

  /** OpenID Connect Core §5.3.1: GET and POST MUST both work. */
  async function userinfo(ctx: Context) {
    const { realm } = siteOf(ctx);
    const { scheme, token } = await bearerOf(ctx);
    const active = token === null ? null : await provider.findActive(realm, token);
    if (token === null)
      throw new AppError('invalid_token', {
        description: 'Send an access token.',
        headers: { 'WWW-Authenticate': 'Bearer, DPoP' },
      });
    if (!active) throw challenge('invalid_token', scheme);
    await checkBinding(ctx, active.dpopJkt, scheme, token);
    const client = await clients.findByRowId(active.family.clientRowId);
    if (!client) throw challenge('invalid_token', scheme);
    limitReadersTo(ctx, client);
    // RFC 6750 §3.1: the token is fine, its scope is not. A mapped answer also serves plain OAuth 2.0, which knows no openid.
    const isMapped = client.protocol.userinfo_mapping !== undefined;
    if (!active.account || !(isMapped || active.scopes.includes('openid')))
      throw challenge('insufficient_scope', scheme);
    ctx.body = presentUserinfo({
      realm,
      client,
      account: active.account,
      scopes: active.scopes,
      claims: active.family.detail.userinfoClaims,
    });
  }

  async function bearerOf(ctx: Context): Promise<{ scheme: 'Bearer' | 'DPoP'; token: string | null }> {
    const header = ctx.get('Authorization');
    const match = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)$/i.exec(header);
    if (header && !match) throw challenge('invalid_token', 'Bearer');
    const scheme = match?.[1]?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer';
    const inBody =
      ctx.method === 'POST' && ctx.get('Content-Type') !== ''
        ? (await readRawForm(ctx)).get('access_token')
        : undefined;
    // RFC 6750 §2: one method per request; §2.3 (query) is not offered.
    if (match && inBody !== undefined) throw oauthError('invalid_request', { description: 'Send the token once.' });
    return { scheme, token: match?.[2] ?? inBody ?? null };
  }

  /** RFC 9449 §7.1: a bound token needs a proof of its key, and the DPoP scheme; an unbound one needs neither. */
  async function checkBinding(ctx: Context, jkt: string | null, scheme: 'Bearer' | 'DPoP', token: string) {
    if (jkt === null && scheme === 'Bearer') return;
    if (jkt === null || scheme === 'Bearer') throw challenge('invalid_token', 'DPoP');
    const url = `${siteOf(ctx).realm.authOrigin}${ctx.path}`;
    const shown = await checkDpopProof(
      ctx.get('DPoP'),
      { method: ctx.method, url, accessToken: token },
      provider.takeOnce,
    ).catch((error: unknown) => {
      throw error instanceof AppError ? challenge('invalid_dpop_proof', 'DPoP') : error;
    });
    if (shown !== jkt) throw challenge('invalid_token', 'DPoP');
  }

  async function endSession(ctx: Context) {
    const request: EndSession = readQuery(ctx, END_SESSION);
    const signedIn = await reader.find(ctx);
    const judged = await judge(ctx, request);
    // RP-Initiated Logout 1.0 §2: a hint of this very session is the client's word that the reader asked for it.
    const isOwnHint =
      signedIn !== null &&
      judged.sid !== null &&
      judged.sid === signedIn.session.id &&
      judged.sub === signedIn.account.sub;
    if (signedIn && !isOwnHint) return ask(ctx, request, judged.client);
    return finish(ctx, judged);
  }

  /**
   * OpenID Connect RP-Initiated Logout §2: POST MUST work too. A cross-site form post carries no Lax cookies: the reader would look signed
   * out, be told so and lose the cookies while the session lives on. So it becomes the same request by GET.
   */
  async function endSessionByPost(ctx: Context) {
    const form = await readRawForm(ctx);
    const request: EndSession = Object.fromEntries(
      [...form].filter(([name]) => (END_SESSION as readonly string[]).includes(name)),
    );
    seeOther(ctx, configuredUrl(`${siteOf(ctx).realm.authOrigin}/oauth/end_session`, request));
  }

  /** What a request proves: whose session, of which client, and where the reader may be sent after. */
  async function judge(
    ctx: Context,
    request: EndSession,
  ): Promise<{
    client: Client | null;
    sub: string | null;
    sid: string | null;
    to: string | null;
    state: string | null;
  }> {
    const { realm } = siteOf(ctx);
    const hint =
      request.id_token_hint === undefined
        ? null
        : await keys.verify(realm.id, request.id_token_hint, {
            issuer: realm.authOrigin,
            typ: 'JWT',
            mayBeExpired: true,
          });
    const audience = typeof hint?.aud === 'string' ? hint.aud : null;
    const isContradiction = request.client_id !== undefined && audience !== null && request.client_id !== audience;
    const client = audience === null || isContradiction ? null : await clients.find(realm.id, audience);
    // RP-Initiated Logout 1.0 §3: an unregistered URI, or one without a hint that proves the client, is never followed.
    const wanted = request.post_logout_redirect_uri;
    const to =
      client && wanted !== undefined && client.protocol.post_logout_redirect_uris.includes(wanted) ? wanted : null;
    const sid = hint?.['sid'];
    return {
      client,
      sub: hint?.sub ?? null,
      sid: typeof sid === 'string' ? sid : null,
      to,
      state: request.state ?? null,
    };
  }

  async function ask(ctx: Context, request: EndSession, client: Client | null) {
    const signedIn = await reader.require(ctx);
    const { account } = signedIn;
    noteBrandOf(ctx, client);
    pages.render(ctx, {
      view: 'oidc/end_session',
      formTargets: client ? schemeSources(client.protocol.post_logout_redirect_uris) : [],
      uiLocales: request.ui_locales ?? null,
      data: {
        csrfToken: csrfToken(ctx),
        request: await sealer.seal({ r: request }, 86_400),
        accountName: account.name ?? account.username ?? account.email ?? '',
        stayUrl: '/',
      },
    });
  }

  async function confirm(ctx: Context) {
    const form = await readForm(ctx, confirmForm);
    const sealed = await sealer.open(form.request);
    const request = (sealed?.['r'] ?? {}) as EndSession;
    const judged = await judge(ctx, request);
    if (!hasCsrfToken(ctx, form.csrf_token) && (await reader.find(ctx))) return ask(ctx, request, judged.client);
    return finish(ctx, judged);
  }

  async function finish(ctx: Context, judged: Awaited<ReturnType<typeof judge>>) {
    const signedIn = await reader.find(ctx);
    if (reader.hasCredential(ctx)) await login.signOut(signedIn, { reason: 'signed-out', address: addressOf(ctx) });
    if (signedIn) noteSignedOut(ctx, signedIn.session.id);
    clearCredential(ctx, siteOf(ctx).domain.host);
    renewCsrf(ctx);
    // Its reader comes back to it next, and should find it signed out; others are not waited for.
    if (signedIn && judged.client) await backChannelLogout.waitFor(signedIn.session.id, judged.client.id);
    if (judged.to === null) return seeOther(ctx, '/signed-out' as OwnPath);
    seeOther(ctx, configuredUrl(judged.to, { state: judged.state }));
  }

  const base = {
    on: 'auth',
    answers: 'oauth',
    effect: 'reads',
    limit: 'none: reads',
    csrf: 'none: reads',
  } as const;
  const page = { on: 'auth', answers: 'page', effect: 'acts', limit: 'none: ends what the caller holds' } as const;
  return routes([
    { ...base, name: 'oidc.discovery', method: 'GET', path: '/.well-known/openid-configuration', handle: discovery },
    {
      ...base,
      name: 'oidc.oauth_discovery',
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      handle: discovery,
    },
    { ...base, name: 'oidc.jwks', method: 'GET', path: '/oauth/jwks', handle: jwks },
    {
      ...base,
      name: 'oidc.userinfo',
      method: 'GET',
      path: '/oauth/userinfo',
      limit: 'none: one indexed read',
      cors: 'public-clients',
      handle: userinfo,
    },
    {
      ...base,
      name: 'oidc.userinfo_by_post',
      method: 'POST',
      path: '/oauth/userinfo',
      limit: 'none: one indexed read',
      cors: 'public-clients',
      handle: userinfo,
    },
    {
      ...page,
      name: 'oidc.end_session',
      method: 'GET',
      path: '/oauth/end_session',
      csrf: 'own: acts only on the hint of this session, asks otherwise',
      handle: endSession,
    },
    {
      ...page,
      name: 'oidc.end_session_by_post',
      method: 'POST',
      path: '/oauth/end_session',
      csrf: 'own: becomes the same request by GET',
      handle: endSessionByPost,
    },
    {
      ...page,
      name: 'oidc.confirm_end_session',
      method: 'POST',
      path: '/oauth/end_session/confirm',
      csrf: 'form',
      handle: confirm,
    },
  ]);
}

/** The same for everybody, and readable by scripts of any origin: no cookie is involved. */
function makePublic(ctx: Context, seconds: number) {
  for (const name of ['Pragma', 'CDN-Cache-Control', 'Surrogate-Control', 'Vary']) ctx.remove(name);
  ctx.set({
    'Cache-Control': `public, max-age=${seconds}`,
    'Access-Control-Allow-Origin': '*',
    'Cross-Origin-Resource-Policy': 'cross-origin',
  });
}

/** RFC 6750 §3: the challenge MUST be there, with the error when a token was sent. */
function challenge(
  code: 'invalid_token' | 'insufficient_scope' | 'invalid_dpop_proof',
  scheme: 'Bearer' | 'DPoP',
): AppError {
  const scope = code === 'insufficient_scope' ? ', scope="openid"' : '';
  return new AppError(code === 'invalid_dpop_proof' ? 'invalid_token' : code, {
    headers: { 'WWW-Authenticate': `${scheme} error="${code}"${scope}` },
  });
}
