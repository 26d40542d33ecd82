// The rules K1-K7 that the published client's code imposes on a server (reference §4), a row each.

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { UNLIMITED_YAML } from '../support/raw.ts';
import { landingOf, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { startFronts } from './client.ts';
import { NEWS } from './wire.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML.replace('id: shop', 'id: "51"') });
const fronts = await startFronts(server);
test.after.always(() => fronts.close());
test.after.always(() => server.close());
const LANDING = landingOf('news');
const STORY = `${NEWS}/story`;

/** Where a reader who is signed in on the auth domain ends, and whether as somebody. */
async function arriveFrom(callback: string, kind: 'authorize' | 'auto-sso' = 'authorize', isSignedIn = true) {
  const browser = isSignedIn ? (await signedInBrowser(server, ['auth'])).browser : server.browser();
  const { client } = fronts.clientOf(browser, 'news');
  const make = kind === 'authorize' ? client.getOauthAuthorizeUrl : client.getAutoSSOUrl;
  const url = make('news', LANDING, callback);
  const arrived = await browser.follow(`${NEWS}${url}`, { from: NEWS });
  return { url, end: arrived.hops.at(-1), me: (await browser.me(NEWS)).status };
}

test('K1: every answer but that of logout is JSON, errors and rows that do not exist included', async (t) => {
  const { client, sent } = fronts.clientOf(server.browser(), 'news');
  const official = client as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>;
  const rows = [
    ['currentUser'],
    ['register', {}],
    ['login', {}],
    ['sendOtp', { email: 'a@example.com' }],
    ['updateUserProfile', {}],
    ['forgotPassword', { email: 'a@example.com' }],
    ['resetPasswordWithToken', { token: 'x' }],
    ['resetPassword', { email: 'a@example.com', otp: '12345', 'new-password': PASSWORD }],
    ['sendVerificationLink', 'a@example.com', '/'],
    ['oauthAuthorize', 'nobody', LANDING, STORY, true],
    ['oauthAuthorize', 'nobody', LANDING, STORY],
  ] as const;
  for (const [name, ...values] of rows) {
    const answer = await official[name]?.(...values);
    t.true(typeof answer === 'object' && answer !== null && !(answer instanceof Error), `${name}: ${String(answer)}`);
    t.is(
      typeof (answer as Record<string, unknown>)['message'] === 'string' ||
        typeof (answer as { error?: { message?: string } }).error?.message === 'string',
      true,
      name,
    );
  }
  t.is(sent.length, rows.length);
  for (const { path, contentType } of sent) t.is(contentType, 'application/json; charset=utf-8', path);
});

test('K2: an error carries its message at the top and inside error, and a success has no error key', async (t) => {
  const account = await server.makeAccount();
  const { client } = fronts.clientOf(server.browser(), 'news');
  for (const failed of [
    await client.currentUser(),
    await client.login({ email: account.email, password: 'wrong' }),
    await client.register({}),
    await client.updateUserProfile({}),
  ]) {
    const { message, error } = failed as { message: string; error: { message: string } };
    t.true(message.length > 0);
    t.is(error.message, message);
  }
  for (const done of [
    await client.login({ email: account.email, password: PASSWORD }),
    await client.currentUser(),
    await client.updateUserProfile({ name: 'Ada' }),
  ]) {
    t.false('error' in done);
    t.truthy(done['user']);
  }
});

test('K3: register of an address that has an account resolves to exactly “User Already exists” and no user', async (t) => {
  const email = `${randomBytes(6).toString('hex')}@example.com`;
  const body = { name: 'Reader', email, username: email, password: PASSWORD, 'dont-login': false };
  t.truthy((await fronts.clientOf(server.browser(), 'news').client.register(body))['user']);
  const { client, sent } = fronts.clientOf(server.browser(), 'news');
  const answer = await client.register(body);
  t.is(sent[0]?.status, 409);
  t.is(answer['message'], 'User Already exists');
  t.false('user' in answer);
  t.is((await client.currentUser())['user'], undefined);
});

test('K4: an unencoded & in callback_uri leaves stray parameters, which are ignored', async (t) => {
  const { url, end, me } = await arriveFrom(`${STORY}?a=1&b=2&utm_source=mail&page=3`);
  t.true(url.includes('callback_uri=http://news.test.localhost/story?a=1&b=2&'), 'sent as it is');
  t.is(end, `${STORY}?a=1`);
  t.is(me, 200);
});

test('K4: an unencoded # in callback_uri cuts response_type off, and the reader arrives all the same', async (t) => {
  const { url, end, me } = await arriveFrom(`${STORY}?a=1#comments`);
  t.true(url.endsWith('#comments&response_type=code'));
  t.is(end, `${STORY}?a=1`);
  t.is(me, 200);
  const silent = await arriveFrom(`${STORY}#comments`, 'auto-sso');
  t.deepEqual([silent.end, silent.me], [STORY, 200]);
});

test('K4: the same strays are ignored when a script asks', async (t) => {
  const { browser } = await signedInBrowser(server);
  const { client } = fronts.clientOf(browser, 'auth');
  const answer = (await client.oauthAuthorize('news', LANDING, `${STORY}?a=1&b=2`, true)) as Record<string, string>;
  t.is(new URL(String(answer['redirect_uri'])).searchParams.get('callback_uri'), `${STORY}?a=1`);
});

test('K4: an unencoded # cuts allow_ajax off as well: a script on the auth domain gets a message, and no code is minted', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  const { client, sent } = fronts.clientOf(browser, 'auth');
  const answer = (await client.oauthAuthorize('news', LANDING, `${STORY}#comments`, true)) as Record<string, unknown>;
  t.is(sent[0]?.status, 403);
  t.is(typeof answer['message'], 'string');
  t.is(answer['redirect_uri'], undefined);
  t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
});

