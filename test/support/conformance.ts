// The ground that every conformance module stands on: a provider with the clients and the reader that the modules need, and
// the checks that the certification suite makes in each of them (shared as one helper, by node:crypto, not by jose).

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { Account } from '../../server/accounts/accounts.ts';
import type { Answer, Browser } from './browser.ts';
import { atHash, checkJwks, type Jwks, type Verified, verifyJws } from './jws_verifier.ts';
import {
  createRelyingParty,
  ISSUER,
  type Outcome,
  type Parameters,
  putClients,
  REDIRECT,
  type RelyingParty,
  signedInReader,
} from './relying_party.ts';
import { HOSTS, startTestServer, type TestServer } from './server.ts';

export type Mode = 'query' | 'form_post';
export const REALM = `realms: [{ slug: test, auth_domain: ${HOSTS.auth}, clients: [] }]`;
export const QUERY_REDIRECT = 'https://rp.example/cb?foo=bar&empty=&esc=%7E%20x';
export const AFTER_LOGOUT = 'https://rp.example/after-logout';
const SCOPES = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'];
const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** A server with the suite's clients: two confidential ones without PKCE, one by post, one with a key, one public. */
export async function startConformance(env: Record<string, string> = {}) {
  const server = await startTestServer({ yaml: REALM, env });
  const plain = { scopes: SCOPES, require_pkce: false, consent: 'implied', post_logout_redirect_uris: [AFTER_LOGOUT] };
  await putClients(server, [
    { id: 'first', name: 'First Client', ...plain },
    { id: 'second', name: 'Second Client', ...plain },
    { id: 'by-post', ...plain, token_endpoint_auth_method: 'client_secret_post' },
    {
      id: 'by-key',
      ...plain,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...KEY.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256' }] },
    },
    { id: 'public', ...plain, token_endpoint_auth_method: 'none', require_pkce: true },
    { id: 'asking', name: 'Asking Client', ...plain, consent: 'ask' },
    { id: 'query-uri', ...plain, redirect_uris: [QUERY_REDIRECT, REDIRECT] },
  ]);
  return {
    server,
    first: createRelyingParty(server, 'first'),
    second: createRelyingParty(server, 'second'),
    byPost: createRelyingParty(server, 'by-post', { method: 'post' }),
    byKey: createRelyingParty(server, 'by-key', { method: 'jwt', key: { kid: 'k1', privateKey: KEY.privateKey } }),
    public: createRelyingParty(server, 'public', { method: 'none' }),
    asking: createRelyingParty(server, 'asking'),
    queryUri: createRelyingParty(server, 'query-uri', { redirectUri: QUERY_REDIRECT }),
  };
}
export type Conformance = Awaited<ReturnType<typeof startConformance>>;

/** A reader with every standard claim, signed in in a new browser. */
export async function fullReader(
  server: TestServer,
): Promise<{ account: Account & { email: string }; browser: Browser }> {
  const reader = await signedInReader(server);
  await server.services.db
    .builder('accounts')
    .where({ id: reader.account.id })
    .update({
      first_name: 'Ada',
      last_name: 'Reader',
      phone_number: '+441234567',
      login_phone_number: `+44${reader.account.id}`,
      avatar_url: 'https://img.example/a.png',
      username: `ada${reader.account.id}`,
      username_canonical: `ada${reader.account.id}`,
      verification_status: 'email',
      metadata: JSON.stringify({ address: { street_address: '1 High Street', country: 'GB' } }),
    });
  return reader;
}

export async function fetchJwks(rp: RelyingParty): Promise<Jwks> {
  const answer = await rp.get('/oauth/jwks');
  assert.equal(answer.status, 200);
  const jwks = answer.json() as Jwks;
  checkJwks(jwks);
  return jwks;
}

/** An answer to the client came as it must: by the asked mode, complete, with nothing else in it. */
function checkArrival(rp: RelyingParty, sent: Parameters, outcome: Outcome): URLSearchParams {
  const { answer, to } = outcome;
  assert.ok(answer && to, `the browser stays with the provider: ${outcome.pages.join(' ')} ${outcome.last.status}`);
  assert.equal(outcome.via, sent['response_mode'] ?? 'query');
  if (outcome.via === 'form_post') {
    assert.equal(to, rp.redirectUri, 'posted to the redirect URI, with nothing in its query');
    assert.equal(outcome.last.headers['cache-control'], 'no-store');
  } else
    assert.ok(
      to.startsWith(`${rp.redirectUri}${rp.redirectUri.includes('?') ? '&' : '?'}`),
      `the registered query is kept: ${to}`,
    );
  assert.equal(answer.get('state'), sent['state'] ?? null);
  assert.equal(answer.get('iss'), ISSUER);
  return answer;
}

const registeredQuery = (rp: RelyingParty, outcome: Outcome) =>
  outcome.via === 'query' ? [...new URL(rp.redirectUri).searchParams.keys()] : [];

/** A successful authorization response. @returns the code */
export function checkSuccess(rp: RelyingParty, sent: Parameters, outcome: Outcome): string {
  const answer = checkArrival(rp, sent, outcome);
  assert.equal(answer.get('error'), null, `${answer.get('error')} ${answer.get('error_description')}`);
  assert.deepEqual(
    [...answer.keys()].filter((name) => !registeredQuery(rp, outcome).includes(name)).sort(),
    [...(sent['state'] === undefined ? [] : ['state']), 'code', 'iss'].sort(),
  );
  const code = answer.get('code') ?? '';
  // 128 bits of a 64-letter alphabet are 22 characters.
  assert.match(code, /^[A-Za-z0-9_-]{22,}$/);
  return code;
}

