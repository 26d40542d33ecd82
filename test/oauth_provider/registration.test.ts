// Dynamic client registration at the running server (RFC 7591), and the page before the redirects of such a client.

import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:net';
import test from 'ava';
import { createTaggedToken } from '../../server/lib/token.ts';
import { makeInitialToken } from '../../server/oauth/oauth.ts';
import { send } from '../support/browser.ts';
import { startConformance } from '../support/conformance.ts';
import {
  createRelyingParty,
  decodeHtml,
  encode,
  ISSUER,
  makePkce,
  signedInReader,
  walk,
} from '../support/relying_party.ts';
import { HOSTS } from '../support/server.ts';

const on = await startConformance();
const { server } = on;
await server.apply(
  `realms: [{ slug: test, auth_domain: ${HOSTS.auth}, settings: { dynamic_registration: on }, clients: [] }]`,
);
await server.apply('realms: [{ slug: other, auth_domain: auth.other.localhost, clients: [] }]');
test.after.always(() => server.close());

const CALLBACK = 'https://dyn.example/cb';
const KEY = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'd1' };
const newToken = async (uses = 1, ttlSeconds = 3600, slug = 'test') =>
  makeInitialToken(server.services.db, { realmId: (await server.realm(slug)).id, uses, ttlSeconds });
const register = (
  token: string | null,
  metadata: unknown,
  more: { origin?: string; headers?: Record<string, string> } = {},
) =>
  send(server.port, `${more.origin ?? ISSUER}/oauth/register`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(token !== null && { Authorization: `Bearer ${token}` }),
      ...more.headers,
    },
    body: typeof metadata === 'string' ? metadata : JSON.stringify(metadata),
  });
const usesLeft = async (token: string) => {
  const row = await server.services.db
    .builder('initial_access_tokens')
    .where({ token_hash: createHash('sha256').update(token).digest() })
    .first('uses_left');
  return row?.uses_left as number | undefined;
};

test('security 178: registration is off by default: 404 even with a token of the realm, and not in its metadata', async (t) => {
  const answer = await register(
    await newToken(1, 60, 'other'),
    { redirect_uris: [CALLBACK] },
    { origin: 'http://auth.other.localhost' },
  );
  t.is(answer.status, 404);
  t.false(
    'registration_endpoint' in
      (await send(server.port, 'http://auth.other.localhost/.well-known/openid-configuration')).json(),
  );
});

test('OpenID Connect Discovery §3: a realm that takes registrations names the endpoint', async (t) => {
  t.is(
    (await on.first.get('/.well-known/openid-configuration')).json().registration_endpoint,
    `${ISSUER}/oauth/register`,
  );
});

test('security 178: without an initial access token, with a wrong one, or one of another realm, 401 with a Bearer challenge', async (t) => {
  const none = await register(null, { redirect_uris: [CALLBACK] });
  t.is(none.status, 401);
  t.is(none.headers['www-authenticate'], 'Bearer');
  for (const token of ['x', createTaggedToken('cwi'), await newToken(1, 60, 'other')]) {
    const answer = await register(token, { redirect_uris: ['javascript:alert(1)'] });
    t.is(answer.status, 401);
    t.is(answer.headers['www-authenticate'], 'Bearer error="invalid_token"');
    t.is(answer.json().error, 'invalid_token');
  }
});

