// DPoP (RFC 9449): tokens bound to a key, at the token endpoint and at userinfo.

import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import test from 'ava';
import { checkTokenError, startConformance } from '../support/conformance.ts';
import {
  createRelyingParty,
  ISSUER,
  makePkce,
  putClients,
  random,
  signedInReader,
  signJws,
} from '../support/relying_party.ts';

const on = await startConformance();
await putClients(on.server, [{ id: 'bound', require_pkce: false, consent: 'implied', dpop_bound_access_tokens: true }]);
test.after.always(() => on.server.close());

type Pair = { publicKey: KeyObject; privateKey: KeyObject };
const newKey = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const seconds = () => Math.floor(Date.now() / 1000);

function proof(
  key: Pair,
  htm: string,
  htu: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  return signJws(
    { typ: 'dpop+jwt', alg: 'ES256', jwk: key.publicKey.export({ format: 'jwk' }), ...header },
    { jti: random(), htm, htu, iat: seconds(), ...claims },
    key.privateKey,
  );
}
const ath = (token: string) => createHash('sha256').update(token).digest('base64url');
const TOKEN = `${ISSUER}/oauth/token`;
const USERINFO = `${ISSUER}/oauth/userinfo`;

async function boundTokens() {
  const key = newKey();
  const { browser } = await signedInReader(on.server);
  const { verifier, request } = makePkce();
  const code = (await on.public.authorize(browser, request)).answer?.get('code');
  const answer = await on.public.redeem(code, { code_verifier: verifier }, { DPoP: proof(key, 'POST', TOKEN) });
  return { key, tokens: answer.json() };
}
const userinfo = (token: string, dpop: string | null, scheme = 'DPoP') =>
  on.public.userinfo(token, { headers: { Authorization: `${scheme} ${token}`, ...(dpop !== null && { DPoP: dpop }) } });

test('security 107: a bound token works with a proof of its key and with nothing else', async (t) => {
  const { key, tokens } = await boundTokens();
  const token: string = tokens.access_token;
  t.is(tokens.token_type, 'DPoP');
  const right = (claims = {}, header = {}) => proof(key, 'GET', USERINFO, { ath: ath(token), ...claims }, header);
  t.is((await userinfo(token, right())).status, 200);
  const once = right();
  t.is((await userinfo(token, once)).status, 200);
  for (const [title, dpop] of [
    ['the same proof again', once],
    ['no proof', null],
    ['another method', right({ htm: 'POST' })],
    ['another address', right({ htu: TOKEN })],
    ['no token hash', right({ ath: undefined })],
    ['the hash of another token', right({ ath: ath('x') })],
    ['an old proof', right({ iat: seconds() - 61 })],
    ['a proof from the future', right({ iat: seconds() + 63 })],
    ['no jti', right({ jti: undefined })],
    ['another type', right({}, { typ: 'JWT' })],
    ['alg none', right({}, { alg: 'none' })],
    ['a proof with a private key in it', right({}, { jwk: key.privateKey.export({ format: 'jwk' }) })],
    ['another key', proof(newKey(), 'GET', USERINFO, { ath: ath(token) })],
    ['a key that did not sign', right({}, { jwk: newKey().publicKey.export({ format: 'jwk' }) })],
  ] as const) {
    const answer = await userinfo(token, dpop);
    t.is(answer.status, 401, title);
    t.regex(String(answer.headers['www-authenticate']), /^DPoP error="invalid_(dpop_proof|token)"/, title);
  }
  t.is((await userinfo(token, null, 'Bearer')).status, 401, 'as a bearer token');
});

test('security 107: a proof is accepted once even when sent 20 times at the same moment', async (t) => {
  const { key, tokens } = await boundTokens();
  const one = proof(key, 'GET', USERINFO, { ath: ath(tokens.access_token) });
  const answers = await Promise.all(Array.from({ length: 20 }, () => userinfo(tokens.access_token, one)));
  t.is(answers.filter(({ status }) => status === 200).length, 1);
});

test('security 107: the refresh token of a public client is bound to its key', async (t) => {
  const { key, tokens } = await boundTokens();
  checkTokenError(await on.public.refresh(tokens.refresh_token), 'invalid_grant');
  checkTokenError(
    await on.public.refresh(tokens.refresh_token, {}, { DPoP: proof(newKey(), 'POST', TOKEN) }),
    'invalid_grant',
  );
  t.is((await on.public.refresh(tokens.refresh_token, {}, { DPoP: proof(key, 'POST', TOKEN) })).status, 200);
});

test('security 107: a wrong proof at the token endpoint is invalid_dpop_proof, and a client that must send one gets nothing without', async (t) => {
  for (const dpop of [
    'garbage',
    proof(newKey(), 'GET', TOKEN),
    proof(newKey(), 'POST', USERINFO),
    proof(newKey(), 'POST', TOKEN, { iat: seconds() - 120 }),
  ]) {
    checkTokenError(await on.first.refresh('x', {}, { DPoP: dpop }), 'invalid_dpop_proof');
  }
  checkTokenError(await createRelyingParty(on.server, 'bound').refresh('x'), 'invalid_dpop_proof');
  t.pass();
});

test('RFC 9449 §10, security 107: a code that was asked for with dpop_jkt is only for that key', async (t) => {
  const { browser } = await signedInReader(on.server);
  const key = newKey();
  const { crv, kty, x, y } = key.publicKey.export({ format: 'jwk' });
  const jkt = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  const codeOf = async () => (await on.first.authorize(browser, { dpop_jkt: jkt })).answer?.get('code');
  checkTokenError(await on.first.redeem(await codeOf()), 'invalid_grant');
  checkTokenError(await on.first.redeem(await codeOf(), {}, { DPoP: proof(newKey(), 'POST', TOKEN) }), 'invalid_grant');
  const answer = await on.first.redeem(await codeOf(), {}, { DPoP: proof(key, 'POST', TOKEN) });
  t.is(answer.json().token_type, 'DPoP');
  t.deepEqual((await on.first.post('/oauth/introspect', { token: answer.json().access_token })).json().cnf, { jkt });
});
