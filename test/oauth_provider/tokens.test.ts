// What tokens say and where they are worth something: userinfo, introspection, revocation, claims, sub, JWK set, at rest.

import test from 'ava';
import { createTaggedToken } from '../../server/lib/token.ts';
import { send } from '../support/browser.ts';
import { checkTokenError, completeFlow, fetchJwks, fullReader, startConformance } from '../support/conformance.ts';
import { peek, verifyJws } from '../support/jws_verifier.ts';
import { createRelyingParty, ISSUER, makePkce, putClients, signedInReader } from '../support/relying_party.ts';
import { PASSWORD } from '../support/server.ts';

const on = await startConformance();
await putClients(on.server, [
  {
    id: 'jwt',
    require_pkce: false,
    consent: 'implied',
    scopes: ['openid', 'email', 'profile'],
    access_token: { format: 'jwt', claims: ['email', 'given_name'] },
  },
  { id: 'no-openid', require_pkce: false, consent: 'implied', scopes: ['email'] },
]);
const jwt = createRelyingParty(on.server, 'jwt');
test.after.always(() => on.server.close());

test('security 102: a code is for its client, its redirect URI and its verifier; a wrong verifier uses it up', async (t) => {
  const { browser } = await signedInReader(on.server);
  const { verifier, request } = makePkce();
  const codeOf = async (changes = {}) => (await on.first.authorize(browser, changes)).answer?.get('code');
  checkTokenError(await on.second.redeem(await codeOf()), 'invalid_grant');
  checkTokenError(await on.first.redeem(await codeOf(), { redirect_uri: 'https://rp.example/other' }), 'invalid_grant');
  checkTokenError(await on.first.redeem(await codeOf(), { redirect_uri: undefined }), 'invalid_grant');
  checkTokenError(await on.first.redeem(await codeOf(), { code_verifier: verifier }), 'invalid_grant');
  checkTokenError(await on.first.redeem(await codeOf(request)), 'invalid_grant');
  checkTokenError(await on.first.redeem(await codeOf(request), { code_verifier: '' }), 'invalid_grant');
  const burnt = await codeOf(request);
  checkTokenError(await on.first.redeem(burnt, { code_verifier: makePkce().verifier }), 'invalid_grant');
  checkTokenError(await on.first.redeem(burnt, { code_verifier: verifier }), 'invalid_grant');
  checkTokenError(await on.first.redeem(undefined), 'invalid_request');
  checkTokenError(await on.first.redeem('x'.repeat(43)), 'invalid_grant');
  t.is((await on.first.redeem(await codeOf(request), { code_verifier: verifier })).status, 200);
});

test('security 102: one code sent 20 times at once gives tokens once, and they are dead after the replays', async (t) => {
  const { browser } = await signedInReader(on.server);
  const code = (await on.first.authorize(browser)).answer?.get('code');
  const answers = await Promise.all(Array.from({ length: 20 }, () => on.first.redeem(code)));
  const [won, ...more] = answers.filter(({ status }) => status === 200);
  t.is(more.length, 0);
  t.is((await on.first.userinfo(won?.json().access_token)).status, 401);
});

test('security 102: a session that ended between code and exchange gives no tokens', async (t) => {
  const { account, browser } = await signedInReader(on.server);
  const code = (await on.first.authorize(browser)).answer?.get('code');
  await on.server.services.db.transaction((q) =>
    on.server.services.sessions.revokeAllOf(
      q,
      { realmId: account.realmId, accountId: account.id },
      { reason: 'operator', address: null },
    ),
  );
  checkTokenError(await on.first.redeem(code), 'invalid_grant');
  t.pass();
});

