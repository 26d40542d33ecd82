import test from 'ava';
import { freshEmail, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import { API, postJson } from '../support/raw.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);
const { db, emailChange } = server.services;
const NEWS = originOf('news');
const FROM = { address: null, locale: 'en' };
const login = (email: string) => postJson(server.port, `${API}/login`, { email, password: PASSWORD });

/** A reader whose address is verified, signed in. */
async function verifiedReader() {
  const reader = await signedInBrowser(server);
  await db.builder('accounts').where({ id: reader.account.id }).update({ verification_status: 'email' });
  return reader;
}
/** The same after a change of address, with the letter to the old address. */
async function movedReader() {
  const reader = await verifiedReader();
  const next = freshEmail();
  await reader.browser.post(`${API}/users/profile`, { email: next });
  const changed = await emailChange.confirm(await server.realm(), tokenIn((await mailbox.next(next)).link), FROM);
  if (!changed.ok) throw new Error(changed.reason);
  return { ...reader, next, notice: await mailbox.next(reader.account.email) };
}

test('security 153: the new address is verified first; until then the old one stays, signs in, and the new one does not', async (t) => {
  const { browser, account } = await verifiedReader();
  const next = freshEmail();
  const asked = await browser.post(`${API}/users/profile`, { email: next, name: 'Ada' });
  t.is(asked.status, 200);
  t.like(asked.json().user, { email: account.email, name: 'Ada', 'verification-status': 'email' });
  t.regex(asked.json().message, /confirmed/);
  t.is((await login(account.email)).status, 200);
  t.is((await login(next)).status, 401);
  const mail = await mailbox.next(next);
  t.deepEqual(mailbox.to(account.email), [], 'the old address hears of it when it happens');
  const realm = await server.realm();
  const token = tokenIn(mail.link);
  t.is((await emailChange.look(realm, 'change-email', token)).kind, 'open');
  t.is((await login(next)).status, 401, 'looking changes nothing');
  const changed = await emailChange.confirm(realm, token, FROM);
  t.true(changed.ok);
  t.is((await login(account.email)).status, 401);
  t.like((await login(next)).json().user, { id: Number(account.id), email: next, 'verification-status': 'email' });
  t.is((await emailChange.confirm(realm, token, FROM)).ok, false);
  const notice = await mailbox.next(account.email);
  t.true(String(notice.link).startsWith(`${originOf('auth')}/undo-email-change?token=`));
});

test('security 153: a typing error never gains a sign-in', async (t) => {
  const { browser, account } = await verifiedReader();
  const typo = freshEmail();
  await browser.post(`${API}/users/profile`, { email: typo });
  t.is((await login(typo)).status, 401);
  t.is((await browser.me(NEWS)).json().user.email, account.email);
});

test('security 153: a change needs a recent sign-in', async (t) => {
  const own = await startTestServer();
  t.teardown(own.close);
  const { browser } = await signedInBrowser(own);
  await own.database.moveClock(3600);
  const answer = await browser.post(`${API}/users/profile`, { email: freshEmail() });
  t.is(answer.status, 403);
  t.is(answer.json().error.code, 'reauth_required');
});

test('security 153: the old address takes the change back within seven days; every session ends', async (t) => {
  const { browser, account, next, notice } = await movedReader();
  const realm = await server.realm();
  const token = tokenIn(notice.link);
  t.is((await browser.me(NEWS)).status, 200);
  const undone = await emailChange.undo(realm, token, FROM);
  t.true(undone.ok);
  t.is((await browser.me(NEWS)).status, 401);
  t.is((await login(next)).status, 401);
  t.like((await login(account.email)).json().user, { id: Number(account.id), email: account.email });
  t.false((await emailChange.undo(realm, token, FROM)).ok, 'once');
});

test('security 153: who changed the address twice cannot keep the first owner out', async (t) => {
  const { browser, account, next, notice } = await movedReader();
  const realm = await server.realm();
  const third = freshEmail();
  await browser.post(`${API}/users/profile`, { email: third });
  const changed = await emailChange.confirm(realm, tokenIn((await mailbox.next(third)).link), FROM);
  t.true(changed.ok);
  const second = await mailbox.next(next);
  // The way back to the second address leaves the first owner's; the first owner's ends the second.
  t.true((await emailChange.undo(realm, tokenIn(second.link), FROM)).ok);
  t.true((await emailChange.undo(realm, tokenIn(notice.link), FROM)).ok);
  t.is((await login(account.email)).status, 200);
  t.is((await login(next)).status, 401);
});

test('security 153: the way back ends after seven days, and a reset of the password does not end it', async (t) => {
  const { account, next, notice } = await movedReader();
  await postJson(server.port, `${API}/users/forgot-password`, { email: next });
  const token = tokenIn((await mailbox.next(next)).link);
  const body = { token, 'new-password': 'another long password', 'confirm-password': 'another long password' };
  t.is((await postJson(server.port, `${API}/users/reset-password-with-token`, body)).status, 200);
  const realm = await server.realm();
  t.is((await emailChange.look(realm, 'undo-email-change', tokenIn(notice.link))).kind, 'open');
  await db
    .builder('challenges')
    .where({ account_id: account.id, purpose: 'undo-email-change' })
    .update({ expires_at: db.builder.raw("expires_at - interval '7 days'") });
  t.like(await emailChange.undo(realm, tokenIn(notice.link), FROM), { ok: false, reason: 'expired' });
});

test('security 139: a change to an address that is somebody’s is answered alike; only its owner learns of the try', async (t) => {
  const { browser, account } = await verifiedReader();
  const owner = await server.makeAccount();
  const free = await browser.post(`${API}/users/profile`, { email: freshEmail() });
  const taken = await browser.post(`${API}/users/profile`, { email: owner.email });
  t.is(taken.status, free.status);
  t.is(taken.text, free.text);
  t.is((await mailbox.next(owner.email)).link, `${originOf('auth')}/login`);
  t.is((await browser.me(NEWS)).json().user.email, account.email);
});

test('an address that somebody takes while the letter is on its way stays theirs', async (t) => {
  const { browser, account } = await verifiedReader();
  const next = freshEmail();
  await browser.post(`${API}/users/profile`, { email: next });
  const token = tokenIn((await mailbox.next(next)).link);
  await server.makeAccount({ email: next });
  t.like(await emailChange.confirm(await server.realm(), token, FROM), { ok: false, reason: 'taken' });
  t.is((await login(account.email)).status, 200);
});

test('security 153: update-with-otp to a new address tells the old one, with its way back', async (t) => {
  const { browser, account } = await verifiedReader();
  const next = freshEmail();
  await browser.post(`${API}/users/send-otp`, { email: next });
  const { code } = await mailbox.next(next);
  const user = { email: next, 'verification-status': 'email' };
  t.is((await browser.post(`${API}/users/update-with-otp`, { otp: code, user: { email: freshEmail() } })).status, 400);
  const done = await browser.post(`${API}/users/update-with-otp`, { otp: code, user });
  t.like(done.json().user, { id: Number(account.id), email: next, 'verification-status': 'email' });
  t.regex(String((await mailbox.next(account.email)).link), /undo-email-change/);
  t.is((await browser.post(`${API}/login`, { email: next, otp: code })).status, 401, 'the code is used');
});