test('RFC 7591 §3.2.1: the answer has the client, its secret and what was registered, and is not stored by caches', async (t) => {
  const token = await newToken();
  const answer = await register(token, {
    redirect_uris: [CALLBACK],
    client_name: 'Dyn Site',
    scope: 'email openid admin',
    grant_types: ['authorization_code', 'refresh_token'],
    contacts: ['a@dyn.example'],
  });
  t.is(answer.status, 201, answer.text);
  t.is(answer.headers['cache-control'], 'no-store');
  const { client_id, client_secret, client_id_issued_at, ...rest } = answer.json();
  t.true(Math.abs(client_id_issued_at - Date.now() / 1000) < 60);
  t.deepEqual(rest, {
    client_secret_expires_at: 0,
    redirect_uris: [CALLBACK],
    client_name: 'Dyn Site',
    response_types: ['code'],
    subject_type: 'public',
    scope: 'openid email',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    id_token_signed_response_alg: 'RS256',
  });
  const row = await server.services.db.builder('clients').where({ client_id }).first();
  t.false(JSON.stringify(row).includes(client_secret));
  t.is(row.secret_hashes.length, 1);
  const event = await server.services.db.builder('audit_events').where({ client_id }).first();
  t.is(event.type, 'client.registered');
  t.false(server.lines.join('').includes(client_secret) || server.lines.join('').includes(token));
});

test('security 178: what an operator alone may grant is ignored: the client is a third party that asks for consent and needs PKCE', async (t) => {
  const wish = {
    kind: 'first-party',
    consent: 'implied',
    require_pkce: false,
    is_dynamic: false,
    userinfo_mapping: '{a: user.sub}',
    verification: {},
    pushback: {},
    access_token: { format: 'jwt', claims: ['email'], audience: 'https://other.example' },
    scopes: ['admin'],
    domain: HOSTS.news,
    secret: 'x'.repeat(40),
    client_id: 'first',
    client_secret: 'y'.repeat(40),
  };
  const answer = await register(await newToken(), { redirect_uris: [CALLBACK], ...wish });
  t.is(answer.status, 201);
  const { client_id, client_secret } = answer.json();
  t.not(client_id, 'first');
  t.not(client_secret, wish.client_secret);
  const client = await server.services.clients.find((await server.realm()).id, client_id);
  t.is(client?.kind, 'third-party');
  const { consent, require_pkce, is_dynamic, userinfo_mapping, verification, pushback, access_token } =
    client!.protocol;
  t.deepEqual(
    { consent, require_pkce, is_dynamic, userinfo_mapping, verification, pushback, access_token },
    {
      consent: 'ask',
      require_pkce: true,
      is_dynamic: true,
      userinfo_mapping: undefined,
      verification: undefined,
      pushback: undefined,
      access_token: { format: 'opaque', claims: [] },
    },
  );
});

test('security 23, 178: a redirect URI with a fragment is answered invalid_redirect_uri and takes no use of the token', async (t) => {
  const token = await newToken();
  const answer = await register(token, { redirect_uris: ['https://dyn.example/cb#x'] });
  t.is(answer.status, 400);
  t.is(answer.json().error, 'invalid_redirect_uri');
  t.is(await usesLeft(token), 1, 'a refused request takes no use');
});

test('RFC 7591 §3.1: a body that is no JSON object, or a form, registers nothing', async (t) => {
  const token = await newToken();
  for (const body of ['[]', '{', '"x"', '{"redirect_uris":[],"redirect_uris":[]}'])
    t.is((await register(token, body)).status, 400, body);
  t.is(
    (
      await register(token, encode({ redirect_uris: CALLBACK }), {
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      })
    ).status,
    415,
  );
  t.is(await usesLeft(token), 1);
});

test('RFC 7591 §3.2.1: a public client and one with a key get no secret', async (t) => {
  const token = await newToken(2);
  for (const more of [
    { token_endpoint_auth_method: 'none' },
    { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [KEY] } },
  ]) {
    const answer = await register(token, { redirect_uris: [CALLBACK], ...more });
    t.is(answer.status, 201, answer.text);
    t.false('client_secret' in answer.json() || 'client_secret_expires_at' in answer.json());
  }
});

test('security 178: parallel registrations cannot share the last use of a token', async (t) => {
  const token = await newToken(3);
  const answers = await Promise.all(Array.from({ length: 10 }, () => register(token, { redirect_uris: [CALLBACK] })));
  t.deepEqual(answers.map(({ status }) => status).sort(), [201, 201, 201, ...Array(7).fill(401)]);
  t.is(await usesLeft(token), 0);
});

