import argon2 from 'argon2';
import test from 'ava';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const { db } = server.services;
// The library writes the parameters in this order.
const OURS = /^\$argon2id\$v=19\$m=19456,p=1,t=2\$/;

const login = (body: unknown) => postJson(server.port, `${API}/login`, body);
let made = 0;
const signup = (password: unknown) =>
  postJson(server.port, `${API}/signup`, { email: `p${process.pid}-${made++}@example.com`, password });
const hashOf = async (id: string) =>
  String((await db.builder('accounts').first('password_hash').where({ id })).password_hash);
const setHash = (id: string, hash: string | null) =>
  db.builder('accounts').where({ id }).update({ password_hash: hash });

test('security 135: a password is stored as an argon2id PHC string with 19 MiB, two passes and one lane', async (t) => {
  const account = await server.makeAccount();
  const again = await server.makeAccount();
  t.regex(await hashOf(account.id), OURS);
  t.not(await hashOf(account.id), await hashOf(again.id), 'the same password has another salt');
});

for (const [what, parameters] of [
  ['fewer passes and less memory', { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 }],
  ['argon2i', { type: argon2.argon2i, memoryCost: 19_456, timeCost: 2, parallelism: 1 }],
  ['argon2d', { type: argon2.argon2d, memoryCost: 19_456, timeCost: 2, parallelism: 1 }],
] as const) {
  test(`security 135: a hash made with ${what} is made again at the next sign-in and the password stays right`, async (t) => {
    const account = await server.makeAccount();
    const before = await argon2.hash(PASSWORD, parameters);
    await setHash(account.id, before);
    t.is((await login({ email: account.email, password: `${PASSWORD}x` })).status, 401);
    t.is(await hashOf(account.id), before, 'a wrong password changes nothing');
    t.is((await login({ email: account.email, password: PASSWORD })).status, 200);
    t.regex(await hashOf(account.id), OURS);
    const now = await hashOf(account.id);
    t.is((await login({ email: account.email, password: PASSWORD })).status, 200);
    t.is(await hashOf(account.id), now, 'a current hash stays');
  });
}

test('security 136: passwords of 64 and of 1024 characters, of emoji and of spaces are taken and work', async (t) => {
  for (const password of ['x'.repeat(64), 'ab'.repeat(512), '🔑🗝️🚪🪟🏠🌳🌧️⚡️', '  two  spaces  ', 'தமிழ்கடவுச்சொல்']) {
    const { email } = await server.makeAccount({ password });
    t.is((await login({ email, password })).status, 200, password.slice(0, 20));
    t.is((await login({ email, password: password.trim() })).status, password === password.trim() ? 200 : 401);
  }
});

test('security 136: one password typed in NFC and in NFD is the same, at sign-up and at sign-in', async (t) => {
  const [composed, decomposed] = ['café größe'.normalize('NFC'), 'café größe'.normalize('NFD')];
  t.not(composed, decomposed);
  for (const password of [composed, decomposed]) {
    const { email } = await server.makeAccount({ password });
    t.is((await login({ email, password: composed })).status, 200);
    t.is((await login({ email, password: decomposed })).status, 200);
  }
});

test('security 136: passwords that differ after the 72nd byte differ', async (t) => {
  const password = 'y'.repeat(100);
  const { email } = await server.makeAccount({ password });
  for (const wrong of [`${password}x`, password.slice(0, 72), `${password.slice(0, 99)}z`])
    t.is((await login({ email, password: wrong })).status, 401);
  t.is((await login({ email, password })).status, 200);
});

test('security 136: 7 and 1025 characters, a NUL and a missing password are refused with 400 and make no account', async (t) => {
  const before = Number(
    (await db.builder('accounts').where('email', 'like', `p${process.pid}-%`).count())[0]?.['count'],
  );
  for (const password of [
    '1234567',
    'é'.normalize('NFD').repeat(7),
    'x'.repeat(1025),
    'x'.repeat(20_000),
    'with\u0000a NUL inside',
    '',
    null,
    undefined,
  ]) {
    const answer = await signup(password);
    t.is(answer.status, 400, String(password).slice(0, 20));
    t.false('user' in answer.json());
  }
  t.is((await signup('m'.repeat(1024 * 1024))).status, 413);
  t.is(
    Number((await db.builder('accounts').where('email', 'like', `p${process.pid}-%`).count())[0]?.['count']),
    before,
  );
});

test('security 136: a password beyond the limit is refused at sign-in without being cut to one that fits', async (t) => {
  const password = 'z'.repeat(1024);
  const { email } = await server.makeAccount({ password });
  t.is((await login({ email, password: `${password}z` })).status, 400);
});

test('security 140: an account without a password answers every empty password as a wrong one', async (t) => {
  const account = await server.makeAccount();
  await setHash(account.id, null);
  const wrong = await login({ email: account.email, password: 'some wrong password' });
  t.is(wrong.status, 401);
  for (const password of ['', null, ' ', undefined]) {
    const answer = await login({ email: account.email, password });
    t.is(answer.status, 401);
    t.is(answer.text, wrong.text);
    t.deepEqual(answer.cookies, []);
  }
  for (const password of [[], {}, [''], 0, false]) t.is((await login({ email: account.email, password })).status, 400);
});

test('security 140: an empty stored hash opens nothing on the hosted page either', async (t) => {
  const account = await server.makeAccount();
  await setHash(account.id, null);
  const browser = server.browser();
  const page = await browser.navigate(`${originOf('auth')}/login`);
  for (const password of ['', ' ', 'nobody has this password']) {
    const answer = await browser.submit(page, { identifier: account.email, password });
    t.true([400, 401].includes(answer.status));
    t.false(browser.jarOf('auth.test.localhost').has('qt-auth'));
  }
});
