import test from 'ava';
import { hasOwnWayIn } from '../../server/accounts/accounts.ts';
import { asAccountId } from '../../server/lib/ids.ts';
import { startMailbox } from '../support/mailbox.ts';
import { beginSession, countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, browserOf, headingOf, settingsYaml, signIn, startWithProvider, whoIs } from './setup.ts';

const { idp, server, browser, close } = await startWithProvider();
test.after.always(close);
const { db } = server.services;
const PAGE = `${AUTH}/account/connections`;
type Reader = ReturnType<typeof browser>;

/** Somebody who signed in here a moment ago. */
async function newReader() {
  const { account, session, browser: plain } = await signedInBrowser(server, ['auth', 'news']);
  const reader = browserOf(server, [idp]);
  for (const [host, jar] of plain.jars) for (const [name, value] of jar) reader.jarOf(host).set(name, value);
  return { account, session, reader };
}

/** Presses the button that connects, goes through the provider, and stops before the answer is opened. */
async function beginConnecting(reader: Reader): Promise<string> {
  const page = await reader.navigate(PAGE, { from: AUTH });
  const posted = await reader.submit(page, {});
  if (posted.status !== 303) throw new Error(`${posted.status} ${posted.text}`);
  return String((await reader.navigate(String(posted.location), { from: AUTH })).location);
}

test.serial(
  'security 162: connecting needs a form of this browser, and then the provider signs in to that account',
  async (t) => {
    const { account, reader } = await newReader();
    const person = idp.reset({ email: 'private@elsewhere.example' });
    const page = await reader.navigate(PAGE);
    t.true(String(page.headers['content-security-policy']).includes(idp.issuer), 'the form may lead to the provider');
    const end = await reader.follow(await beginConnecting(reader), { from: idp.issuer });
    t.is(end.hops.at(-1), PAGE);
    t.regex(end.text, /Disconnect Corp corp/);
    t.regex(end.text, /private@elsewhere\.example/);
    const other = browser();
    idp.reset(person);
    await signIn(other);
    t.is((await whoIs(other))?.['id'], Number(account.id));
  },
);

test.serial('security 162: another site cannot begin it, nor a form without the token', async (t) => {
  const { account, reader } = await newReader();
  const form = {
    method: 'POST',
    body: 'provider=corp',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  };
  const foreign = await reader.navigate(PAGE, {
    ...form,
    from: 'https://evil.test/',
    headers: { ...form.headers, Origin: 'https://evil.test' },
  });
  t.is(foreign.status, 403);
  const bare = await reader.navigate(PAGE, { ...form, from: AUTH, headers: { ...form.headers, Origin: AUTH } });
  t.is(bare.status, 403);
  t.is(await countRows(server, 'upstream_identities', { account_id: account.id }), 0);
  t.is((await reader.navigate(PAGE, { method: 'PUT' })).status, 405);
});

test.serial('security 162: it needs a recent sign-in', async (t) => {
  const { session, reader } = await newReader();
  const page = await reader.navigate(PAGE);
  await db.builder.raw(`update sessions set authenticated_at = authenticated_at - interval '1 hour' where id = ?`, [
    session.id,
  ]);
  const detour = await reader.submit(page, {});
  t.is(detour.status, 303);
  t.true(String(detour.location).startsWith('/login?request_handle='), 'to sign in again, and back');
});

test.serial("security 162: an answer that one reader began connects nobody else's account", async (t) => {
  const { reader: first, account: firstAccount } = await newReader();
  const { reader: second, account: secondAccount } = await newReader();
  idp.reset();
  const answer = await beginConnecting(first);
  const end = await second.follow(answer, { from: idp.issuer });
  t.is(headingOf(end), 'Please sign in again');
  for (const { id } of [firstAccount, secondAccount])
    t.is(await countRows(server, 'upstream_identities', { account_id: id }), 0);
});

test.serial('security 162: nor in the same browser after somebody else signed in there', async (t) => {
  const { reader, account } = await newReader();
  const other = await server.makeAccount();
  idp.reset();
  const answer = await beginConnecting(reader);
  const session = await beginSession(server, other, ['auth']);
  reader.jarOf('auth.test.localhost').set('qt-auth', session.credentials['auth']?.token ?? '');
  reader.jarOf('auth.test.localhost').set('__Host-qt-auth', session.credentials['auth']?.companion ?? '');
  const end = await reader.follow(answer, { from: idp.issuer });
  t.is(headingOf(end), 'Nothing was connected');
  for (const { id } of [account, other]) t.is(await countRows(server, 'upstream_identities', { account_id: id }), 0);
});

test.serial(
  'security 162: a person at the provider who is connected elsewhere is not taken away from there',
  async (t) => {
    const person = idp.reset();
    await signIn(browser());
    const { reader, account } = await newReader();
    idp.reset(person);
    const end = await reader.follow(await beginConnecting(reader), { from: idp.issuer });
    t.is(end.status, 409);
    t.is(await countRows(server, 'upstream_identities', { account_id: account.id }), 0);
    t.is((await whoIs(reader))?.['id'], Number(account.id), 'and nobody changes places');
  },
);

