import { randomBytes } from 'node:crypto';
import test from 'ava';
import { send } from '../support/browser.ts';
import { exchange, headOf, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { API, AUTH, cookiesSet, isFailure, isSuccess, NEWS, plainUser, USER_KEYS } from './wire.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const [LOGIN, SIGNUP] = [`${NEWS}${API}/login`, `${NEWS}${API}/signup`];
const WRONG = 'The e-mail address or user name and the password do not match.';
const login = (body: unknown, headers: Record<string, string> = {}, url = LOGIN) =>
  postJson(server.port, url, body, { headers });
const signup = (body: unknown, headers: Record<string, string> = {}) =>
  postJson(server.port, SIGNUP, body, { headers });

const uniqueName = () => `r${randomBytes(6).toString('hex')}`;
/** The body that published sign-up forms send: the address is the user name as well. */
function newcomer() {
  const email = `${uniqueName()}@example.com`;
  return { name: 'New Reader', email, username: email, password: PASSWORD };
}

test('contract §2: login answers user and active-sessions-count, sets qt-auth and echoes the token', async (t) => {
  const account = await server.makeAccount();
  for (const url of [LOGIN, `${AUTH}${API}/login`]) {
    const answer = await login({ email: account.email, password: PASSWORD }, {}, url);
    const body = isSuccess(t, answer);
    t.deepEqual(Object.keys(body), ['user', 'active-sessions-count']);
    t.deepEqual(body['user'], plainUser(account));
    const cookies = cookiesSet(answer);
    t.deepEqual(Object.keys(cookies).sort(), ['__Host-qt-auth', '__Host-qt-device', 'qt-auth']);
    t.is(String(answer.headers['x-qt-auth']), String(cookies['qt-auth']));
    for (const line of answer.cookies) t.regex(line, /^[^;]+; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    t.false(answer.text.includes(String(cookies['qt-auth'])));
  }
});

test('contract §2: login and signup spell the response header x-qt-auth, in lower case on the wire', async (t) => {
  const account = await server.makeAccount();
  for (const [path, body] of [
    ['login', { email: account.email, password: PASSWORD }],
    ['signup', newcomer()],
  ] as const) {
    const text = JSON.stringify(body);
    const head = headOf(
      'POST',
      `${API}/${path}`,
      ['Content-Type: application/json', `Content-Length: ${text.length}`],
      HOSTS.news,
    );
    const received = await exchange(server.port, `${head}\r\n${text}`);
    t.regex(received, /^HTTP\/1\.1 200 OK\r\n/);
    t.is(received.match(/\r\nx-qt-auth: [A-Za-z0-9_-]{43}\r\n/g)?.length, 1, received);
  }
});

test('contract §2: login takes the identifier as username, as email, or as both with one of them empty', async (t) => {
  const username = uniqueName();
  const account = await server.makeAccount({ username });
  const { email } = account;
  for (const body of [
    { username, password: PASSWORD },
    { email, password: PASSWORD },
    { username: email, password: PASSWORD },
    { username, email: '', password: PASSWORD },
    { username: '', email, password: PASSWORD },
    { username: email, email, password: PASSWORD },
    { username, email: null, password: PASSWORD },
    { email: email.toUpperCase(), password: PASSWORD },
  ]) {
    t.deepEqual(isSuccess(t, await login(body))['user'], plainUser(account), JSON.stringify(body));
  }
});

test('contract §2: one body for an unknown user, a wrong password and the empty fields of the documented sample', async (t) => {
  const account = await server.makeAccount();
  for (const body of [
    { email: account.email, password: 'not the password' },
    { email: `${uniqueName()}@example.com`, password: PASSWORD },
    { username: '', email: '', password: 'password' },
    { email: account.email, password: '' },
    { email: account.email },
    {},
  ]) {
    const answer = await login(body);
    isFailure(t, answer, 401, WRONG);
    t.is(answer.text, `{"message":"${WRONG}","error":{"message":"${WRONG}"}}`);
    t.false('user' in answer.json());
    t.is(answer.headers['x-qt-auth'], undefined);
    t.deepEqual(answer.cookies, []);
  }
});

test('contract §2: the literal x-qt-auth: dummy of mobile apps is ignored on login and signup', async (t) => {
  const account = await server.makeAccount();
  const signedIn = await login({ username: account.email, password: PASSWORD }, { 'x-qt-auth': 'dummy' });
  t.deepEqual(isSuccess(t, signedIn)['user'], plainUser(account));
  const body = newcomer();
  const signedUp = await signup({ ...body, 'send-welcome-email-delay': 5 }, { 'x-qt-auth': 'dummy' });
  const token = String(signedUp.headers['x-qt-auth']);
  t.is((isSuccess(t, signedUp)['user'] as { email: string }).email, body.email);
  const me = await send(server.port, `${NEWS}${API}/users/me`, { headers: { 'x-qt-auth': token } });
  t.is(me.json().user.email, body.email, 'the echoed token signs in');
});

test('contract §2: x-qt-auth: dummy beside a live cookie does not hide it: the same session goes on', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  const headers = { 'x-qt-auth': 'dummy' };
  const answer = await browser.post(LOGIN, { email: account.email, password: PASSWORD }, { headers });
  t.is(isSuccess(t, answer)['active-sessions-count'], 1);
});

test('contract §2: a dead credential sent along does not keep anybody from signing in, and is replaced', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  await browser.fetch(`${NEWS}${API}/logout`);
  const answer = await login({ email: account.email, password: PASSWORD }, { Cookie: String(session.cookies['news']) });
  isSuccess(t, answer);
  t.is(answer.cookies.filter((line) => line.startsWith('qt-auth=')).length, 1, 'set once, never cleared after');
  t.is(String(cookiesSet(answer)['qt-auth']), String(answer.headers['x-qt-auth']));
});

