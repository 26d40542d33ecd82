// From a provider's answer in the browser to the claims about a person: the code is exchanged and the ID token validated by
// openid-client; providers without ID tokens are asked for the person with the access token, which is then forgotten.

import { createHmac } from 'node:crypto';
import type { Connection } from './connection.ts';
import type { Claims } from './person.ts';

/** What the browser brought back. */
export type CallbackParameters = Partial<
  Record<'code' | 'state' | 'iss' | 'error' | 'error_description' | 'user', string>
>;
/** What follows from the secret of the browser and the state; see upstream.ts. */
export type Proofs = { state: string; nonce: string; verifier: string };

export type Exchanged =
  | { ok: true; claims: Claims }
  /** The person said no, there. */
  | { ok: false; reason: 'cancelled' }
  /** The provider says in the answer that something is wrong; its words. */
  | { ok: false; reason: 'provider-error'; detail: string }
  /** The answer is none that may be believed; for the log. */
  | { ok: false; reason: 'invalid'; detail: string };

const LONGEST_DETAIL = 300;
// RFC 6749 §4.1.2.1 and the words of Apple and LinkedIn for the same.
const CANCELLED = ['access_denied', 'user_cancelled_login', 'user_cancelled_authorize'];

/** The address of the provider's page, with everything that the answer is checked against. */
export function authorizationUrl(connection: Connection, redirectUri: string, proofs: Proofs, challenge: string): URL {
  const { library, client, provider, settings } = connection;
  const scope = (settings.scopes ?? provider.scopes).join(' ');
  return library.buildAuthorizationUrl(client, {
    redirect_uri: redirectUri,
    ...(scope !== '' && { scope }),
    state: proofs.state,
    ...(provider.usesNonce && { nonce: proofs.nonce }),
    ...(provider.usesPkce && { code_challenge: challenge, code_challenge_method: 'S256' }),
    ...(provider.responseMode === 'form_post' && { response_mode: 'form_post' }),
  });
}

/** Exchanges the code. @throws what the connection throws when the provider is down */
export async function exchangeCode(
  connection: Connection,
  redirectUri: string,
  answer: { parameters: CallbackParameters; proofs: Proofs },
): Promise<Exchanged> {
  const { library, client, provider } = connection;
  const { proofs, parameters } = answer;
  const { user, ...checked } = parameters;
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(checked)) url.searchParams.set(name, value);
  try {
    const tokens = await library.authorizationCodeGrant(client, url, {
      expectedState: proofs.state,
      idTokenExpected: provider.kind === 'oidc',
      ...(provider.usesNonce && { expectedNonce: proofs.nonce }),
      ...(provider.usesPkce && { pkceCodeVerifier: proofs.verifier }),
    });
    if (provider.kind === 'oauth2') return { ok: true, claims: await readPerson(connection, tokens.access_token) };
    const claims: Claims = { ...tokens.claims(), isNamedTenant: isNamedTenant(connection) };
    return {
      ok: true,
      claims: await completeClaims(connection, { ...claims, ...appleName(user) }, tokens.access_token),
    };
  } catch (error) {
    if (connection.isDown()) throw error;
    return explain(connection, error);
  }
}

/** Claims that an ID token lacks may be at the userinfo endpoint (OpenID Connect Core §5.3, §5.4). */
async function completeClaims(connection: Connection, claims: Claims, accessToken: string): Promise<Claims> {
  if (claims['email'] !== undefined || !connection.endpoints.userinfo) return claims;
  // §5.3.2: the sub of both must be the same; openid-client compares them.
  const more = await connection.library.fetchUserInfo(connection.client, accessToken, String(claims['sub']));
  return { ...more, ...claims };
}

