// Client authentication and the token endpoint's manners, at the running server.

import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { createTaggedToken } from '../../server/lib/token.ts';
import { send } from '../support/browser.ts';
import { checkTokenError, startConformance } from '../support/conformance.ts';
import {
  basicOf,
  createRelyingParty,
  encode,
  ISSUER,
  putClients,
  random,
  SECRET,
  signedInReader,
  signJws,
} from '../support/relying_party.ts';

const on = await startConformance();
const { port } = on.server;
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ODD_SECRET = 'a:b+c%20 é-and-thirty-two-characters-more';
await putClients(on.server, [
  { id: 'cc-basic', grant_types: ['client_credentials'], scopes: ['reports'] },
  {
    id: 'cc-post',
    grant_types: ['client_credentials'],
    scopes: ['reports'],
    token_endpoint_auth_method: 'client_secret_post',
  },
  { id: 'odd:id %+é', grant_types: ['client_credentials'], scopes: ['reports'], secret: ODD_SECRET },
  {
    id: 'cc-key',
    grant_types: ['client_credentials'],
    scopes: ['reports'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...RSA.publicKey.export({ format: 'jwk' }), kid: 'r1' }] },
  },
  { id: 'cc-public', grant_types: ['client_credentials', 'authorization_code'], token_endpoint_auth_method: 'none' },
  { id: 'no-refresh', grant_types: ['authorization_code'], require_pkce: false, consent: 'implied' },
]);
test.after.always(() => on.server.close());

const FORM = 'application/x-www-form-urlencoded';
const ask = (
  form: Record<string, string | undefined>,
  headers: Record<string, string> = {},
  more: { method?: string; query?: string; type?: string; body?: string } = {},
) =>
  send(port, `${ISSUER}/oauth/token${more.query ?? ''}`, {
    method: more.method ?? 'POST',
    headers: { 'Content-Type': more.type ?? FORM, ...headers },
    body: more.body ?? encode(form),
  });
const grant = { grant_type: 'client_credentials' };
const basic = (id: string, secret = SECRET) => ({ Authorization: basicOf(id, secret) });

const inQuery = (id: string) => `?${encode({ client_id: id, client_secret: SECRET })}`;
for (const [title, id, form, headers, expected, query] of [
  ['basic by basic', 'cc-basic', {}, basic('cc-basic'), 200],
  ['basic by query', 'cc-basic', {}, {}, 401, inQuery('cc-basic')],
  ['post by query', 'cc-post', {}, {}, 401, inQuery('cc-post')],
  ['post with its secret in the query', 'cc-post', { client_id: 'cc-post' }, {}, 401, inQuery('cc-post')],
  ['post by nothing', 'cc-post', { client_id: 'cc-post' }, {}, 401],
  ['a key by basic', 'cc-key', {}, basic('cc-key'), 401],
  ['a public client by basic', 'cc-public', {}, basic('cc-public'), 401],
  ['basic by post', 'cc-basic', { client_id: 'cc-basic', client_secret: SECRET }, {}, 401],
  ['post by post', 'cc-post', { client_id: 'cc-post', client_secret: SECRET }, {}, 200],
  ['post by basic', 'cc-post', {}, basic('cc-post'), 401],
  ['both at once', 'cc-basic', { client_id: 'cc-basic', client_secret: SECRET }, basic('cc-basic'), 400],
  ['a wrong secret', 'cc-basic', {}, basic('cc-basic', `${SECRET}x`), 401],
  ['nothing', 'cc-basic', { client_id: 'cc-basic' }, {}, 401],
  ['another client_id in the body', 'cc-basic', { client_id: 'cc-post' }, basic('cc-basic'), 401],
  ['a public client with a secret', 'cc-public', { client_id: 'cc-public', client_secret: SECRET }, {}, 401],
  ['an unknown client', 'nobody', {}, basic('nobody'), 401],
  ['malformed base64', 'cc-basic', {}, { Authorization: 'Basic !!!' }, 401],
  ['base64 without a colon', 'cc-basic', {}, { Authorization: `Basic ${Buffer.from('abc').toString('base64')}` }, 401],
  ['a broken escape', 'cc-basic', {}, { Authorization: `Basic ${Buffer.from('%zz:x').toString('base64')}` }, 401],
  ['a first-party name of the wrong realm', 'cc-basic', {}, { Authorization: 'Bearer abc' }, 401],
] as [string, string, Record<string, string>, Record<string, string>, number, string?][]) {
  test(`security 98, 99, RFC 6749 §2.3: ${id}, ${title}: ${expected}`, async (t) => {
    const answer = await ask({ ...grant, ...form }, headers, query === undefined ? {} : { query });
    t.is(answer.status, expected, answer.text);
    if (expected !== 200) checkTokenError(answer, expected === 401 ? 'invalid_client' : 'invalid_request');
    t.is(
      /^Basic /.test(String(answer.headers['www-authenticate'])),
      expected === 401 && 'Authorization' in headers,
      'challenged iff Authorization was used',
    );
  });
}

