// Notices go out in the language of whoever is at hand, else in the realm's.

import test from 'ava';
import { startWithMailbox, tokenIn } from '../challenges/setup.ts';
import { codeOf, enrol, enrolledAccount } from '../mfa/setup.ts';
import { API, postJson } from '../support/raw.ts';
import { originOf, PASSWORD } from '../support/server.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);
const AUTH = originOf('auth');
const GERMAN = { headers: { 'Accept-Language': 'de-DE,de;q=0.9' } };

test('a second factor that a German reader sets up and removes on the account’s page is told in German', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const signIn = await browser.follow(`${AUTH}/login`, GERMAN);
  await browser.submit(signIn, { identifier: account.email, password: PASSWORD }, GERMAN);
  const page = await browser.navigate(`${AUTH}/account/two-step`, GERMAN);
  const secret = String(/data-secret>([A-Z2-7 ]+)</.exec(page.text)?.[1]).replaceAll(' ', '');
  t.is((await browser.submit(page, { code: codeOf(secret) }, GERMAN)).status, 200);
  const told = await mailbox.next(account.email);
  t.regex(told.subject, /^Ein Weg zur Anmeldung bei .* kam dazu$/);
  t.regex(told.text, /Zu Ihrem Konto hinzugefügt: eine Authenticator-App/);
});

test('a password that a German reader resets is told in German, to others in the language of the realm', async (t) => {
  for (const [headers, subject] of [
    [GERMAN.headers, /wurde geändert$/],
    [{}, /was changed$/],
  ] as const) {
    const account = await server.makeAccount();
    await postJson(server.port, `${API}/users/forgot-password`, { email: account.email }, { headers });
    const token = tokenIn((await mailbox.next(account.email)).link);
    const body = { token, 'new-password': 'another long password', 'confirm-password': 'another long password' };
    t.is((await postJson(server.port, `${API}/users/reset-password-with-token`, body, { headers })).status, 200);
    t.regex((await mailbox.next(account.email)).subject, subject);
  }
});

test('security 169: an owner who reclaims an account is told of the second factor that somebody had added to it', async (t) => {
  const { account } = await enrolledAccount(server);
  await mailbox.next(account.email);
  const { db, ownership, mfa } = server.services;
  await db.transaction((q) => ownership.prove(q, account, { kind: 'email' }, { isMaker: false, address: null }));
  t.regex((await mailbox.next(account.email)).text, /authenticator app/i);
  t.deepEqual(await mfa.factorsOf(db, account.id), []);
});

test('security 150: a reset password does not go around the second factor: the next sign-in asks for it', async (t) => {
  const account = await server.makeAccount();
  // Unverified, the first proof of its address would reclaim it from whoever made it, factors included (security 151).
  await server.services.db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  const { secret } = await enrol(server, account);
  await mailbox.next(account.email);
  await postJson(server.port, `${API}/users/forgot-password`, { email: account.email });
  const token = tokenIn((await mailbox.next(account.email)).link);
  const password = 'another long password';
  const body = { token, 'new-password': password, 'confirm-password': password };
  const reset = await postJson(server.port, `${API}/users/reset-password-with-token`, body);
  t.false(reset.cookies.some((line) => /qt-auth=[^;]/.test(line)));
  const browser = server.browser();
  const page = await browser.navigate(`${AUTH}/login`);
  const asked = await browser.submit(page, { identifier: account.email, password });
  t.is(asked.location, '/login/second-factor');
  t.is((await browser.me(AUTH)).status, 401);
  const code = await browser.navigate(`${AUTH}/login/second-factor`);
  t.is((await browser.submit(code, { code: codeOf(secret) })).location, '/');
  t.is((await browser.me(AUTH)).json().user.email, account.email);
});