test.serial('security 165: the only way in stays; beside a password it can go', async (t) => {
  idp.reset();
  const only = browser();
  await signIn(only);
  const id = String((await whoIs(only))?.['id']);
  const page = await only.navigate(PAGE);
  const kept = await only.submit(page, {});
  t.is(kept.status, 409);
  t.regex(kept.text, /only way to sign in/);
  t.is(await countRows(server, 'upstream_identities', { account_id: id }), 1);

  const { reader, account } = await newReader();
  idp.reset();
  await reader.follow(await beginConnecting(reader), { from: idp.issuer });
  t.is(await countRows(server, 'upstream_identities', { account_id: account.id }), 1);
  const gone = await reader.submit(await reader.navigate(PAGE), {});
  t.is(gone.status, 303);
  t.is(await countRows(server, 'upstream_identities', { account_id: account.id }), 0);
});

test.serial('security 165: of two connections removed at once one stays', async (t) => {
  const person = idp.reset();
  const reader = browser();
  await signIn(reader);
  const account = await whoIs(reader);
  const id = String(account?.['id']);
  const [row] = await db.builder('upstream_identities').where({ account_id: id });
  await db
    .builder('upstream_identities')
    .insert({ ...row, id: '01900000-0000-7000-8000-00000000aaaa', subject: `${person.sub}-2` });
  const realm = await server.realm();
  const from = { address: null, locale: 'en' };
  const outcomes = await Promise.all(
    [String(row?.['id']), '01900000-0000-7000-8000-00000000aaaa'].map((one) =>
      server.services.upstream.unlink(realm, asAccountId(id), { id: one, from }),
    ),
  );
  t.deepEqual(outcomes.map(({ ok }) => ok).sort(), [false, true]);
  t.is(await countRows(server, 'upstream_identities', { account_id: id }), 1);
});

test.serial("nobody disconnects somebody else's account", async (t) => {
  idp.reset();
  const victim = browser();
  await signIn(victim);
  const id = String((await whoIs(victim))?.['id']);
  const [row] = await db.builder('upstream_identities').where({ account_id: id });
  const { reader } = await newReader();
  idp.reset();
  await reader.follow(await beginConnecting(reader), { from: idp.issuer });
  await reader.submit(await reader.navigate(PAGE), { identity: String(row?.['id']) });
  t.is(await countRows(server, 'upstream_identities', { account_id: id }), 1);
});

test.serial('security 165: a code to a proven address, as far as mail is sent, is another way in', async (t) => {
  const mailbox = await startMailbox();
  const own = await startWithProvider({ mailbox });
  t.teardown(() => mailbox.close());
  t.teardown(() => own.close());
  const { builder } = own.server.services.db;
  const disconnect = async (isVerified: boolean, methods: string) => {
    await own.server.apply(settingsYaml(`sign_in_methods: ${methods}`));
    own.idp.reset();
    const reader = own.browser();
    await signIn(reader);
    const id = String((await whoIs(reader))?.['id']);
    await builder('accounts')
      .where({ id })
      .update({ verification_status: isVerified ? 'email' : null });
    const answer = await reader.submit(await reader.navigate(PAGE), {});
    t.is(await countRows(own.server, 'upstream_identities', { account_id: id }), answer.status === 409 ? 1 : 0);
    return answer.status;
  };
  for (const methods of ['[password, code]', '[password, link]', '[code]']) t.is(await disconnect(true, methods), 303);
  t.is(await disconnect(true, '[password]'), 409, 'codes are not offered');
  t.is(await disconnect(false, '[password, code]'), 409, 'nobody has proven the address');
});

test.serial(
  'security 165: without a way to send, a code is none; a number for sign-in needs the text webhook',
  async (t) => {
    idp.reset();
    const reader = browser();
    await signIn(reader);
    const id = String((await whoIs(reader))?.['id']);
    const phone = { login_phone_number: '+4915112345678', verification_status: 'email' };
    await db.builder('accounts').where({ id }).update(phone);
    t.is((await reader.submit(await reader.navigate(PAGE), {})).status, 409);
    const account = asAccountId(id);
    const realm = await server.realm();
    const { accounts } = server.services;
    const ask = (reaches: { email: boolean; phone: boolean }) =>
      hasOwnWayIn(db, { realm, accountId: account }, { accounts, messages: { canReach: (kind) => reaches[kind] } });
    t.true(await ask({ email: false, phone: true }));
    t.true(await ask({ email: true, phone: false }));
    t.false(await ask({ email: false, phone: false }));
  },
);

test.serial(
  'security 169: the owner is told of a connection and of its end, in the language of the reader',
  async (t) => {
    const mailbox = await startMailbox();
    const own = await startWithProvider({ mailbox });
    t.teardown(() => mailbox.close());
    t.teardown(() => own.close());
    const { account, browser: plain } = await signedInBrowser(own.server, ['auth', 'news']);
    const reader = browserOf(own.server, [own.idp]);
    for (const [host, jar] of plain.jars) for (const [name, value] of jar) reader.jarOf(host).set(name, value);
    own.idp.reset();
    await reader.follow(await beginConnecting(reader), { from: own.idp.issuer });
    const added = await mailbox.next(account.email);
    t.is(added.subject, 'A way to sign in to Test Group was added');
    t.regex(added.text, /sign-in with Corp corp[\s\S]*If it was not you, change your password/);
    t.is(added.link, PAGE);
    const page = await reader.navigate(PAGE);
    await reader.submit(page, {}, { headers: { 'Accept-Language': 'de' } });
    const removed = await mailbox.next(account.email);
    t.regex(removed.subject, /entfernt$/);
    t.regex(removed.text, /die Anmeldung mit Corp corp[\s\S]*Waren Sie es nicht, ändern Sie Ihr Passwort/);
    // Who makes an account by it is told nothing.
    const person = own.idp.reset();
    await signIn(own.browser());
    t.deepEqual(mailbox.to(String(person.email)), []);
  },
);
