import { randomBytes } from 'node:crypto';
import test from 'ava';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const { db } = server.services;
const fresh = () => `m${randomBytes(6).toString('hex')}@example.com`;
const rowOf = (email: string) => db.builder('accounts').first('*').where({ email });

const FORBIDDEN = {
  id: 1,
  sub: 'chosen',
  'realm-id': 99,
  realm_id: 99,
  realmId: 99,
  tenant: 'other',
  'verification-status': 'email',
  verification_status: 'email',
  verificationStatus: 'email',
  'email-verified': true,
  'is-tfa-enabled': true,
  isTfaEnabled: true,
  'created-at': 1,
  'updated-at': 1,
  'password-hash': '$argon2id$',
  password_hash: '$argon2id$',
  'disabled-at': null,
  disabledAt: null,
  slug: 'chosen',
  'avatar-s3-key': 'chosen',
  'communication-email': 'evil@evil.test',
  'login-phone-number': '+1',
  roles: ['admin'],
  mfa: false,
  constructor: { prototype: { isAdmin: true } },
  user: { id: 1, name: 'nested', 'verification-status': 'email', roles: ['admin'] },
};

test('security 152: sign-up takes only the fields it knows; every other one is ignored', async (t) => {
  const email = fresh();
  const answer = await postJson(server.port, `${API}/signup`, {
    ...FORBIDDEN,
    email,
    password: PASSWORD,
    name: 'Real',
  });
  t.is(answer.status, 200);
  const row = await rowOf(email);
  t.not(row.id, '1');
  t.not(row.sub, 'chosen');
  t.is(row.realm_id, (await server.realm()).id);
  t.is(row.name, 'Real');
  for (const column of [
    'verification_status',
    'disabled_at',
    'slug',
    'avatar_s3_key',
    'communication_email',
    'login_phone_number',
    'metadata',
  ])
    t.is(row[column], null, column);
  t.false(row.is_tfa_enabled);
  t.true(row.created_at.getTime() > Date.now() - 3_600_000);
  t.is((await postJson(server.port, `${API}/login`, { email, password: PASSWORD })).status, 200);
  t.is(answer.json().user['verification-status'], null);
});

test('security 152: the profile changes only the fields it knows', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  const before = await rowOf(account.email);
  const answer = await browser.post(`${API}/users/profile`, {
    ...FORBIDDEN,
    username: 'taken-over',
    password: 'another password',
    'first-name': 'Fresh',
  });
  t.is(answer.status, 200);
  const after = await rowOf(account.email);
  t.deepEqual({ ...after, first_name: null, updated_at: null }, { ...before, first_name: null, updated_at: null });
  t.is(after.first_name, 'Fresh');
});

test('security 152, 184: a __proto__ key is refused with 400, and nothing of it stays behind', async (t) => {
  const email = fresh();
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  for (const proto of [
    '"__proto__":{"isAdmin":true,"dont-login":true}',
    '"\\u005f_proto__":{"isAdmin":true}',
    '"metadata":{"__proto__":{"isAdmin":true}}',
  ]) {
    t.is(
      (await postJson(server.port, `${API}/signup`, `{"email":"${email}","password":"${PASSWORD}",${proto}}`)).status,
      400,
    );
    t.is(
      (
        await browser.fetch(`${API}/users/profile`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: `{${proto}}`,
        })
      ).status,
      400,
    );
  }
  t.is(await rowOf(email), undefined);
  t.is(({} as Record<string, unknown>)['isAdmin'], undefined);
  const me = (await browser.me(originOf('news'))).json();
  t.deepEqual(Object.keys(me.user).sort(), [
    'avatar-s3-key',
    'avatar-url',
    'communication-email',
    'created-at',
    'email',
    'first-name',
    'id',
    'is-tfa-enabled',
    'last-name',
    'login-phone-number',
    'metadata',
    'name',
    'phone-number',
    'slug',
    'updated-at',
    'username',
    'verification-status',
  ]);
});

test('security 152: no address that is sent to the profile takes the place of the own one, or its verification', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  await db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  for (const email of [account.email.toUpperCase(), fresh()]) {
    await browser.post(`${API}/users/profile`, { email });
    const { user } = (await browser.me('http://news.test.localhost')).json();
    t.is(user.email, account.email);
    t.is(user['verification-status'], 'email');
  }
});

test('signing up with an address that has an account answers 409 with exactly the text that published screens compare', async (t) => {
  const account = await server.makeAccount();
  const answer = await postJson(server.port, `${API}/signup`, {
    email: account.email.toUpperCase(),
    password: PASSWORD,
  });
  t.is(answer.status, 409);
  t.deepEqual(answer.json(), { message: 'User Already exists', error: { message: 'User Already exists' } });
  t.deepEqual(answer.cookies, []);
});

test('security 157: erasing an account leaves no name and no address anywhere, ends its sessions, and its sub is never used again', async (t) => {
  const email = fresh();
  const name = `Erased ${randomBytes(6).toString('hex')}`;
  const account = await server.makeAccount({ email, name });
  const { sub } = await rowOf(email);
  const [browser, other] = [server.browser(), server.browser()];
  for (const one of [browser, other]) t.is((await one.post(`${API}/login`, { email, password: PASSWORD })).status, 200);
  await browser.post(`${API}/users/profile`, { 'phone-number': '+49 30 1234567', metadata: { city: name } });
  t.is((await browser.fetch(`${API}/users/me`, { method: 'DELETE' })).status, 200);

  for (const one of [browser, other]) t.is((await one.me(originOf('news'))).status, 401);
  t.is((await postJson(server.port, `${API}/login`, { email, password: PASSWORD })).status, 401);
  const { rows: tables } = await db.builder.raw(
    "select table_name from information_schema.tables where table_schema = 'public'",
  );
  for (const { table_name } of tables) {
    const { rows } = await db.builder.raw('select count(*)::int as found from ?? as r where r::text ilike any (?)', [
      table_name,
      [`%${email}%`, `%${name}%`, '%30 1234567%'],
    ]);
    t.is(rows[0].found, 0, table_name);
  }
  const kept = await db.builder('audit_events').pluck('type').where({ account_id: account.id });
  t.true(kept.includes('account.deleted'), 'the audit log keeps the id');

  t.is((await postJson(server.port, `${API}/signup`, { email, password: PASSWORD })).status, 200);
  const again = await rowOf(email);
  t.not(again.sub, sub);
  t.true(BigInt(again.id) > BigInt(account.id));
});