/** An error response of the authorization endpoint. @returns its code */
export function checkRefusal(rp: RelyingParty, sent: Parameters, outcome: Outcome, allowed: readonly string[]): string {
  const answer = checkArrival(rp, sent, outcome);
  assert.equal(answer.get('code'), null, 'no code beside an error');
  const unexpected = [...answer.keys()].filter(
    (name) =>
      !['error', 'error_description', 'error_uri', 'state', 'iss', ...registeredQuery(rp, outcome)].includes(name),
  );
  assert.deepEqual(unexpected, []);
  assert.match(answer.get('error_description') ?? '', /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  const error = answer.get('error') ?? '';
  assert.ok(allowed.includes(error), `${error} is one of ${allowed.join(' ')}`);
  return error;
}

/** A refusal of the token endpoint (RFC 6749 §5.2). */
export function checkTokenError(answer: Answer, error: string, status = error === 'invalid_client' ? 401 : 400): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(String(answer.headers['content-type']), /^application\/json/);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const body = answer.json();
  assert.equal(body.error, error, answer.text);
  assert.match(body.error_description ?? '', /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  assert.ok(!('access_token' in body));
}

export type Tokens = {
  access_token: string;
  id_token: string;
  token_type: string;
  expires_in: number;
  scope: string;
  refresh_token?: string;
};

/** A successful token answer (RFC 6749 §5.1). */
export function checkTokenAnswer(answer: Answer): Tokens {
  assert.equal(answer.status, 200, answer.text);
  assert.match(String(answer.headers['content-type']), /^application\/json/);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const body = answer.json() as Tokens;
  assert.match(body.access_token, /^[\x20-\x7e]{20,}$/);
  assert.equal(body.token_type, 'Bearer');
  assert.ok(body.expires_in > 0 && body.expires_in <= 900);
  if (body.refresh_token !== undefined) assert.match(body.refresh_token, /^[\x20-\x7e]{20,}$/);
  return body;
}

/** The standard checks of an ID token (OpenID Connect Core §2, §3.1.3.7). @param skewSeconds how far a test moved the database's clock */
export function checkIdToken(
  token: string,
  expected: { clientId: string; nonce: string | undefined; jwks: Jwks; accessToken: string; skewSeconds?: number },
): Verified {
  const verified = verifyJws(token, expected.jwks);
  const { header, payload } = verified;
  const [now, skew] = [Date.now() / 1000, 60 + (expected.skewSeconds ?? 0)];
  assert.equal(header['alg'], 'RS256');
  assert.equal(payload['iss'], ISSUER);
  assert.equal(payload['aud'], expected.clientId, 'one audience, as a string');
  assert.match(String(payload['sub']), /^[\x21-\x7e]{1,255}$/);
  assert.ok(
    Number.isInteger(payload['exp']) &&
      Number(payload['exp']) > now &&
      Number(payload['exp']) - Number(payload['iat']) <= 3600,
  );
  assert.ok(Number.isInteger(payload['iat']) && Math.abs(Number(payload['iat']) - now) < 60);
  if (payload['auth_time'] !== undefined)
    assert.ok(Number.isInteger(payload['auth_time']) && Number(payload['auth_time']) <= now + skew);
  assert.equal(payload['nonce'], expected.nonce);
  assert.equal(payload['at_hash'], atHash(String(header['alg']), expected.accessToken));
  const known = [
    'iss',
    'sub',
    'aud',
    'exp',
    'iat',
    'nbf',
    'nonce',
    'auth_time',
    'at_hash',
    'sid',
    'acr',
    'amr',
    'azp',
    'jti',
  ];
  assert.deepEqual(
    Object.keys(payload).filter((name) => !known.includes(name)),
    [],
    'no claim that was not asked for',
  );
  return verified;
}

export type Done = {
  sent: Parameters;
  outcome: Outcome;
  code: string;
  tokens: Tokens;
  id: Verified;
  userinfo: Record<string, unknown>;
};

/** The whole code flow with every base check: authorization, token, ID token, userinfo. */
export async function completeFlow(
  rp: RelyingParty,
  browser: Browser,
  changes: Parameters = {},
  more: { account?: { email: string }; skewSeconds?: number; form?: Parameters } = {},
): Promise<Done> {
  const sent = rp.request(changes);
  const outcome = await rp.authorize(browser, sent, { account: more.account ?? null });
  const code = checkSuccess(rp, sent, outcome);
  const tokens = checkTokenAnswer(await rp.redeem(code, more.form));
  const jwks = await fetchJwks(rp);
  const id = checkIdToken(tokens.id_token, {
    clientId: rp.id,
    nonce: sent['nonce'],
    jwks,
    accessToken: tokens.access_token,
    skewSeconds: more.skewSeconds ?? 0,
  });
  const info = await rp.userinfo(tokens.access_token);
  assert.equal(info.status, 200, info.text);
  const userinfo = info.json();
  assert.equal(userinfo.sub, id.payload['sub']);
  return { sent, outcome, code, tokens, id, userinfo };
}
