import test from 'ava';
import { send } from '../support/browser.ts';
import { UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { API, AUTH, isCleared, isFailure, isJson, isSuccess, NEWS, plainUser, USER_KEYS } from './wire.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const ME = `${NEWS}${API}/users/me`;
const NOT_SIGNED_IN = 'Not signed in: neither the qt-auth cookie nor the X-QT-AUTH header carries a live session.';

test('contract §2: users/me of a signed-in reader has exactly user, active-sessions-count and source', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  const answer = await browser.fetch(ME);
  const body = isSuccess(t, answer);
  t.deepEqual(body, { user: plainUser(account), 'active-sessions-count': 1, source: 'bridgekeeper' });
  t.is(answer.text, JSON.stringify({ user: plainUser(account), 'active-sessions-count': 1, source: 'bridgekeeper' }));
  t.deepEqual(answer.cookies, []);
});

test('contract §2: in user absent values are null, ids are numbers and times are numbers of milliseconds', async (t) => {
  const { browser } = await signedInBrowser(server);
  const before = Date.now();
  const { user } = (await browser.fetch(ME)).json();
  t.deepEqual(Object.keys(user), USER_KEYS);
  for (const key of USER_KEYS) t.not(user[key], undefined, key);
  t.true(Number.isSafeInteger(user.id) && user.id > 0);
  for (const key of ['created-at', 'updated-at']) {
    t.true(Number.isSafeInteger(user[key]), key);
    t.true(Math.abs(user[key] - before) < 3_600_000, `${key} counts milliseconds`);
  }
  t.is(user['is-tfa-enabled'], false);
});

test('contract §2: users/me says how many sessions of the account are live', async (t) => {
  const account = await server.makeAccount();
  const [first, second] = [server.browser(), server.browser()];
  const body = { email: account.email, password: 'a long enough password' };
  await first.post(`${NEWS}${API}/login`, body);
  t.is((await second.post(`${NEWS}${API}/login`, body)).json()['active-sessions-count'], 2);
  t.is((await first.fetch(ME)).json()['active-sessions-count'], 2);
  await second.fetch(`${NEWS}${API}/logout`);
  t.is((await first.fetch(ME)).json()['active-sessions-count'], 1);
});

test('contract §2: users/me without a credential is 401 with one exact body and clears nothing', async (t) => {
  const answer = await send(server.port, ME);
  isFailure(t, answer, 401, NOT_SIGNED_IN);
  t.is(answer.text, `{"message":"${NOT_SIGNED_IN}","error":{"message":"${NOT_SIGNED_IN}"}}`);
  t.deepEqual(answer.cookies, []);
});

test('contract §2: a dead qt-auth is cleared in the same 401', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const Cookie = String(session.cookies['news']);
  await browser.fetch(`${NEWS}${API}/logout`);
  for (const dead of [Cookie, 'qt-auth=nonsense', Cookie.split(';', 1)[0] ?? '']) {
    const answer = await send(server.port, ME, { headers: { Cookie: dead } });
    isFailure(t, answer, 401, NOT_SIGNED_IN);
    isCleared(t, answer);
  }
});

test('contract §2: the header carries the same token as the cookie, in any letter case of its name', async (t) => {
  const { account, session } = await signedInBrowser(server);
  const token = String(session.credentials['news']?.token);
  for (const name of ['x-qt-auth', 'X-QT-AUTH', 'X-Qt-Auth']) {
    const answer = await send(server.port, ME, { headers: { [name]: token } });
    t.deepEqual(isSuccess(t, answer)['user'], plainUser(account));
  }
  const elsewhere = await send(server.port, `${AUTH}${API}/users/me`, { headers: { 'x-qt-auth': token } });
  isFailure(t, elsewhere, 401, NOT_SIGNED_IN);
});

test('contract §2: unknown parameters and an unusual Accept change nothing, and JSON is not negotiated away', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  for (const Accept of ['*/*', 'text/html', 'application/xml', 'application/json']) {
    const answer = await browser.fetch(`${ME}?_=1700000000&qt-auth=x&x[]=%ff`, { headers: { Accept } });
    t.deepEqual(isSuccess(t, answer)['user'], plainUser(account));
  }
});

test('contract §2: DELETE users/me erases the account with exactly a message, and every session ends', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const answer = await browser.fetch(ME, { method: 'DELETE' });
  t.deepEqual(isSuccess(t, answer), { message: 'The account has been deleted.' });
  isCleared(t, answer);
  const Cookie = String(session.cookies['auth']);
  isFailure(t, await send(server.port, `${AUTH}${API}/users/me`, { headers: { Cookie } }), 401, NOT_SIGNED_IN);
  const again = await server
    .browser()
    .post(`${NEWS}${API}/login`, { email: account.email, password: 'a long enough password' });
  isFailure(t, again, 401, 'The e-mail address or user name and the password do not match.');
});

test('contract §2: DELETE users/me without a session is 401', async (t) => {
  isFailure(t, await send(server.port, ME, { method: 'DELETE' }), 401, NOT_SIGNED_IN);
});

test('contract §2: every refusal below the prefix is JSON with the message in both places', async (t) => {
  const json = { 'Content-Type': 'application/json' };
  const cases: [string, string, { headers?: Record<string, string>; body?: string }, number][] = [
    ['GET', '/no/such/thing', {}, 404],
    ['GET', '/users/me/', {}, 404],
    ['GET', '/Users/Me', {}, 404],
    ['PUT', '/users/me', {}, 405],
    ['GET', '/signup', {}, 405],
    ['DELETE', '/login', {}, 405],
    ['POST', '/login', { headers: json, body: '{' }, 400],
    ['POST', '/login', { headers: json, body: '[]' }, 400],
    ['POST', '/login', { headers: json }, 400],
    ['POST', '/login', { headers: { 'Content-Type': 'text/plain' }, body: '{}' }, 415],
    ['POST', '/login', { headers: { ...json, Origin: 'https://evil.test' }, body: '{}' }, 403],
    ['POST', '/signup', { headers: json, body: JSON.stringify({ name: 'x'.repeat(200_000) }) }, 413],
    ['POST', '/users/profile', { headers: json, body: '{}' }, 401],
    ['GET', '/sessions', {}, 401],
    ['GET', '/events', {}, 401],
  ];
  for (const [method, path, more, status] of cases) {
    isFailure(t, await send(server.port, `${NEWS}${API}${path}`, { method, ...more }), status);
  }
});

test('contract §1: an unknown host is refused in JSON, and a known one is found whatever its letter case', async (t) => {
  const unknown = await send(server.port, `http://nobody.test.localhost${API}/users/me`);
  isFailure(t, unknown, 421);
  const shouted = await send(server.port, ME, { headers: { Host: HOSTS.news.toUpperCase() } });
  isFailure(t, shouted, 401, NOT_SIGNED_IN);
});

test('contract §2: reauth_required is a 403 that names its code besides the message', async (t) => {
  const yaml = UNLIMITED_YAML.replace('signup: open', 'reauth_window: 1s, signup: open');
  const strict = await startTestServer({ yaml });
  try {
    const { browser } = await signedInBrowser(strict);
    await strict.database.moveClock(5);
    const answer = await browser.fetch(ME, { method: 'DELETE' });
    const { message, error } = isJson(t, answer, 403);
    t.deepEqual(error, { message, code: 'reauth_required' });
    t.is((await browser.fetch(ME)).status, 200, 'the account is still there');
  } finally {
    await strict.close();
  }
});