test('security 99, RFC 6749 §2.3.1: credentials with a colon, percent, plus, space and umlaut work form-encoded, and only so', async (t) => {
  t.is((await ask(grant, basic('odd:id %+é', ODD_SECRET))).status, 200);
  const raw = Buffer.from(`odd:id %+é:${ODD_SECRET}`).toString('base64');
  checkTokenError(await ask(grant, { Authorization: `Basic ${raw}` }), 'invalid_client');
});

for (const [title, more, status] of [
  [
    'JSON',
    { type: 'application/json', body: JSON.stringify({ ...grant, client_id: 'cc-post', client_secret: SECRET }) },
    415,
  ],
  ['multipart', { type: 'multipart/form-data; boundary=x', body: '--x--' }, 415],
  ['plain text', { type: 'text/plain', body: encode(grant) }, 415],
  [
    'parameters in the query',
    { query: `?${encode({ ...grant, client_id: 'cc-post', client_secret: SECRET })}`, body: '' },
    401,
  ],
  ['GET', { method: 'GET', query: `?${encode(grant)}`, body: '' }, 405],
  ['PUT', { method: 'PUT' }, 405],
  ['a repeated parameter', { body: 'grant_type=client_credentials&grant_type=client_credentials' }, 400],
] as const) {
  test(`security 97, 103: ${title} at the token endpoint is ${status}, as JSON, without a token`, async (t) => {
    const answer = await ask(grant, {}, more);
    t.is(answer.status, status);
    t.regex(String(answer.headers['content-type']), /^application\/json/);
    t.is(answer.headers['cache-control'], 'no-store');
    t.false(answer.text.includes('access_token'));
    if (status === 405) t.is(answer.headers.allow, 'POST');
  });
}

test('security 103, 96: unknown, password and device grants are unsupported_grant_type; none is invalid_request', async (t) => {
  for (const type of ['password', 'urn:ietf:params:oauth:grant-type:device_code', 'implicit'])
    checkTokenError(await ask({ grant_type: type }, basic('cc-basic')), 'unsupported_grant_type');
  checkTokenError(await ask({}, basic('cc-basic')), 'invalid_request');
  t.pass();
});

test('security 104: grants are per client: no refresh token for a client without that grant, and none may be used', async (t) => {
  checkTokenError(await ask({ grant_type: 'authorization_code', code: 'x' }, basic('cc-basic')), 'unauthorized_client');
  const rp = createRelyingParty(on.server, 'no-refresh');
  const tokens = await rp.signIn((await signedInReader(on.server)).browser);
  t.false('refresh_token' in tokens);
  checkTokenError(await rp.refresh(createTaggedToken('cwr')), 'unauthorized_client');
  checkTokenError(await ask({ ...grant, client_id: 'cc-public' }), 'unauthorized_client');
});