test('RFC 7591 §3: a registered client signs a reader in, with PKCE and after consent', async (t) => {
  const { client_id, client_secret } = (
    await register(await newToken(), { redirect_uris: [CALLBACK], client_name: 'Flow Site' })
  ).json();
  const rp = createRelyingParty(server, client_id, { redirectUri: CALLBACK, secret: client_secret });
  const { browser } = await signedInReader(server);
  const pkce = makePkce();
  const outcome = await rp.authorize(browser, pkce.request);
  t.deepEqual(outcome.pages, ['consent']);
  const tokens = await rp.redeem(outcome.answer?.get('code'), { code_verifier: pkce.verifier });
  t.is(tokens.status, 200, tokens.text);
  t.is((await rp.userinfo(tokens.json().access_token)).status, 200);
});

test('security 176: markup in the name of a registered client is text on the consent page, and no picture or page that it names is shown or fetched', async (t) => {
  let connections = 0;
  const sink = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const elsewhere = `http://127.0.0.1:${(sink.address() as { port: number }).port}`;
  const registered = await register(await newToken(), {
    redirect_uris: [CALLBACK],
    client_name: '<script>alert(1)</script>"><img src=x>',
    logo_uri: `${elsewhere}/logo.png`,
    policy_uri: 'javascript:alert(1)',
    tos_uri: `${elsewhere}/terms`,
  });
  t.is(registered.status, 201, registered.text);
  for (const member of ['logo_uri', 'policy_uri', 'tos_uri']) t.false(member in registered.json(), member);
  const { client_id, client_secret } = registered.json();
  const rp = createRelyingParty(server, client_id, { redirectUri: CALLBACK, secret: client_secret });
  const { browser } = await signedInReader(server);
  const { last } = await rp.authorize(browser, makePkce().request, { isStoppedBy: 'consent' });
  t.true(last.text.includes('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=x&gt;'), last.text);
  t.notRegex(last.text, /<script>alert|<img|javascript:/);
  t.false(last.text.includes(elsewhere));
  await new Promise((resolve) => sink.close(resolve));
  t.is(connections, 0);
});

test('security 26: an error of a registered client is a page with a link before the reader has done anything, and a redirect after', async (t) => {
  const { client_id, client_secret } = (
    await register(await newToken(), { redirect_uris: [CALLBACK], client_name: 'Phishing' })
  ).json();
  const rp = createRelyingParty(server, client_id, { redirectUri: CALLBACK, secret: client_secret });
  const { browser, account } = await signedInReader(server);
  const pkce = makePkce().request;
  for (const [who, changes] of [
    [server.browser(), { prompt: 'none', ...pkce }],
    [server.browser(), { response_type: 'token' }],
    [browser, { prompt: 'none', ...pkce }],
    [browser, { response_type: 'token' }],
  ] as const) {
    const { last, answer } = await rp.authorize(who, { ...changes, state: 'S' });
    t.is(answer, null);
    t.is(last.status, 400);
    const link = new URL(decodeHtml(/<a class="button primary" href="(https:[^"]*)"/.exec(last.text)?.[1] ?? ''));
    t.is(`${link.origin}${link.pathname}`, CALLBACK);
    t.is(link.searchParams.get('state'), 'S');
    t.is(link.searchParams.get('iss'), ISSUER);
    t.truthy(link.searchParams.get('error'));
    t.true(last.text.includes('dyn.example'));
  }
  const denied = await walk(browser, rp.urlOf(rp.request(pkce)), { consent: 'deny' });
  t.is(denied.answer?.get('error'), 'access_denied');
  const essential = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:x:never' } } });
  const after = await walk(server.browser(), rp.urlOf(rp.request({ ...pkce, claims: essential })), { account });
  t.deepEqual(after.pages, ['login']);
  t.is(after.answer?.get('error'), 'unmet_authentication_requirements');
  t.is(
    (await on.first.authorize(server.browser(), { prompt: 'none' })).answer?.get('error'),
    'login_required',
    'a client of the operator is redirected to',
  );
});