/** The person behind an access token, in the words of OpenID Connect. */
export async function readPerson(connection: Connection, accessToken: string): Promise<Claims> {
  const { upstream, endpoints, settings, secret } = connection;
  const bearer = { Authorization: `Bearer ${accessToken}` };
  switch (upstream.provider) {
    case 'facebook': {
      const url = new URL(endpoints.userinfo ?? '');
      url.searchParams.set('fields', 'id,name,first_name,last_name,email,picture.type(large)');
      url.searchParams.set(
        'appsecret_proof',
        createHmac('sha256', secret ?? '')
          .update(accessToken)
          .digest('hex'),
      );
      const me = await fetchJson(connection, url.href, { headers: bearer });
      return {
        sub: me['id'],
        email: me['email'],
        name: me['name'],
        given_name: me['first_name'],
        family_name: me['last_name'],
        picture: valueAt(me, 'picture.data.url'),
      };
    }
    case 'github': {
      const [me, emails] = await Promise.all([
        fetchJson(connection, endpoints.userinfo ?? '', { headers: bearer }),
        fetchJson(connection, endpoints.emails ?? '', { headers: bearer }),
      ]);
      const primary = Object.values(emails).find((entry) => valueAt(entry, 'primary') === true);
      return {
        sub: me['id'],
        email: valueAt(primary, 'email'),
        email_verified: valueAt(primary, 'verified'),
        name: me['name'] ?? me['login'],
        picture: me['avatar_url'],
      };
    }
    default: {
      const me = await fetchJson(connection, endpoints.userinfo ?? '', { headers: bearer });
      const map = { sub: 'sub', email: 'email', email_verified: 'email_verified', name: 'name', ...settings.claims };
      return Object.fromEntries(Object.entries(map).map(([claim, path]) => [claim, valueAt(me, path)]));
    }
  }
}

/** A JSON object or list from the provider. @throws Error when it refuses */
export async function fetchJson(
  { fetch }: Connection,
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string | URLSearchParams } = {},
): Promise<Record<string, unknown>> {
  const headers = { Accept: 'application/json', 'User-Agent': 'Causeway', ...init.headers };
  const answer = await fetch(url, { method: init.method ?? 'GET', headers, body: init.body, redirect: 'manual' });
  if (!answer.ok) throw new ProviderRefused(`${new URL(url).pathname} answered ${answer.status}`);
  return (await answer.json()) as Record<string, unknown>;
}

export class ProviderRefused extends Error {}

/** One tenant, and not all of them: then the provider's directory is the operator's own. */
export function isNamedTenant({ settings }: Connection): boolean {
  return settings.tenant !== undefined && !['common', 'organizations', 'consumers'].includes(settings.tenant);
}

/** The first sign-in with Apple posts the name beside the code; the reader may have changed it, and it proves nothing. */
function appleName(user: string | undefined): Claims {
  if (user === undefined) return {};
  try {
    const name = valueAt(JSON.parse(user), 'name');
    return { given_name: valueAt(name, 'firstName'), family_name: valueAt(name, 'lastName') };
  } catch {
    return {};
  }
}

export function valueAt(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (inside, key) =>
        typeof inside === 'object' && inside !== null && Object.hasOwn(inside, key)
          ? (inside as Record<string, unknown>)[key]
          : undefined,
      value,
    );
}

function explain({ library }: Connection, error: unknown): Exchanged {
  if (error instanceof library.AuthorizationResponseError) {
    const detail = `${error.error}${error.error_description ? `: ${error.error_description}` : ''}`;
    return CANCELLED.includes(error.error)
      ? { ok: false, reason: 'cancelled' }
      : { ok: false, reason: 'provider-error', detail: detail.slice(0, LONGEST_DETAIL) };
  }
  if (error instanceof library.ResponseBodyError)
    return {
      ok: false,
      reason: 'invalid',
      detail: `${error.error}: ${error.error_description ?? ''}`.slice(0, LONGEST_DETAIL),
    };
  if (error instanceof library.ClientError || error instanceof ProviderRefused) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return { ok: false, reason: 'invalid', detail: `${error.message}${cause}`.slice(0, LONGEST_DETAIL) };
  }
  throw error;
}