test('security 105: a client credentials token names no account: userinfo refuses it, whatever the client is called', async (t) => {
  const { account } = await signedInReader(on.server);
  await putClients(
    on.server,
    [account.id, account.sub].map((id) => ({
      id: String(id),
      grant_types: ['client_credentials'],
      scopes: ['openid', 'profile'],
      access_token: { format: 'jwt' },
    })),
  );
  for (const id of [String(account.id), account.sub]) {
    const rp = createRelyingParty(on.server, id);
    const { access_token: token } = (await rp.token(grant)).json();
    const info = await rp.userinfo(token);
    t.is(info.status, 403);
    t.regex(String(info.headers['www-authenticate']), /error="insufficient_scope"/);
    t.is((await rp.post('/oauth/introspect', { token })).json().sub, `client:${id}`);
  }
});

const now = () => Math.floor(Date.now() / 1000);
const claimsOf = (changes: Record<string, unknown> = {}) => ({
  iss: 'cc-key',
  sub: 'cc-key',
  aud: ISSUER,
  iat: now(),
  exp: now() + 60,
  jti: random(),
  ...changes,
});
const assert = (assertion: string) =>
  ask({
    ...grant,
    client_id: 'cc-key',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
const signed = (changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  signJws({ alg: 'RS256', kid: 'r1', ...header }, claimsOf(changes), RSA.privateKey);

for (const [title, assertion, isAccepted] of [
  ['as it should be', () => signed(), true],
  ['valid for ten minutes', () => signed({ exp: now() + 600 }), false],
  ['without exp', () => signed({ exp: undefined }), false],
  ['without jti', () => signed({ jti: undefined }), false],
  ['another issuer', () => signed({ iss: 'cc-basic' }), false],
  ['another subject', () => signed({ sub: 'cc-basic' }), false],
  ['the token endpoint as audience', () => signed({ aud: `${ISSUER}/oauth/token` }), false],
  ['an array of audiences', () => signed({ aud: [ISSUER, 'https://other.example'] }), false],
  ['an array of one audience', () => signed({ aud: [ISSUER] }), false],
  ['alg none', () => `${signed({}, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`, false],
  ['HS256 keyed by the public key', () => signed({}, { alg: 'HS256' }), false],
  [
    'an embedded key of the attacker',
    () => {
      const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
      return signJws({ alg: 'RS256', jwk: own.publicKey.export({ format: 'jwk' }) }, claimsOf(), own.privateKey);
    },
    false,
  ],
  ['a kid with a path', () => signed({}, { kid: '../../etc/passwd' }), false],
  ['a kid with a quote', () => signed({}, { kid: "' or 1=1 --" }), false],
  ['a critical header nobody knows', () => signed({}, { crit: ['exp'], exp: 1 }), false],
  ['b64:false', () => signed({}, { crit: ['b64'], b64: false }), false],
  [
    'an ES256 signature of zeros',
    () => `${signed({}, { alg: 'ES256' }).split('.').slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`,
    false,
  ],
  [
    'PBES2 with a huge count',
    () =>
      `${Buffer.from('{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"enc":"A128GCM"}').toString('base64url')}.a.b.c.d`,
    false,
  ],
] as const) {
  test(`security 101, 120, 126, RFC 7523 §3: an assertion ${title} is ${isAccepted ? 'accepted' : 'refused'}`, async (t) => {
    const started = performance.now();
    const answer = await assert(assertion());
    t.is(answer.status, isAccepted ? 200 : 401, answer.text);
    if (!isAccepted) checkTokenError(answer, 'invalid_client');
    t.true(performance.now() - started < 20_000);
  });
}

test('security 101: one assertion sent 50 times at once is accepted once', async (t) => {
  const one = signed();
  const answers = await Promise.all(Array.from({ length: 50 }, () => assert(one)));
  t.is(answers.filter(({ status }) => status === 200).length, 1);
});

test('security 100: the database has no clear secret', async (t) => {
  const { rows } = await on.server.services.db.builder.raw('select clients::text as row from clients');
  t.false(JSON.stringify(rows).includes(SECRET));
});
