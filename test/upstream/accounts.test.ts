import test from 'ava';
import { HOSTS, PASSWORD } from '../support/server.ts';
import { beginSession, countRows, keepIn } from '../support/signed_in.ts';
import { API, AUTH, headingOf, NEWS, signIn, startWithProvider, walkToAnswer, whoIs } from './setup.ts';

const { idp, server, browser, close } = await startWithProvider();
test.after.always(close);
const { db } = server.services;

const makeVerified = async () => {
  const account = await server.makeAccount({ email: `reader-${Math.random().toString(36).slice(2)}@trusted.example` });
  await db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  return account;
};
const eventsOf = async (accountId: string) =>
  (await db.builder('audit_events').select('type').where({ account_id: accountId })).map(({ type }) => String(type));

test.serial('security 161: a proven address connects with the account that has it verified here', async (t) => {
  const account = await makeVerified();
  idp.reset({ email: account.email.toUpperCase() });
  const reader = browser();
  await signIn(reader);
  t.is((await whoIs(reader))?.['id'], Number(account.id));
  t.true((await eventsOf(account.id)).includes('identity.connected'));
  const other = server.browser();
  const answer = await other.post(`${AUTH}${API}/login`, { email: account.email, password: PASSWORD });
  t.is(answer.status, 200, 'the password still works');
});

for (const [what, email_verified] of [
  ['false', false],
  ['the text "true"', 'true'],
  ['absent', undefined],
] as const) {
  test.serial(`security 161: with email_verified ${what} nobody gets into the account of that address`, async (t) => {
    const account = await makeVerified();
    idp.reset({ email: account.email, email_verified });
    const reader = browser();
    const end = await signIn(reader);
    t.is(end.status, 409);
    t.is(headingOf(end), 'You already have an account');
    t.is(await whoIs(reader), null);
    t.is(await countRows(server, 'upstream_identities', { account_id: account.id }), 0);
  });
}

test.serial('security 161: nor with a verified address of a domain that the provider does not speak for', async (t) => {
  const account = await server.makeAccount();
  await db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  idp.reset({ email: account.email });
  const reader = browser();
  t.is((await signIn(reader)).status, 409);
  t.is(await whoIs(reader), null);
});

test.serial(
  'security 161: the subject says who it is; a changed address at the provider changes nothing',
  async (t) => {
    const victim = await makeVerified();
    const person = idp.reset();
    const reader = browser();
    await signIn(reader);
    const own = (await whoIs(reader))?.['id'];
    idp.reset({ ...person, email: victim.email });
    const again = browser();
    await signIn(again);
    t.is((await whoIs(again))?.['id'], own);
    idp.reset({ email: person.email });
    const recycled = browser();
    await signIn(recycled);
    t.is((await whoIs(recycled))?.['id'], own, 'another subject with a proven, verified address is connected too');
  },
);

test.serial(
  'security 151: the proven owner of an address gets the account that a stranger had made with it',
  async (t) => {
    const email = `victim-${Date.now()}@trusted.example`;
    const account = await server.makeAccount({ email, username: 'stranger', name: 'Stranger' });
    const stranger = browser();
    keepIn(stranger, await beginSession(server, account));
    t.truthy(await whoIs(stranger, NEWS));
    await db
      .builder('accounts')
      .where({ id: account.id })
      .update({ login_phone_number: '+4915100000', metadata: '{"trap":true}' });
    idp.reset({ email, name: 'Rightful Owner' });
    const owner = browser();
    await signIn(owner);
    t.like(await whoIs(owner), {
      id: Number(account.id),
      name: 'Rightful Owner',
      username: null,
      'login-phone-number': null,
      metadata: null,
      'verification-status': 'email',
    });
    t.is(await whoIs(stranger, NEWS), null, 'the session of before is over');
    t.is(await whoIs(stranger, AUTH), null);
    const password = await browser().post(`${AUTH}${API}/login`, { email, password: PASSWORD });
    t.is(password.status, 401, 'and so is the password');
    t.true((await eventsOf(account.id)).includes('account.reclaimed'));
  },
);

test.serial('security 151: a connection that the stranger had made does not survive either', async (t) => {
  const email = `victim2-${Date.now()}@trusted.example`;
  const account = await server.makeAccount({ email });
  const trojan = idp.reset({ email: 'stranger@elsewhere.example' });
  await db.builder('upstream_identities').insert({
    id: '01900000-0000-7000-8000-000000000001',
    realm_id: account.realmId,
    issuer: idp.issuer,
    subject: trojan.sub,
    account_id: account.id,
    provider: 'corp',
  });
  idp.reset({ email });
  const owner = browser();
  await signIn(owner);
  t.is((await whoIs(owner))?.['id'], Number(account.id));
  idp.reset({ ...trojan });
  const stranger = browser();
  await signIn(stranger);
  t.not((await whoIs(stranger))?.['id'], Number(account.id));
});