test('K5: ?logged_in=false is stripped by the client alone, and what follows it is a stray', async (t) => {
  t.deepEqual((await arriveFrom(`${STORY}?logged_in=false`)).end, STORY);
  const first = await arriveFrom(`${STORY}?logged_in=false&x=1`);
  t.true(first.url.includes('/story&x=1&'));
  t.deepEqual([first.end, first.me], [STORY, 200]);
});

test('K5: a leftover logged_in=false on the request itself is ignored, by authorize and by auto-sso', async (t) => {
  for (const kind of ['authorize', 'auto-sso'] as const) {
    const { url, end, me } = await arriveFrom(`${STORY}?x=1&logged_in=false`, kind);
    t.true(url.includes('?x=1&logged_in=false&response_type'));
    t.deepEqual([end, me], [`${STORY}?x=1`, 200], kind);
  }
  const nobody = await arriveFrom(`${STORY}?x=1&logged_in=false`, 'auto-sso', false);
  t.is(nobody.end, `${STORY}?x=1&logged_in=false`);
});

test('K6: client_id may be a number, callback_uri may be absent, phone-number may be a JSON number', async (t) => {
  const shop = originOf('shop');
  const { browser } = await signedInBrowser(server, ['auth']);
  const { client } = fronts.clientOf(browser, 'shop');
  const arrived = await browser.follow(`${shop}${client.getOauthAuthorizeUrl(51, landingOf('shop'), `${shop}/x`)}`, {
    from: shop,
  });
  t.is(arrived.hops.at(-1), `${shop}/x`);
  const oldest = client.getOauthAuthorizeUrl(51, landingOf('shop'), '').replace('&callback_uri=', '');
  t.is((await browser.follow(`${shop}${oldest}`, { from: shop })).hops.at(-1), `${shop}/`);
  const empty = client.getOauthAuthorizeUrl(51, landingOf('shop'), '');
  t.is((await browser.follow(`${shop}${empty}`, { from: shop })).hops.at(-1), `${shop}/`);
  const { user } = (await client.updateUserProfile({ 'phone-number': 919876543210 })) as {
    user: Record<string, unknown>;
  };
  t.is(user['phone-number'], '919876543210');
});
