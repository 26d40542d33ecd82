// Passkeys through the session-sharing API: made, used on every domain of the realm, alone and as a second factor.

import test from 'ava';
import { useKey } from '../support/authenticator.ts';
import { originOf, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { addPasskey, begin, PASSKEYS, passkeyReader, prove, signedInReader } from './passkey_setup.ts';
import { API, codeOf, enrol, passFirst, sendCode } from './setup.ts';

const server = await startTestServer();
const strict = await startTestServer({
  yaml: REALM_YAML.replace('signup: open', 'signup: open, second_factor: required'),
});
test.after.always(async () => {
  await strict.close();
  await server.close();
});
const NEWS = originOf('news');

test('a passkey signs in without a password, and the session says how', async (t) => {
  const { account, key } = await passkeyReader(server);
  const browser = server.browser();
  const answer = await prove(browser, key);
  t.is(answer.status, 200, answer.text);
  t.is(answer.json().user.email, account.email);
  t.true(answer.json().user['is-tfa-enabled']);
  t.is((await browser.me(NEWS)).status, 200);
  const session = await server.services.db.builder('sessions').where({ account_id: account.id }).orderBy('id', 'desc');
  t.deepEqual(session[0].amr, ['hwk', 'user', 'mfa']);
});

for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
  test(`WebAuthn L3 §5.8.5: a key of ${algorithm} is taken and signs in`, async (t) => {
    const { key } = await passkeyReader(server, { algorithm });
    t.is((await prove(server.browser(), key)).status, 200);
  });
}

test('one passkey signs in on every domain of the realm, made on any of them', async (t) => {
  const { account, key } = await passkeyReader(server, { site: 'auth' });
  for (const site of ['auth', 'news', 'sports', 'shop'] as const) {
    const browser = server.browser();
    const { ceremony, options } = await begin(browser, 'sign-in', site);
    t.is(options.rpId, 'auth.test.localhost');
    t.deepEqual(options.allowCredentials ?? [], [], 'nothing tells a stranger who has passkeys');
    const response = useKey(key, options, originOf(site));
    const answer = await browser.post(`${originOf(site)}${PASSKEYS}/sign-in`, { ceremony, response });
    t.is(answer.json().user.email, account.email, site);
    t.is((await browser.me(originOf(site))).status, 200);
  }
});

test('the options of a new passkey name no person, and the passkeys that are there', async (t) => {
  const { account, browser, key } = await passkeyReader(server);
  const { options } = await begin(browser, '');
  t.is(options.rp.id, 'auth.test.localhost');
  t.is(Buffer.from(options.user.id, 'base64url').length, 32);
  // The id of the account is a digit or two, which chance puts among 32 bytes now and then.
  const handle = Buffer.from(options.user.id, 'base64url');
  for (const known of [account.sub, account.email ?? '']) t.false(handle.includes(known));
  t.not(handle.toString('latin1').replace(/^\0+|\0+$/g, ''), account.id);
  t.is(options.user.id, key.userHandle, 'one user handle for all passkeys of an account');
  t.deepEqual(
    options.excludeCredentials.map(({ id }: { id: string }) => id),
    [key.id.toString('base64url')],
  );
  t.deepEqual(
    options.pubKeyCredParams.map(({ alg }: { alg: number }) => alg).sort((a: number, b: number) => a - b),
    [-257, -8, -7],
  );
  t.true(Buffer.from(options.challenge, 'base64url').length >= 16);
  t.is(options.attestation, 'none');
  t.is(options.authenticatorSelection.residentKey, 'preferred');
});

test('a passkey is the second factor after a password; without user verification too, and amr says both', async (t) => {
  const { account, key } = await passkeyReader(server);
  const browser = server.browser();
  t.is((await passFirst(browser, account)).json().code, 'tfa-validation-is-required');
  t.is((await browser.me(NEWS)).status, 401);
  const { options } = await begin(browser, 'second-factor');
  t.deepEqual(
    options.allowCredentials.map(({ id }: { id: string }) => id),
    [key.id.toString('base64url')],
  );
  t.is(options.userVerification, 'preferred');
  const answer = await prove(browser, key, { path: 'second-factor', isVerified: false });
  t.is(answer.status, 200, answer.text);
  t.is((await browser.me(NEWS)).status, 200);
  const session = await server.services.db.builder('sessions').where({ account_id: account.id }).orderBy('id', 'desc');
  t.deepEqual(session[0].amr, ['pwd', 'hwk', 'user', 'mfa']);
  t.is(await countRows(server, 'second_factor_challenges', { account_id: account.id }), 0);
});