test.serial('security 151: a provider that does not verify addresses takes over nothing', async (t) => {
  const email = `victim3-${Date.now()}@trusted.example`;
  await server.makeAccount({ email });
  idp.reset({ email, email_verified: false });
  const reader = browser();
  t.is((await signIn(reader)).status, 409);
  const password = await browser().post(`${AUTH}${API}/login`, { email, password: PASSWORD });
  t.is(password.status, 200);
});

test.serial('an account that was made with an unproven address is not verified', async (t) => {
  const person = idp.reset({ email_verified: false });
  const reader = browser();
  await signIn(reader);
  t.like(await whoIs(reader), { email: person.email, 'verification-status': null });
});

test.serial(
  'security 140: an account without a password is signed in to by no empty or missing password',
  async (t) => {
    const person = idp.reset();
    await signIn(browser());
    const wrong = await server
      .browser()
      .post(`${AUTH}${API}/login`, { email: person.email, password: 'wrong password' });
    for (const password of ['', null, undefined, ' ', 'null', 'undefined']) {
      const answer = await server.browser().post(`${AUTH}${API}/login`, { email: person.email, password });
      t.is(answer.status, 401, String(password));
      t.is(answer.text, wrong.text);
      t.deepEqual(
        answer.cookies.filter((line) => /^qt-auth=[^;]/.test(line)),
        [],
      );
    }
    for (const password of [[], {}])
      t.is((await server.browser().post(`${AUTH}${API}/login`, { email: person.email, password })).status, 400);
  },
);

test.serial('security 163: whoever is disabled gets the same answer as somebody who is not believed', async (t) => {
  idp.reset();
  const reader = browser();
  await signIn(reader);
  const id = String((await whoIs(reader))?.['id']);
  await db.builder('accounts').where({ id }).update({ disabled_at: new Date() });
  const disabled = await signIn(browser());
  idp.state.tampering = { signing: 'HS256' };
  const wrong = await signIn(browser());
  t.is(disabled.status, wrong.status);
  const plain = (text: string) => text.replaceAll(/nonce="[^"]*"/g, '');
  t.is(plain(disabled.text), plain(wrong.text));
  t.is(await whoIs(reader), null);
});

test.serial('security 163: whoever has a second factor is asked for it, and has no session before', async (t) => {
  idp.reset();
  const reader = browser();
  await signIn(reader);
  const id = String((await whoIs(reader))?.['id']);
  await db.builder('totp_factors').insert({ account_id: id, secret_jwe: 'not needed to be asked', last_step: 0 });
  const again = browser();
  const end = await signIn(again);
  t.true(end.hops.at(-1)?.startsWith(`${AUTH}/login/second-factor`), end.hops.at(-1));
  t.is(await whoIs(again), null);
  t.false(again.jarOf(HOSTS.auth).has('qt-auth'));
});

test.serial('security 163: a provider that the realm has not enabled is refused at every door', async (t) => {
  const reader = browser();
  t.is((await reader.navigate(`${AUTH}/login/with/google`)).status, 404);
  t.is((await reader.navigate(`${AUTH}${API}/google/callback?code=x&state=y`)).status, 404);
  t.is((await reader.navigate(`${AUTH}${API}/oidc/nobody/callback?code=x&state=y`)).status, 404);
  t.is((await reader.post(`${NEWS}${API}/login/google`, { token: 'x' })).status, 400);
});

test.serial('ten first sign-ins of one person at once make one account', async (t) => {
  const person = idp.reset();
  const readers = Array.from({ length: 10 }, browser);
  const answers = await Promise.all(readers.map((reader) => walkToAnswer(reader)));
  await Promise.all(answers.map((answer, index) => readers[index]?.follow(answer, { from: idp.issuer })));
  const ids = await Promise.all(readers.map(async (reader) => (await whoIs(reader))?.['id']));
  t.is(new Set(ids).size, 1);
  t.truthy(ids[0]);
  t.is(await countRows(server, 'accounts', { email: person.email }), 1);
});

test.serial('a session that began so says fed, and not how the provider knew', async (t) => {
  idp.reset({ amr: ['pwd', 'mfa'] });
  const reader = browser();
  await signIn(reader);
  const id = String((await whoIs(reader))?.['id']);
  const [session] = await db.builder('sessions').select('amr').where({ account_id: id });
  t.deepEqual(session?.['amr'], ['fed']);
  t.true(reader.jarOf(HOSTS.auth).has('qt-auth'));
});
