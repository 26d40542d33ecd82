// Tokens that an app brings (security 203): an ID token whose audience is ours or one that the operator listed, or an access
// token after the provider itself has said that it was made for our app. Anything else is refused: a token for another app
// proves only that its holder once met that person.

import { createRemoteJWKSet, customFetch, type JWTPayload, jwtVerify } from 'jose';
import { fetchJson, isNamedTenant, ProviderRefused, readPerson, valueAt } from './code_exchange.ts';
import type { Connection } from './connection.ts';
import type { Claims } from './person.ts';

/** Asymmetric ones alone: with a shared secret anybody who holds it could sign (RFC 8725 §3.1). */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const TENANT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const CLOCK_TOLERANCE_SECONDS = 30;

export type TokenChecked = { ok: true; claims: Claims } | { ok: false; detail: string };

/**
 * The claims that a token of the provider proves.
 * @param given nonce: of the request that the app made, if it sent one
 */
export async function checkToken(
  connection: Connection,
  given: { token: string; nonce: string | null },
): Promise<TokenChecked> {
  try {
    if (connection.provider.kind === 'oidc' && COMPACT.test(given.token))
      return { ok: true, claims: await checkIdToken(connection, given) };
    return await checkAccessToken(connection, given.token);
  } catch (error) {
    if (connection.isDown()) throw error;
    return { ok: false, detail: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 300) : 'unknown' };
  }
}

const audiencesOf = ({ settings }: Connection): string[] => [settings.client_id, ...(settings.audiences ?? [])];

/** OpenID Connect Core §3.1.3.7. */
async function checkIdToken(
  connection: Connection,
  { token, nonce }: { token: string; nonce: string | null },
): Promise<Claims> {
  const { endpoints, fetch, issuer } = connection;
  if (!endpoints.jwks) throw new ProviderRefused('the provider publishes no keys');
  const keys = createRemoteJWKSet(new URL(endpoints.jwks), {
    [customFetch]: (url, init) => fetch(url, { ...init, headers: Object.fromEntries(init.headers), body: undefined }),
  });
  const audience = audiencesOf(connection);
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ALGORITHMS,
    audience,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
  });
  if (payload.iss !== expectedIssuer(issuer, payload)) throw new ProviderRefused('the ID token is of another issuer');
  if (Array.isArray(payload.aud) && payload.aud.length > 1 && !audience.includes(String(payload['azp'])))
    throw new ProviderRefused('the ID token is of another authorized party');
  if (nonce !== null && payload['nonce'] !== nonce) throw new ProviderRefused('the ID token has another nonce');
  return { ...payload, isNamedTenant: isNamedTenant(connection) };
}

/** Microsoft publishes one issuer for all tenants, with a gap for the one that the token names. */
function expectedIssuer(issuer: string, { tid }: JWTPayload): string {
  if (!issuer.includes('{tenantid}')) return issuer;
  return typeof tid === 'string' && TENANT.test(tid) ? issuer.replace('{tenantid}', tid) : '';
}

async function checkAccessToken(connection: Connection, token: string): Promise<TokenChecked> {
  const { provider, settings, secret } = connection;
  const { inspection } = provider;
  if (!inspection) return { ok: false, detail: 'access tokens of this provider cannot be checked for their audience' };
  const audiences = audiencesOf(connection);
  const url = (settings.inspection ?? inspection.url).replace('{client_id}', encodeURIComponent(settings.client_id));
  const subject = await inspect();
  if (subject === null) return { ok: false, detail: 'the access token was made for another app, or is not valid' };
  const claims = await readPerson(connection, token);
  // What was inspected and what is read must be the same person.
  const isSame = subject === undefined || String(claims['sub']) === subject;
  return isSame ? { ok: true, claims } : { ok: false, detail: 'the access token is of another person' };

  /** The subject (undefined: the provider does not tell) of a token for our app; null for any other token. */
  async function inspect(): Promise<string | undefined | null> {
    switch (inspection?.how) {
      case 'google': {
        const told = await fetchJson(connection, `${url}?${new URLSearchParams({ access_token: token })}`);
        return audiences.includes(String(told['aud'])) ? String(told['sub']) : null;
      }
      case 'facebook': {
        const asked = { input_token: token, access_token: `${settings.client_id}|${secret}` };
        const { data } = await fetchJson(connection, `${url}?${new URLSearchParams(asked)}`);
        const isOurs = valueAt(data, 'is_valid') === true && audiences.includes(String(valueAt(data, 'app_id')));
        return isOurs ? String(valueAt(data, 'user_id')) : null;
      }
      case 'github': {
        const basic = Buffer.from(`${settings.client_id}:${secret}`).toString('base64');
        const told = await fetchJson(connection, url, {
          method: 'POST',
          headers: { Authorization: `Basic ${basic}`, 'Content-Type': 'application/json' },
          body: JSON.stringify({ access_token: token }),
        });
        return valueAt(told, 'app.client_id') === settings.client_id ? String(valueAt(told, 'user.id')) : null;
      }
      case 'linkedin': {
        const asked = { client_id: settings.client_id, client_secret: secret ?? '', token };
        const told = await fetchJson(connection, url, { method: 'POST', body: new URLSearchParams(asked) });
        return told['active'] === true && told['client_id'] === settings.client_id ? undefined : null;
      }
      default:
        return null;
    }
  }
}