test('contract §2: unknown fields of a login are ignored, and a password that is no string is named as the fault', async (t) => {
  const account = await server.makeAccount();
  const body = {
    email: account.email,
    password: PASSWORD,
    'remember-me': true,
    nested: { role: 'admin' },
    'auto-signup': true,
  };
  t.deepEqual(isSuccess(t, await login(body))['user'], plainUser(account));
  isFailure(t, await login({ email: account.email, password: 12345678 }), 400, /password: must be a string/);
});

test('contract §2: too many wrong passwords are 429 with Retry-After and the message in both places', async (t) => {
  const yaml = UNLIMITED_YAML.replace('sign_in_per_account: 1000000/1h', 'sign_in_per_account: 2/15m');
  const strict = await startTestServer({ yaml });
  try {
    const account = await strict.makeAccount();
    const attempt = () => postJson(strict.port, LOGIN, { email: account.email, password: 'not the password' });
    for (const _ of [1, 2]) isFailure(t, await attempt(), 401, WRONG);
    const refused = await attempt();
    isFailure(t, refused, 429);
    t.regex(String(refused.headers['retry-after']), /^[1-9]\d*$/);
    t.true(Number(refused.headers['retry-after']) <= 900);
  } finally {
    await strict.close();
  }
});

test('contract §2: signup answers user, unverified, signs in and echoes the token', async (t) => {
  const body = newcomer();
  const answer = await signup(body);
  const { user, ...rest } = isSuccess(t, answer) as { user: Record<string, unknown> };
  t.deepEqual(rest, { 'active-sessions-count': 1 });
  t.deepEqual(Object.keys(user), USER_KEYS);
  t.is(user['email'], body.email);
  t.is(user['username'], body.email);
  t.is(user['name'], body.name);
  t.is(user['verification-status'], null);
  const cookies = cookiesSet(answer);
  t.is(String(answer.headers['x-qt-auth']), String(cookies['qt-auth']));
  const Cookie = `qt-auth=${cookies['qt-auth']}; __Host-qt-auth=${cookies['__Host-qt-auth']}`;
  t.deepEqual((await send(server.port, `${NEWS}${API}/users/me`, { headers: { Cookie } })).json().user, user);
});

test('contract §2: dont-login makes the account and signs nobody in; absent and false sign in', async (t) => {
  const body = newcomer();
  const answer = await signup({ ...body, 'dont-login': true });
  t.deepEqual(Object.keys(isSuccess(t, answer)), ['user']);
  // Who made the account may prove its address in the same browser.
  t.deepEqual(Object.keys(cookiesSet(answer)), ['__Host-qt-waiting']);
  t.is(answer.headers['x-qt-auth'], undefined);
  isSuccess(t, await login({ email: body.email, password: PASSWORD }));
  const signedIn = await signup({ ...newcomer(), 'dont-login': false });
  t.truthy(cookiesSet(signedIn)['qt-auth']);
});

test('contract §2: a second signup is 409 with exactly “User Already exists” and neither user nor cookie', async (t) => {
  const body = newcomer();
  isSuccess(t, await signup(body));
  for (const again of [
    body,
    { ...body, email: body.email.toUpperCase(), username: '' },
    { ...body, 'dont-login': true },
  ]) {
    const answer = await signup(again);
    t.is(answer.text, '{"message":"User Already exists","error":{"message":"User Already exists"}}');
    isFailure(t, answer, 409, 'User Already exists');
    t.deepEqual(answer.cookies, []);
    t.is(answer.headers['x-qt-auth'], undefined);
  }
  const username = uniqueName();
  isSuccess(t, await signup({ ...newcomer(), username }));
  isFailure(t, await signup({ ...newcomer(), username }), 409, 'User Already exists');
});

test('contract §2: faults of a signup are 400 and named; nobody is signed in', async (t) => {
  for (const [change, wanted] of [
    [{ email: '' }, /email is missing/],
    [{ email: 'no address', username: '' }, /email is not valid/],
    [{ password: 'short' }, /password must have at least 8 characters/],
    [{ password: undefined }, /password is missing/],
    [{ username: 'two words' }, /username is not valid/],
  ] as const) {
    const answer = await signup({ ...newcomer(), ...change });
    isFailure(t, answer, 400, wanted);
    t.deepEqual(answer.cookies, []);
  }
});
