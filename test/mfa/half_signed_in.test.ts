import test from 'ava';
import { authorizeUrl, type Browser } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { API, codeOf, enrolledAccount, passFirst, sendCode } from './setup.ts';

const THIRD = `
      - { id: chat, kind: third-party, name: Chat, secret: a-secret-of-the-chat-0123456789abcdef, redirect_uris: [https://chat.example/cb] }
`;
const server = await startTestServer({ yaml: REALM_YAML.trimEnd() + THIRD });
test.after.always(() => server.close());
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];

/** A browser that has passed the first factor on the auth domain and on a site, and nothing more. */
async function halfSignedIn() {
  const enrolled = await enrolledAccount(server);
  const browser = server.browser();
  await passFirst(browser, enrolled.account, 'auth');
  await passFirst(browser, enrolled.account, 'news');
  return { ...enrolled, browser };
}
const noSession = (browser: Browser) =>
  [...browser.jars.values()].every((jar) => !jar.has('qt-auth') && !jar.has('__Host-qt-auth'));

test('security 17: half signed in, the authorization endpoint of the sites asks for a sign-in, by navigation, script and silently', async (t) => {
  const { browser } = await halfSignedIn();
  const query = { redirect_uri: `${NEWS}${API}/oauth/token` };
  const plain = await browser.navigate(authorizeUrl(AUTH, 'news', `${NEWS}/`, query), { from: NEWS });
  t.true(plain.location?.startsWith(`${AUTH}/login?`), String(plain.location));
  const ajax = await browser.fetch(authorizeUrl(AUTH, 'news', `${NEWS}/`, { ...query, allow_ajax: 'true' }));
  t.false(ajax.text.includes('code='), ajax.text);
  const silent = await browser.navigate(
    authorizeUrl(AUTH, 'news', `${NEWS}/`, query, `${API}/oauth/auto-sso/authorize`),
    { from: NEWS },
  );
  t.true(silent.location?.includes('logged_in=false'), String(silent.location));
  t.true(noSession(browser));
  t.is(await countRows(server, 'authorization_codes', {}), 0);
});

test('security 17: half signed in, OpenID Connect prompt=none is login_required and a plain request asks for a sign-in', async (t) => {
  const { browser } = await halfSignedIn();
  const url = (more: Record<string, string>) =>
    `${AUTH}/oauth/authorize?${new URLSearchParams({
      client_id: 'chat',
      redirect_uri: 'https://chat.example/cb',
      response_type: 'code',
      scope: 'openid',
      state: 's',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      ...more,
    })}`;
  const silent = await browser.navigate(url({ prompt: 'none' }));
  t.is(new URL(String(silent.location)).searchParams.get('error'), 'login_required');
  const plain = await browser.navigate(url({}));
  t.true(plain.location?.startsWith(`${AUTH}/login?`), String(plain.location));
});

const DOORS: [method: string, path: string, body?: unknown][] = [
  ['GET', '/users/me'],
  ['DELETE', '/users/me'],
  ['POST', '/users/profile', { name: 'Changed' }],
  ['POST', '/users/profile', { email: 'changed@example.com' }],
  ['POST', '/sessions/validate', {}],
  ['GET', '/sessions/validate'],
  ['GET', '/sessions'],
  ['DELETE', '/sessions?others=true'],
  ['DELETE', '/sessions/00000000-0000-7000-8000-000000000000'],
  ['GET', '/events'],
];
for (const [method, path, body] of DOORS) {
  test(`security 17: half signed in, ${method} ${path} ${body ? JSON.stringify(body) : ''} is as for anybody: 401`, async (t) => {
    const { account, browser } = await halfSignedIn();
    for (const site of [NEWS, AUTH]) {
      const url = `${site}${API}${path}`;
      const answer = body ? await browser.post(url, body) : await browser.fetch(url, { method });
      t.is(answer.status, 401, url);
    }
    t.like(await server.services.accounts.findById(server.services.db, account.id), {
      name: 'Test Reader',
      email: account.email,
    });
  });
}

test('security 17: the token of tfa-auth is no credential: not as qt-auth, not in the header', async (t) => {
  const { browser } = await halfSignedIn();
  const token = String(browser.jarOf(HOSTS.news).get('tfa-auth'));
  t.is((await browser.me(NEWS, { cookies: `qt-auth=${token}; __Host-qt-auth=${token}` })).status, 401);
  t.is((await browser.me(NEWS, { cookies: null, headers: { 'x-qt-auth': token } })).status, 401);
});

test('security 17: half signed in, signing out is no error, ends nothing of the account, and leaves the pages closed', async (t) => {
  const { account, browser } = await halfSignedIn();
  t.is((await browser.fetch(`${NEWS}${API}/logout`)).status, 204);
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'session.revoked' }), 0);
  for (const path of ['/oauth/consents']) {
    const page = await browser.navigate(`${AUTH}${path}`);
    t.true(page.status !== 200, path);
  }
});

test('security 171: a challenge counts only in the browser that passed the first factor, on the host where it did', async (t) => {
  const { account, secret, browser } = await halfSignedIn();
  const code = codeOf(secret);
  t.is((await sendCode(server.browser(), code)).status, 401, 'another jar');
  const token = String(browser.jarOf(HOSTS.news).get('tfa-auth'));
  t.is(
    (await sendCode(server.browser(), code, 'sports', { cookies: `tfa-auth=${token}` })).status,
    401,
    'another host',
  );
  const tossed = { cookies: `tfa-auth=${token}; tfa-auth=${browser.jarOf(HOSTS.auth).get('tfa-auth')}` };
  const twice = await sendCode(server.browser(), code, 'news', tossed);
  t.is(twice.status, 401, 'two of them are none');
  t.true(
    twice.cookies.some((line) => /^tfa-auth=;/.test(line)),
    'and both are cleared',
  );
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
  t.is((await sendCode(browser, code)).status, 200);
});

test('security 171: a challenge dies on success, and no other with it', async (t) => {
  const { secret, browser } = await halfSignedIn();
  const token = String(browser.jarOf(HOSTS.news).get('tfa-auth'));
  t.is((await sendCode(browser, codeOf(secret))).status, 200);
  const again = await sendCode(server.browser(), codeOf(secret, { steps: 1 }), 'news', {
    cookies: `tfa-auth=${token}`,
  });
  t.is(again.status, 401);
  t.is((await sendCode(browser, codeOf(secret, { steps: 1 }), 'auth')).status, 200, 'the other challenge is alive');
});

test('security 45: a new session at the second factor, and the one of another reader on this browser ends with it', async (t) => {
  const before = await server.makeAccount();
  const { account, secret } = await enrolledAccount(server);
  const browser = server.browser();
  await browser.post(`${NEWS}${API}/login`, { email: before.email, password: PASSWORD });
  const old = browser.cookieHeader(HOSTS.news);
  await passFirst(browser, account);
  t.is((await browser.me(NEWS)).json().user.email, before.email, 'nobody is signed out before the second factor');
  t.is((await sendCode(browser, codeOf(secret))).status, 200);
  t.is((await browser.me(NEWS)).json().user.email, account.email);
  t.is((await browser.me(NEWS, { cookies: old })).status, 401);
  t.is(await countRows(server, 'sessions', { account_id: before.id }), 0);
});
