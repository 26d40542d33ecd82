import test from 'ava';
import { freshEmail } from '../challenges/setup.ts';
import { API, postJson } from '../support/raw.ts';
import { PASSWORD } from '../support/server.ts';
import { beginSession, countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, age, NEWS, startWithAccountPage, throughSignIn } from './setup.ts';

const PAGE = `${AUTH}/account/password`;
const NEW = 'quite another long password';
const { server, mailbox, close } = await startWithAccountPage();
test.after.always(close);
const { db, challenges } = server.services;
const login = (email: string, password: string) => postJson(server.port, `${API}/login`, { email, password });

async function insertTokens(account: { id: string; realmId: string }, sessionId: string | null) {
  const [client] = await db.builder('clients').where({ realm_id: account.realmId }).limit(1);
  await db.builder('token_families').insert({
    id: db.builder.raw('gen_random_uuid()'),
    realm_id: account.realmId,
    client_row_id: client.id,
    account_id: account.id,
    session_id: sessionId,
    scopes: ['openid'],
    expires_at: new Date(Date.now() + 86_400_000),
  });
}

test('security 50: a change ends every other session and refresh token, rotates this one, and voids what is under way', async (t) => {
  const { account, session, browser } = await signedInBrowser(server, ['auth', 'news']);
  const second = await beginSession(server, account, ['auth', 'news']);
  const third = await beginSession(server, account, ['news']);
  await insertTokens(account, null);
  await insertTokens(account, session.id);
  const { realmId } = account;
  const pending = { realmId, accountId: account.id, recipient: account.email.toLowerCase() };
  const reset = await challenges.create(db, { ...pending, purpose: 'reset-password' });
  const moved = await challenges.create(db, { ...pending, purpose: 'change-email', recipient: freshEmail() });

  const changed = await browser.submit(await browser.navigate(PAGE), { current: PASSWORD, password: NEW });
  t.is(changed.status, 303, changed.text);
  t.is(changed.location, '/account');
  const token = browser.jarOf('auth.test.localhost').get('qt-auth');
  t.not(token, session.credentials['auth']?.token, 'a new token here');
  t.is((await browser.me(AUTH)).status, 200);
  const old = server.browser();
  for (const cookies of [session.cookies['auth'], second.cookies['auth']])
    t.is((await old.me(AUTH, { cookies: String(cookies) })).status, 401);
  for (const one of [second, third]) t.is((await old.me(NEWS, { cookies: String(one.cookies['news']) })).status, 401);
  t.is(await countRows(server, 'token_families', { account_id: account.id }), 0);
  t.is((await challenges.look(realmId, 'reset-password', reset.token)).kind, 'unknown');
  t.is((await challenges.look(realmId, 'change-email', moved.token)).kind, 'unknown');
  t.is((await login(account.email, PASSWORD)).status, 401);
  t.is((await login(account.email, NEW)).status, 200);
  const notice = await mailbox.next(account.email);
  t.regex(notice.subject, /password .* was changed/);
  t.regex((await browser.navigate(`${AUTH}/account`)).text, /signed out everywhere but here/);
  t.notRegex((await browser.navigate(`${AUTH}/account`)).text, /signed out everywhere but here/, 'said once');
});

test('security 143: without the current password, or with a wrong one, nothing changes', async (t) => {
  const { account, session, browser } = await signedInBrowser(server, ['auth']);
  const page = await browser.navigate(PAGE);
  const missing = await browser.submit(page, { password: NEW });
  t.is(missing.status, 400);
  t.regex(missing.text, /Enter your current password/);
  const wrong = await browser.submit(page, { current: 'not the password', password: NEW });
  t.is(wrong.status, 400);
  t.regex(wrong.text, /not your current password/);
  t.false(wrong.text.includes(NEW), 'no password comes back');
  t.is(browser.jarOf('auth.test.localhost').get('qt-auth'), session.credentials['auth']?.token);
  t.is((await login(account.email, PASSWORD)).status, 200);
});

test('a new password is judged as at sign-up: too short, much used, the own name', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const page = await browser.navigate(PAGE);
  for (const password of ['short', 'passwordpassword', account.email]) {
    const refused = await browser.submit(page, { current: PASSWORD, password });
    t.is(refused.status, 400, password);
    t.regex(refused.text, /id="password-error"/);
  }
});

test('whoever has no password sets one after a recent sign-in', async (t) => {
  const reader = await signedInBrowser(server, ['auth']);
  const { account, browser } = reader;
  const [row] = await db.builder('accounts').where({ id: account.id }).select('password_hash');
  await db.builder('accounts').where({ id: account.id }).update({ password_hash: null });
  const page = await browser.navigate(PAGE);
  t.false(page.text.includes('name="current"'));
  await age(server, reader);
  const detour = await browser.submit(page, { password: NEW });
  t.true(String(detour.location).startsWith('/login?request_handle='));
  t.false(String(detour.location).includes('password'), 'no password travels');
  await db.builder('accounts').where({ id: account.id }).update({ password_hash: row?.password_hash });
  const back = await throughSignIn(reader, detour);
  t.is(back.url, PAGE);
  await db.builder('accounts').where({ id: account.id }).update({ password_hash: null });
  t.is((await browser.submit(await browser.navigate(PAGE), { password: NEW })).location, '/account');
  t.is((await login(account.email, NEW)).status, 200);
});

test('a form of another browser changes nothing', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const page = await browser.navigate(PAGE);
  const stale = await browser.submit(page, { csrf_token: 'wrong', current: PASSWORD, password: NEW });
  t.is(stale.status, 403);
  t.regex(stale.text, /renewed it/);
  const foreign = { headers: { Origin: 'https://evil.test', 'Sec-Fetch-Site': 'cross-site' } };
  t.is((await browser.submit(page, { current: PASSWORD, password: NEW }, foreign)).status, 403);
  t.is((await login(account.email, PASSWORD)).status, 200);
});
