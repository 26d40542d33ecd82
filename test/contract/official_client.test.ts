import { randomBytes } from 'node:crypto';
import test from 'ava';
import { UNLIMITED_YAML } from '../support/raw.ts';
import { landingOf, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { startFronts } from './client.ts';
import { API, AUTH, NEWS, plainUser } from './wire.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
const fronts = await startFronts(server);
test.after.always(() => fronts.close());
test.after.always(() => server.close());
const LANDING = landingOf('news');
const STORY = `${NEWS}/story`;

const follow = (browser: ReturnType<typeof server.browser>, path: string) =>
  browser.follow(`${NEWS}${path}`, { from: NEWS });

test('official client: login signs in by user name, e-mail and password, and currentUser tells who it is', async (t) => {
  const account = await server.makeAccount();
  const { client, sent } = fronts.clientOf(server.browser(), 'news');
  const answer = await client.login({ username: account.email, email: account.email, password: PASSWORD });
  t.deepEqual(answer, { user: plainUser(account), 'active-sessions-count': 1 });
  t.deepEqual(await client.currentUser(), { ...answer, source: 'bridgekeeper' });
  t.deepEqual(
    sent.map(({ method, path, status }) => `${method} ${path} ${status}`),
    [`POST ${API}/login 200`, `GET ${API}/users/me 200`],
  );
});

test('official client: a failed login has a message at the top and no user, and nobody is signed in', async (t) => {
  const account = await server.makeAccount();
  const { client, sent } = fronts.clientOf(server.browser(), 'news');
  const answer = await client.login({ username: '', email: account.email, password: 'not the password' });
  t.is(answer['message'], 'The e-mail address or user name and the password do not match.');
  t.is(answer['user'], undefined);
  t.is((await client.currentUser())['user'], undefined);
  t.deepEqual(
    sent.map(({ status }) => status),
    [401, 401],
  );
});

test('official client: currentUser of an anonymous reader resolves to error.message', async (t) => {
  const { client } = fronts.clientOf(server.browser(), 'news');
  const { error, user } = (await client.currentUser()) as { error: { message: string }; user?: unknown };
  t.regex(error.message, /qt-auth cookie.*X-QT-AUTH header/);
  t.is(user, undefined);
});

test('official client: register signs up and in, with dont-login it does not', async (t) => {
  const email = `${randomBytes(6).toString('hex')}@example.com`;
  const { client } = fronts.clientOf(server.browser(), 'news');
  const body = { name: 'New Reader', email, username: email, password: PASSWORD };
  const { user } = (await client.register({ ...body, 'dont-login': false })) as { user: Record<string, unknown> };
  t.is(user['email'], email);
  t.is(user['verification-status'], null);
  t.deepEqual((await client.currentUser())['user'], user);

  const second = fronts.clientOf(server.browser(), 'news').client;
  const other = { ...body, email: `x${email}`, username: `x${email}`, 'dont-login': true };
  t.is(((await second.register(other))['user'] as { email: string }).email, `x${email}`);
  t.is((await second.currentUser())['user'], undefined);
});

test('official client: updateUserProfile changes the profile and answers the user; signed out it answers error.message', async (t) => {
  const { browser, account } = await signedInBrowser(server);
  const { client } = fronts.clientOf(browser, 'news');
  const { user } = (await client.updateUserProfile({
    name: 'Ada',
    'phone-number': 4915112345678,
    email: account.email,
  })) as { user: Record<string, unknown> };
  t.like(user, { name: 'Ada', 'phone-number': '4915112345678', email: account.email });
  t.deepEqual((await client.currentUser())['user'], user);
  await client.logout();
  const refused = (await client.updateUserProfile({ name: 'Eve' })) as { error: { message: string } };
  t.is(typeof refused.error.message, 'string');
});

test('official client: logout resolves to a 204 and ends the session on every domain', async (t) => {
  const { browser } = await signedInBrowser(server);
  const { client } = fronts.clientOf(browser, 'news');
  t.is((await client.logout()).status, 204);
  t.false(browser.jarOf('news.test.localhost').has('qt-auth'));
  for (const site of [NEWS, AUTH]) t.is((await browser.me(site)).status, 401);
  t.is((await client.logout()).status, 204, 'and once more');
});

test('official client: oauthAuthorize by script on the auth domain gives the URL that signs the reader in on the site', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  // The flow starts on the site, so that its browser is known there.
  await browser.navigate(
    `${NEWS}${fronts.clientOf(browser, 'news').client.getOauthAuthorizeUrl('news', LANDING, STORY)}`,
  );
  const { client, sent } = fronts.clientOf(browser, 'auth');
  const answer = (await client.oauthAuthorize('news', LANDING, STORY, true)) as Record<string, string>;
  t.is(sent[0]?.status, 200);
  t.is(answer['redirect_uri'], answer['redirect_url']);
  t.true(String(answer['redirect_uri']).startsWith(`${LANDING}?code=`));
  const arrived = await browser.follow(String(answer['redirect_uri']), { from: AUTH });
  t.is(arrived.hops.at(-1), STORY);
  t.is((await browser.me(NEWS)).json().user.email, account.email);
});

test('official client: oauthAuthorize by script, signed out, gives the sign-in page that leads back to the site', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const answer = (await fronts.clientOf(browser, 'news').client.oauthAuthorize('news', LANDING, STORY, true)) as Record<
    string,
    string
  >;
  const page = await browser.follow(String(answer['redirect_uri']), { from: NEWS });
  t.is(page.status, 200);
  t.true(page.hops.at(-1)?.startsWith(`${AUTH}/login?client_id=news&`));
  const posted = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  const arrived = await browser.follow(new URL(String(posted.location), page.url).href, { from: page.url });
  t.is(arrived.hops.at(-1), STORY);
  t.is((await browser.me(NEWS)).json().user.email, account.email);
});

test('official client: oauthAuthorize that is refused resolves to an error_description without a redirect_uri', async (t) => {
  const { browser } = await signedInBrowser(server);
  const { client } = fronts.clientOf(browser, 'auth');
  const answer = (await client.oauthAuthorize('news', LANDING, 'https://evil.test/', true)) as Record<string, string>;
  t.deepEqual(Object.keys(answer), ['error', 'error_description', 'message']);
  t.is(answer['error'], 'invalid_request');
});

test('official client: the URL of getOauthAuthorizeUrl, followed to its end, signs the reader in where he was', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const { client } = fronts.clientOf(browser, 'news');
  const arrived = await follow(browser, client.getOauthAuthorizeUrl('news', LANDING, `${STORY}?p=1`));
  t.is(arrived.hops.at(-1), `${STORY}?p=1`);
  t.is(((await client.currentUser())['user'] as { email: string }).email, account.email);
});

test('official client: the URL of getAutoSSOUrl, followed to its end, signs in silently or says logged_in=false', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const { client } = fronts.clientOf(browser, 'news');
  const arrived = await follow(browser, client.getAutoSSOUrl('news', LANDING, STORY));
  t.is(arrived.hops.at(-1), STORY);
  t.is(((await client.currentUser())['user'] as { email: string }).email, account.email);

  const nobody = server.browser();
  const anonymous = fronts.clientOf(nobody, 'news').client;
  t.is((await follow(nobody, anonymous.getAutoSSOUrl('news', LANDING, STORY))).hops.at(-1), `${STORY}?logged_in=false`);
  t.is((await anonymous.currentUser())['user'], undefined);
});