test('security 113, OpenID Connect Core §5.3.1, RFC 6750 §3: userinfo takes the token from header or body, never from the query, and challenges as it must', async (t) => {
  const { tokens } = await completeFlow(on.first, (await signedInReader(on.server)).browser);
  const ask = (path: string, headers: Record<string, string> = {}, more = {}) =>
    send(on.server.port, `${ISSUER}${path}`, { headers, ...more });
  const inQuery = await ask(`/oauth/userinfo?access_token=${tokens.access_token}`);
  t.deepEqual(
    [
      inQuery.status,
      /^Bearer/.test(String(inQuery.headers['www-authenticate'])),
      /error=/.test(String(inQuery.headers['www-authenticate'])),
    ],
    [401, true, false],
  );
  for (const wrong of [
    'garbage',
    createTaggedToken('cwa'),
    tokens.id_token,
    tokens.refresh_token ?? '',
    `${tokens.access_token}x`,
  ]) {
    const answer = await ask('/oauth/userinfo', { Authorization: `Bearer ${wrong}` });
    t.is(answer.status, 401);
    t.regex(String(answer.headers['www-authenticate']), /^Bearer error="invalid_token"/);
  }
  const twice = await ask(
    '/oauth/userinfo',
    { Authorization: `Bearer ${tokens.access_token}`, 'Content-Type': 'application/x-www-form-urlencoded' },
    { method: 'POST', body: `access_token=${tokens.access_token}` },
  );
  t.deepEqual([twice.status, twice.json().error], [400, 'invalid_request']);
  const noOpenid = await createRelyingParty(on.server, 'no-openid').signIn((await signedInReader(on.server)).browser, {
    scope: 'email',
  });
  t.false('id_token' in noOpenid);
  const narrow = await on.first.userinfo(noOpenid.access_token);
  t.is(narrow.status, 403);
  t.regex(String(narrow.headers['www-authenticate']), /error="insufficient_scope"/);
});

test('security 112: a JWT access token is typed, short-lived and names its client; each token works in its own place only', async (t) => {
  const { account, browser } = await fullReader(on.server);
  const { tokens, id } = await completeFlow(jwt, browser, { scope: 'openid email profile' });
  const { header, payload } = verifyJws(tokens.access_token, await fetchJwks(jwt));
  t.is(header['typ'], 'at+jwt');
  t.deepEqual(
    [
      payload['iss'],
      payload['aud'],
      payload['client_id'],
      payload['sub'],
      payload['email'],
      payload['given_name'],
      'name' in payload,
    ],
    [ISSUER, ISSUER, 'jwt', account.sub, account.email, 'Ada', false],
  );
  t.true(Number(payload['exp']) - Number(payload['iat']) <= 900 && typeof payload['jti'] === 'string');
  t.not(id.header['typ'], 'at+jwt');
  t.is((await jwt.userinfo(tokens.id_token)).status, 401);
  t.is(
    (await jwt.authorize(browser, { prompt: 'none', id_token_hint: tokens.access_token })).answer?.get('error'),
    'invalid_request',
  );
});

test('security 115, RFC 7662 §2.1: introspection answers its entitled client, and everybody else {"active":false} and no more', async (t) => {
  const { account, browser } = await signedInReader(on.server);
  const { tokens } = await completeFlow(on.first, browser, { scope: 'openid email' });
  const ask = (rp: typeof on.first, token: string) => rp.post('/oauth/introspect', { token });
  const answer = (await ask(on.first, tokens.access_token)).json();
  t.deepEqual(Object.keys(answer).sort(), [
    'active',
    'aud',
    'client_id',
    'exp',
    'iat',
    'iss',
    'scope',
    'sub',
    'token_type',
  ]);
  t.deepEqual([answer.active, answer.sub, answer.client_id, answer.iss], [true, account.sub, 'first', ISSUER]);
  for (const token of [tokens.access_token, tokens.refresh_token ?? ''])
    t.is((await ask(on.second, token)).text, '{"active":false}');
  for (const token of ['garbage', tokens.id_token, createTaggedToken('cwa'), 'a.b.c'])
    t.is((await ask(on.first, token)).text, '{"active":false}');
  t.is(
    (
      await on.first.machine.ask(`${ISSUER}/oauth/introspect`, {
        method: 'POST',
        cookies: null,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: `token=${tokens.access_token}`,
      })
    ).status,
    401,
  );
  checkTokenError(await ask(on.public, tokens.access_token), 'invalid_client');
});

test('security 114: revocation: a refresh token takes its family along, a foreign token stays, an unknown one is fine', async (t) => {
  const { tokens } = await completeFlow(on.first, (await signedInReader(on.server)).browser);
  const revoke = (rp: typeof on.first, token: string) => rp.post('/oauth/revoke', { token });
  t.is((await revoke(on.second, tokens.refresh_token ?? '')).status, 200);
  t.is((await revoke(on.second, tokens.access_token)).status, 200);
  t.is((await on.first.userinfo(tokens.access_token)).status, 200, 'not theirs to revoke');
  t.is((await revoke(on.first, 'unknown')).status, 200);
  const refreshed = (await on.first.refresh(tokens.refresh_token ?? '')).json();
  t.is((await revoke(on.first, tokens.access_token)).status, 200);
  t.is((await on.first.userinfo(tokens.access_token)).status, 401);
  t.is((await on.first.userinfo(refreshed.access_token)).status, 200);
  t.is((await revoke(on.first, refreshed.refresh_token)).status, 200);
  t.is((await on.first.userinfo(refreshed.access_token)).status, 401);
  checkTokenError(await on.first.refresh(refreshed.refresh_token), 'invalid_grant');
  t.is(
    (
      await on.first.machine.ask(`${ISSUER}/oauth/revoke`, {
        method: 'POST',
        cookies: null,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'token=x',
      })
    ).status,
    401,
  );
});