test('beside an authenticator app either of the two is enough, and a recovery code stands in for both', async (t) => {
  const { account, browser: maker, added } = await passkeyReader(server);
  t.is(added['recovery-codes']?.length, 10, 'the first factor brings recovery codes');
  const first = server.browser();
  await passFirst(first, account);
  t.is((await sendCode(first, String(added['recovery-codes']?.[0]))).status, 200);
  t.is((await maker.me(NEWS)).status, 200);
  const { secret } = await enrol(server, account);
  t.truthy(secret);
  const { key } = await addPasskey(first, { name: 'Another' });
  const other = server.browser();
  await passFirst(other, account);
  t.is((await prove(other, key, { path: 'second-factor' })).status, 200);
});

test('where a second factor is required, a passkey with user verification is enough', async (t) => {
  const account = await strict.makeAccount();
  const { secret } = await enrol(strict, account);
  const browser = strict.browser();
  await passFirst(browser, account);
  t.is((await sendCode(browser, codeOf(secret))).status, 200);
  const { key } = await addPasskey(browser);
  t.is((await prove(strict.browser(), key)).status, 200);
});

test('a copied key is a key in software: a synced passkey says swk', async (t) => {
  const { account, key } = await passkeyReader(server, { isSynced: true });
  t.is((await prove(server.browser(), key)).status, 200);
  const session = await server.services.db.builder('sessions').where({ account_id: account.id }).orderBy('id', 'desc');
  t.deepEqual(session[0].amr, ['swk', 'user', 'mfa']);
});

test('a reader who is signed in confirms with the passkey: a new token and a new time', async (t) => {
  const { browser, key } = await passkeyReader(server);
  const before = browser.jarOf('news.test.localhost').get('qt-auth');
  const answer = await prove(browser, key, { path: 're-authenticate' });
  t.is(answer.status, 200, answer.text);
  t.not(browser.jarOf('news.test.localhost').get('qt-auth'), before);
  t.is((await browser.me(NEWS)).status, 200);
});

test('passkeys are listed, renamed and removed; the log tells of it', async (t) => {
  const { account, browser, added, key } = await passkeyReader(server, { name: '  Phone \n of mine ' });
  t.is((await prove(browser, key, { path: 're-authenticate' })).status, 200);
  const list = async () => (await browser.fetch(`${NEWS}${PASSKEYS}`)).json().passkeys;
  const [one] = await list();
  t.is(one.name, 'Phone of mine');
  t.is(typeof one['created-at'], 'number');
  t.is(typeof one['last-used-at'], 'number');
  t.is((await browser.post(`${NEWS}${PASSKEYS}/${added.id}`, { name: 'Tablet' })).status, 200);
  t.is((await list())[0].name, 'Tablet');
  t.is((await browser.post(`${NEWS}${PASSKEYS}/${added.id}`, { name: ' ' })).status, 400);
  t.is((await browser.post(`${NEWS}${PASSKEYS}/999999`, { name: 'Nobody' })).status, 404);
  const other = await signedInReader(server);
  t.is((await other.browser.post(`${NEWS}${PASSKEYS}/${added.id}`, { name: 'Stolen' })).status, 404);
  const remove = () => browser.fetch(`${NEWS}${PASSKEYS}/${added.id}`, { method: 'DELETE' });
  t.is((await other.browser.fetch(`${NEWS}${PASSKEYS}/${added.id}`, { method: 'DELETE' })).status, 404);
  t.is((await remove()).status, 200);
  t.is((await remove()).status, 404);
  t.deepEqual(await list(), []);
  t.is((await browser.me(NEWS)).json().user['is-tfa-enabled'], false);
  t.is((await prove(server.browser(), key)).status, 401);
  const types = (await server.services.audit.listOf(server.services.db, account.id)).map(({ type }) => type);
  t.true(types.includes('factor.added') && types.includes('factor.removed'));
});

