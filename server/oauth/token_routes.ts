// The back channel of the standard provider on the auth domain, for clients that authenticate: token, pushed requests (RFC
// 9126), introspection (RFC 7662), revocation (RFC 7009). Grants are in grants.ts.

import type { Client } from '../clients/clients.ts';
import { limitReadersTo } from '../clients/middleware.ts';
import { readRawForm } from '../http/body.ts';
import { type Context, routes } from '../http/route.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';
import { decideAuthorization } from './authorization_decision.ts';
import { type ClientAuthentication, credentialsIn } from './client_authentication.ts';
import { checkDpopProof } from './dpop.ts';
import { type Grants, isGrantType } from './grants.ts';
import { limitFailures } from './middleware.ts';
import { oauthError } from './oauth_error.ts';
import type { Provider as ProviderService } from './provider.ts';
import { AUTHORIZE_PARAMETERS } from './provider_request.ts';

export function tokenRoutes(options: {
  provider: ProviderService;
  grants: Grants;
  clientAuthentication: ClientAuthentication;
  rateLimits: RateLimits;
}) {
  const { provider, grants, clientAuthentication, rateLimits } = options;

  async function token(ctx: Context) {
    const form = await readRawForm(ctx);
    const client = await authenticate(ctx, form);
    const grant = form.get('grant_type');
    if (grant === undefined) throw oauthError('invalid_request', { description: 'Send grant_type.' });
    if (!isGrantType(grant)) throw oauthError('unsupported_grant_type');
    if (!client.protocol.grant_types.includes(grant)) throw oauthError('unauthorized_client');
    const asking = { realm: siteOf(ctx).realm, client, dpopJkt: await dpopKey(ctx, client), address: addressOf(ctx) };
    ctx.body = await grants.byForm(grant, asking, form);
  }

  async function dpopKey(ctx: Context, client: Client): Promise<string | null> {
    const proof = ctx.get('DPoP');
    if (!proof) {
      if (client.protocol.dpop_bound_access_tokens)
        throw oauthError('invalid_dpop_proof', { description: 'This client must send a DPoP proof.' });
      return null;
    }
    return checkDpopProof(
      proof,
      { method: ctx.method, url: `${siteOf(ctx).realm.authOrigin}${ctx.path}` },
      provider.takeOnce,
    );
  }

  async function authenticate(ctx: Context, form: ReadonlyMap<string, string>): Promise<Client> {
    const { realm } = siteOf(ctx);
    const given = credentialsIn(ctx.get('Authorization'), form);
    const client = await limitFailures(ctx, rateLimits, () =>
      clientAuthentication.authenticate(realm.id, given, realm.authOrigin),
    );
    limitReadersTo(ctx, client);
    return client;
  }

  async function push(ctx: Context) {
    const form = await readRawForm(ctx);
    const client = await authenticate(ctx, form);
    // RFC 9126 §2.1: request_uri MUST NOT be among the parameters.
    if (form.has('request_uri'))
      throw oauthError('invalid_request', { description: 'Send the parameters themselves.' });
    const parameters = Object.fromEntries(
      AUTHORIZE_PARAMETERS.flatMap((name) => (form.get(name) ? [[name, form.get(name) as string]] : [])),
    );
    const request = { face: 'oidc', parameters: { ...parameters, client_id: client.clientId } } as const;
    const decision = decideAuthorization(request, {
      client,
      isPushed: true,
      signedIn: null,
      startedAt: 0,
      consented: null,
      hasJustConsented: false,
      hint: { kind: 'absent' },
    });
    if (decision.kind === 'refuse-here') throw oauthError('invalid_request', { description: decision.description });
    if (decision.kind === 'refuse-there' && decision.error !== 'login_required')
      throw oauthError('invalid_request', { description: decision.description });
    ctx.status = 201;
    ctx.body = await provider.push(client, request.parameters);
  }

  async function introspect(ctx: Context) {
    const form = await readRawForm(ctx);
    const client = await authenticate(ctx, form);
    // RFC 7662 §2.1: the endpoint MUST NOT be a token oracle; a public client cannot prove who it is.
    if (client.protocol.token_endpoint_auth_method === 'none') throw oauthError('invalid_client');
    const token = form.get('token');
    if (token === undefined) throw oauthError('invalid_request', { description: 'Send token.' });
    ctx.body = await provider.introspect(siteOf(ctx).realm, client, token);
  }

  async function revoke(ctx: Context) {
    const form = await readRawForm(ctx);
    const client = await authenticate(ctx, form);
    const token = form.get('token');
    if (token === undefined) throw oauthError('invalid_request', { description: 'Send token.' });
    await provider.revoke(client, token);
    ctx.body = {};
  }

  const api = {
    on: 'auth',
    answers: 'oauth',
    effect: 'acts',
    csrf: 'own: the client authenticates',
    limit: 'client-authentication',
  } as const;
  return routes([
    { ...api, name: 'oauth.token', method: 'POST', path: '/oauth/token', cors: 'public-clients', handle: token },
    { ...api, name: 'oauth.push', method: 'POST', path: '/oauth/par', handle: push },
    { ...api, name: 'oauth.introspect', method: 'POST', path: '/oauth/introspect', handle: introspect },
    { ...api, name: 'oauth.revoke', method: 'POST', path: '/oauth/revoke', cors: 'public-clients', handle: revoke },
  ]);
}