test('security 122: nonce iff it was sent, auth_time, at_hash, sid; profile and email only at userinfo, or when asked for by claims', async (t) => {
  const { account, browser } = await fullReader(on.server);
  const plain = await completeFlow(on.first, browser, { scope: 'openid email profile', max_age: '1000' });
  t.deepEqual(
    ['email', 'name'].map((claim) => claim in plain.id.payload),
    [false, false],
  );
  t.deepEqual(
    ['auth_time', 'sid', 'at_hash', 'nonce'].map((claim) => claim in plain.id.payload),
    [true, true, true, true],
  );
  const tokens = await on.first.signIn(browser, {
    claims: JSON.stringify({ id_token: { email: null } }),
    nonce: undefined,
  });
  t.is(peek(tokens.id_token)['email'], account.email);
  t.false('nonce' in peek(tokens.id_token));
});

test('security 123: sub is the same for every client and after changes, and never comes back after deletion', async (t) => {
  const account = await on.server.makeAccount();
  const enter = async () => {
    const browser = on.server.browser();
    return { browser, done: await completeFlow(on.first, browser, {}, { account }) };
  };
  const { browser, done } = await enter();
  const sub = done.id.payload['sub'];
  t.is((await completeFlow(on.second, browser)).id.payload['sub'], sub);
  await on.server.services.db.builder('accounts').where({ id: account.id }).update({ name: 'Renamed' });
  t.is((await completeFlow(on.first, browser)).id.payload['sub'], sub);
  await on.server.services.db.builder('accounts').where({ id: account.id }).delete();
  t.is((await on.first.userinfo(done.tokens.access_token)).status, 401);
  const again = await on.server.makeAccount({ email: account.email, password: PASSWORD });
  t.not(again.sub, sub);
  t.not((await enter()).done.id.payload['sub'], sub);
});

test('security 119, 125: the published set is clean; database and log hold no private key in the clear', async (t) => {
  await completeFlow(jwt, (await signedInReader(on.server)).browser);
  await fetchJwks(jwt);
  const { rows } = await on.server.services.db.builder.raw('select signing_keys::text as row from signing_keys');
  for (const text of [JSON.stringify(rows), on.server.lines.join('\n')]) {
    t.notRegex(text, /PRIVATE KEY/);
    t.notRegex(text, /\\?"d\\?":/);
  }
  t.is(rows.length, 3);
});

test('security 124: every advertised endpoint answers as its specification says, and what is not advertised does not work', async (t) => {
  const metadata = (await on.first.get('/.well-known/openid-configuration')).json();
  t.deepEqual((await on.first.get('/.well-known/oauth-authorization-server')).json(), metadata);
  const post = (url: string) =>
    send(on.server.port, url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: '',
    });
  for (const name of ['token', 'introspection', 'revocation', 'pushed_authorization_request'])
    t.is((await post(metadata[`${name}_endpoint`])).json().error, 'invalid_client', name);
  t.is((await send(on.server.port, metadata.authorization_endpoint)).status, 400);
  t.is((await send(on.server.port, metadata.userinfo_endpoint)).status, 401);
  t.is((await send(on.server.port, metadata.end_session_endpoint)).status, 303);
  for (const path of ['/oauth/device_authorization', '/oauth/check_session', '/oauth/logout', '/.well-known/webfinger'])
    t.is((await send(on.server.port, `${ISSUER}${path}`)).status, 404, path);
  if (!('registration_endpoint' in metadata)) t.is((await post(`${ISSUER}/oauth/register`)).status, 404);
  const { browser } = await signedInReader(on.server);
  for (const mode of ['fragment', 'query.jwt', 'web_message'])
    t.is((await on.first.authorize(browser, { response_mode: mode })).answer?.get('error'), 'invalid_request');
  for (const type of ['id_token', 'token', 'code id_token']) {
    const { to, answer } = await on.first.authorize(browser, { response_type: type });
    t.is(answer?.get('error'), 'unsupported_response_type');
    t.false(to?.includes('#'));
  }
  for (const prompt of metadata.prompt_values_supported)
    t.not((await on.first.authorize(browser, { prompt })).answer?.get('error'), 'invalid_request', prompt);
});
