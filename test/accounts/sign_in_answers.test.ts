import test from 'ava';
import type { Answer } from '../support/browser.ts';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const { db } = server.services;
const login = (body: unknown) => postJson(server.port, `${API}/login`, body);

/** All of an answer that a stranger could compare, without the parts that differ every time. */
function visible({ status, text, headers }: Answer) {
  const { date: _date, 'x-request-id': _id, ...rest } = headers;
  return { status, text, headers: rest };
}

async function makeDisabled() {
  const account = await server.makeAccount();
  await db.builder('accounts').where({ id: account.id }).update({ disabled_at: new Date() });
  return account;
}

test('security 139, 144: an unknown user, a wrong password and a disabled account get one answer, byte for byte', async (t) => {
  const account = await server.makeAccount();
  const disabled = await makeDisabled();
  const unknown = visible(await login({ email: 'nobody-at-all@example.com', password: PASSWORD }));
  t.is(unknown.status, 401);
  t.deepEqual(visible(await login({ email: account.email, password: 'a wrong password' })), unknown);
  t.deepEqual(visible(await login({ email: disabled.email, password: PASSWORD })), unknown);
  t.deepEqual(visible(await login({ email: disabled.email, password: 'a wrong password' })), unknown);
  t.deepEqual(visible(await login({ username: 'nobody.at.all', password: PASSWORD })), unknown);
  t.deepEqual(visible(await login({ email: 'not an address', password: PASSWORD })), unknown);
});

test('security 139, 144: the hosted page shows the same for all three', async (t) => {
  const account = await server.makeAccount();
  const disabled = await makeDisabled();
  const show = async (identifier: string, password: string) => {
    const browser = server.browser();
    const page = await browser.navigate(`${originOf('auth')}/login`);
    const answer = await browser.submit(page, { identifier, password });
    return {
      status: answer.status,
      text: answer.text
        .replaceAll(identifier, 'X')
        .replace(/name="csrf_token" value="[^"]*"/g, '')
        .replace(/nonce="[^"]*"/g, ''),
    };
  };
  const unknown = await show('nobody-at-all@example.com', PASSWORD);
  t.is(unknown.status, 401);
  t.deepEqual(await show(account.email, 'a wrong password'), unknown);
  t.deepEqual(await show(disabled.email, PASSWORD), unknown);
});

test('security 144: disabling an account ends what its sessions can do at the next request', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  t.is((await browser.post(`${API}/login`, { email: account.email, password: PASSWORD })).status, 200);
  t.is((await browser.me(originOf('news'))).status, 200);
  await db.builder('accounts').where({ id: account.id }).update({ disabled_at: new Date() });
  t.is((await browser.me(originOf('news'))).status, 401);
  t.false(browser.jarOf(HOSTS.news).has('qt-auth'));
});

test('security 141: a credential that is no string is refused with 400, in every field of login, signup and profile', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  const before = await db.builder('accounts').first('*').where({ id: account.id });
  const odd: unknown[] = [{ $gt: '' }, [account.email], 17, true, { toString: 'x' }];
  for (const value of odd) {
    for (const field of ['email', 'username', 'password']) {
      const body = { email: account.email, username: 'x', password: PASSWORD, [field]: value };
      t.is((await login(body)).status, 400, `login ${field}`);
      t.is((await postJson(server.port, `${API}/signup`, body)).status, 400, `signup ${field}`);
    }
    t.is(
      (
        await postJson(server.port, `${API}/signup`, {
          email: 'x1@example.com',
          password: PASSWORD,
          'dont-login': [value],
        })
      ).status,
      400,
    );
    t.is((await browser.post(`${API}/users/profile`, { email: value })).status, 400, 'profile email');
    t.is((await browser.post(`${API}/users/profile`, { name: value })).status, 400, 'profile name');
  }
  t.deepEqual(await db.builder('accounts').first('*').where({ id: account.id }), before);
  t.is(await db.builder('accounts').first('id').where({ email: 'x1@example.com' }), undefined);
});

test('security 141: JSON nested 10,000 levels deep is refused with 400', async (t) => {
  for (const deep of ['['.repeat(10_000) + ']'.repeat(10_000), `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`]) {
    for (const path of ['login', 'signup']) {
      const answer = await postJson(server.port, `${API}/${path}`, `{"email":${deep},"password":"x"}`);
      t.is(answer.status, 400);
      t.regex(answer.text, /32 levels/);
    }
  }
});

test('a failed sign-in says so with one body: message on top and inside error, and no user', async (t) => {
  const body = (await login({ email: 'nobody-at-all@example.com', password: 'x' })).json();
  t.deepEqual(Object.keys(body), ['message', 'error']);
  t.deepEqual(body.error, { message: body.message });
});