test('security 165: the last way into an account is not taken away', async (t) => {
  const { account, browser, added } = await passkeyReader(server);
  const { answer: second } = await addPasskey(browser);
  const remove = (id: number) => browser.fetch(`${NEWS}${PASSKEYS}/${id}`, { method: 'DELETE' });
  await server.services.db.builder('accounts').where({ id: account.id }).update({ password_hash: null });
  t.is((await remove(added.id)).status, 200, 'there is another passkey');
  const refused = await remove(second.id);
  t.is(refused.status, 409);
  t.true(refused.json().message.includes('only way'));
  await server.services.db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  t.is((await remove(second.id)).status, 409, 'no e-mail is sent here');
  const mailing = await startTestServer({ database: server.database, env: { SMTP_URL: 'smtp://127.0.0.1:9' } });
  t.teardown(mailing.close);
  const there = mailing.browser();
  for (const [host, jar] of browser.jars) for (const [name, value] of jar) there.jarOf(host).set(name, value);
  const removed = await there.fetch(`${NEWS}${PASSKEYS}/${second.id}`, { method: 'DELETE' });
  t.is(removed.status, 200, 'where it is, a code by e-mail is a way in');
});

test('security 140: an account that has only a passkey takes no password', async (t) => {
  const { account, key } = await passkeyReader(server);
  await server.services.db.builder('accounts').where({ id: account.id }).update({ password_hash: null });
  for (const password of ['', ' ', null, [], {}, 'a long enough password']) {
    const answer = await server.browser().post(`${NEWS}${API}/login`, { email: account.email, password });
    t.true([400, 401].includes(answer.status), JSON.stringify(password));
  }
  t.is((await prove(server.browser(), key)).status, 200);
});

test('security 169: passkeys are changed only after a recent sign-in, with the factor that there is', async (t) => {
  const { account, browser, key, added } = await passkeyReader(server);
  const refusedTo = async (one: typeof browser) => [
    (await one.post(`${NEWS}${PASSKEYS}/options`, {})).status,
    (await one.post(`${NEWS}${PASSKEYS}`, { ceremony: 'x', response: {}, name: 'x' })).status,
    (await one.post(`${NEWS}${PASSKEYS}/${added.id}`, { name: 'x' })).status,
    (await one.fetch(`${NEWS}${PASSKEYS}/${added.id}`, { method: 'DELETE' })).status,
  ];
  const { db } = server.services;
  await db
    .builder('sessions')
    .where({ account_id: account.id })
    .update({ authenticated_at: db.builder.raw("causeway_now() - interval '20 minutes'") });
  t.deepEqual(await refusedTo(browser), [403, 403, 403, 403]);
  t.is((await browser.post(`${NEWS}${PASSKEYS}/options`, {})).json().error.code, 'reauth_required');
  t.is((await prove(browser, key, { path: 're-authenticate' })).status, 200);
  t.is((await browser.post(`${NEWS}${PASSKEYS}/options`, {})).status, 200);
  t.deepEqual(await refusedTo(server.browser()), [401, 401, 401, 401]);
});

test('security 169: a sign-in with a code by mail alone may not change the factors of an account that has one', async (t) => {
  const { account, key, added } = await passkeyReader(server);
  const browser = server.browser();
  t.is((await prove(browser, key)).status, 200);
  const { db } = server.services;
  await db
    .builder('sessions')
    .where({ account_id: account.id })
    .update({ amr: ['otp'] });
  t.is((await browser.fetch(`${NEWS}${PASSKEYS}/${added.id}`, { method: 'DELETE' })).status, 403);
});

test('an account that is disabled, and one of another realm, signs in with no passkey', async (t) => {
  const { account, key } = await passkeyReader(server);
  const { db } = server.services;
  await db
    .builder('accounts')
    .where({ id: account.id })
    .update({ disabled_at: db.builder.raw('causeway_now()') });
  const disabled = await prove(server.browser(), key);
  t.is(disabled.status, 401);
  const unknown = await prove(strict.browser(), key);
  t.is(unknown.status, 401);
  t.is(disabled.json().message, unknown.json().message);
});

test('WebAuthn L3 §5.11: the auth domain lists the sites whose pages may use its passkeys, and no site does', async (t) => {
  const answer = await server.browser().ask(`${originOf('auth')}/.well-known/webauthn`);
  t.is(answer.status, 200);
  t.regex(String(answer.headers['content-type']), /^application\/json/);
  t.deepEqual(answer.json(), { origins: [originOf('news'), originOf('shop'), originOf('sports')] });
  t.is(answer.cookies.length, 0);
  t.is((await server.browser().ask(`${NEWS}/.well-known/webauthn`)).status, 404);
});
