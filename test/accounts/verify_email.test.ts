import test from 'ava';
import { withOutcome } from '../../server/accounts/accounts.ts';
import { freshEmail, NO_LIMITS, realmWith, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import { INTO_THE_API, PAYLOADS } from '../oauth/payloads.ts';
import { authorizeUrl } from '../support/browser.ts';
import { startMailbox } from '../support/mailbox.ts';
import { API, postJson } from '../support/raw.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);
const { verification, db } = server.services;
const NEWS = originOf('news');
const send = (email: string, redirectUrl?: string) =>
  postJson(server.port, `${API}/users/send-verification-link`, { email, 'redirect-url': redirectUrl });
const linkFor = async (email: string) => tokenIn((await mailbox.next(email)).link);
const statusOf = async (id: string) =>
  (await db.builder('accounts').first('verification_status').where({ id })).verification_status;

test('security 30: a redirect-url that is no page of this site is refused, and no mail is sent', async (t) => {
  const account = await server.makeAccount();
  const here = (payload: string) =>
    payload.replaceAll('https://a.test', NEWS).replaceAll('a.test', 'news.test.localhost');
  for (const payload of [...PAYLOADS, ...INTO_THE_API, ...INTO_THE_API.map(here), `${originOf('sports')}/`]) {
    const answer = await send(account.email, payload);
    t.is(answer.status, 400, payload.slice(0, 80));
    t.false(answer.text.includes('evil'));
  }
  t.deepEqual(mailbox.to(account.email), []);
});

test('security 30: the link of a mail leads to the page that was named, on a host of the realm, with what became of it', async (t) => {
  const account = await server.makeAccount();
  const realm = await server.realm();
  t.is((await send(account.email, `${NEWS}/welcome?a=1#x`)).status, 200);
  const token = await linkFor(account.email);
  t.is((await verification.look(realm, token)).kind, 'open');
  t.is(await statusOf(account.id), null, 'looking verifies nothing');
  const done = await verification.confirm(realm, token, null);
  t.is(done.outcome, 'email-verified');
  if (!done.redirectUrl) return t.fail();
  t.is(withOutcome(done.redirectUrl, done.outcome), `${NEWS}/welcome?a=1#email-verified` as never);
  t.is(await statusOf(account.id), 'email');
  const again = await verification.confirm(realm, token, null);
  t.is(again.outcome, 'token-consumed');
  t.is((await verification.confirm(realm, 'made-up', null)).outcome, 'invalid-token');
});

test('a verification link sent to nobody, to a verified address or to a bad one mails nothing', async (t) => {
  const account = await server.makeAccount();
  await db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  const unknown = freshEmail();
  t.is((await send(unknown)).text, (await send(account.email)).text);
  t.is((await send('no address')).status, 400);
  const last = await server.makeAccount();
  await send(last.email);
  await mailbox.next(last.email);
  t.deepEqual([...mailbox.to(unknown), ...mailbox.to(account.email)], []);
});

test('security 148: a link to an address that is no longer the account’s verifies nothing', async (t) => {
  const account = await server.makeAccount();
  await send(account.email);
  const token = await linkFor(account.email);
  const other = freshEmail();
  await db.builder('accounts').where({ id: account.id }).update({ email: other, email_canonical: other });
  t.not((await verification.confirm(await server.realm(), token, null)).outcome, 'email-verified');
  t.is(await statusOf(account.id), null);
});

test('security 154: where verification is required a sign-up begins no session before it, and authorize asks to sign in', async (t) => {
  const box = await startMailbox();
  const strict = await startTestServer({ yaml: realmWith(`${NO_LIMITS}, verification: before-session`), mailbox: box });
  t.teardown(async () => {
    await strict.close();
    await box.close();
  });
  const email = freshEmail();
  const browser = strict.browser();
  const signup = await browser.post(`${API}/signup`, { name: 'Ada', email, password: PASSWORD, 'dont-login': false });
  t.is(signup.status, 200);
  t.is(signup.json().user['verification-status'], null);
  t.is(signup.headers['x-qt-auth'], undefined);
  t.false(browser.jarOf('news.test.localhost').has('qt-auth'));
  t.is((await browser.me(NEWS)).status, 401);
  const refused = await browser.post(`${API}/login`, { email, password: PASSWORD });
  t.is(refused.status, 403);
  t.is(refused.json().user, undefined);
  t.is((await browser.me(NEWS)).status, 401);
  const asked = await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: NEWS });
  t.true(asked.hops.at(-1)?.startsWith(`${originOf('auth')}/login`));
  t.is((await browser.post(`${API}/login`, { email, password: 'a wrong password' })).status, 401);
  // The first letter was replaced by the one of the refused sign-in.
  await box.until(() => (box.to(email).length >= 2 ? true : null));
  const outcomes = [];
  for (const { link } of box.to(email))
    outcomes.push((await strict.services.verification.confirm(await strict.realm(), tokenIn(link), null)).outcome);
  t.is(outcomes.filter((outcome) => outcome === 'email-verified').length, 1);
  t.is((await browser.post(`${API}/login`, { email, password: PASSWORD })).status, 200);
  t.is((await browser.me(NEWS)).status, 200);
});

test('security 154: the hosted sign-up says that a mail is on its way, and signs nobody in', async (t) => {
  const box = await startMailbox();
  const strict = await startTestServer({ yaml: realmWith(`${NO_LIMITS}, verification: before-session`), mailbox: box });
  t.teardown(async () => {
    await strict.close();
    await box.close();
  });
  const email = freshEmail();
  const browser = strict.browser();
  const page = await browser.navigate(`${originOf('auth')}/signup`);
  const answer = await browser.submit(page, { name: 'Ada', email, password: PASSWORD });
  t.is(answer.status, 303);
  t.regex((await browser.navigate(`${originOf('auth')}${answer.location}`)).text, /We have sent a mail to/);
  t.is((await browser.me(originOf('auth'))).status, 401);
  t.truthy((await box.next(email)).link);
});

test('security 139: a neutral sign-up answers a known and an unknown address alike, and only the owner learns of it', async (t) => {
  const box = await startMailbox();
  const neutral = await startTestServer({ yaml: realmWith(`${NO_LIMITS}, duplicate_signup: neutral`), mailbox: box });
  t.teardown(async () => {
    await neutral.close();
    await box.close();
  });
  const owner = await neutral.makeAccount();
  const signup = (email: string) =>
    postJson(neutral.port, `${API}/signup`, { name: 'Ada', email, username: email, password: PASSWORD });
  const newcomer = freshEmail();
  const shown = (email: string, { status, text, cookies }: Awaited<ReturnType<typeof signup>>) => ({
    status,
    text: text.replaceAll(email, 'X'),
    cookies: cookies.map((line) => line.replace(/=[^;]*/, '')),
  });
  const known = shown(owner.email, await signup(owner.email));
  t.is(known.status, 200);
  t.deepEqual(shown(newcomer, await signup(newcomer)), known);
  t.deepEqual(shown(newcomer, await signup(newcomer)), known, 'and once more');
  t.regex((await box.next(owner.email)).text, /account/);
  t.is((await box.next(newcomer)).link?.includes('/verify-email?token='), true);
});

test('security 149: update-with-otp without a session takes the browser that made the account, never the code alone', async (t) => {
  const email = freshEmail();
  const maker = server.browser();
  await maker.post(`${API}/signup`, { name: 'Ada', email, password: PASSWORD, 'dont-login': true });
  await maker.post(`${API}/users/send-otp`, { email });
  const { code } = await mailbox.next(email);
  const body = { otp: code, user: { 'verification-status': 'email' } };
  const stranger = server.browser();
  t.is((await stranger.post(`${API}/users/update-with-otp`, body)).status, 401);
  await stranger.post(`${API}/users/send-otp`, { email: freshEmail() });
  t.is((await stranger.post(`${API}/users/update-with-otp`, body)).status, 401, 'with a cookie of its own');
  t.is(
    (await maker.post(`${API}/users/update-with-otp`, { ...body, user: { ...body.user, email: freshEmail() } })).status,
    401,
  );
  const done = await maker.post(`${API}/users/update-with-otp`, body);
  t.is(done.status, 200, done.text);
  t.deepEqual(Object.keys(done.json()), ['user']);
  t.is((await maker.post(`${API}/users/update-with-otp`, body)).status, 401, 'once');
  t.is((await maker.me(NEWS)).status, 401);
  t.is((await maker.post(`${API}/login`, { email, password: PASSWORD })).status, 200, 'the own password stays');
});

test('security 149: a code that another browser asked for is none for the browser that made the account', async (t) => {
  const email = freshEmail();
  const maker = server.browser();
  await maker.post(`${API}/signup`, { name: 'Ada', email, password: PASSWORD, 'dont-login': true });
  await server.browser().post(`${API}/users/send-otp`, { email });
  const { code } = await mailbox.next(email);
  const answer = await maker.post(`${API}/users/update-with-otp`, {
    otp: code,
    user: { 'verification-status': 'email' },
  });
  t.is(answer.status, 400);
});

test('security 152: update-with-otp changes only what the code went to', async (t) => {
  const { browser, account } = await signedInBrowser(server);
  await browser.post(`${API}/users/send-otp`, {});
  const { code } = await mailbox.next(account.email);
  const update = (user: object) => browser.post(`${API}/users/update-with-otp`, { otp: code, user });
  t.is((await update({ email: freshEmail() })).status, 400);
  t.is((await update({ 'login-phone-number': '+4915112345678' })).status, 400);
  t.is((await update({ email: freshEmail(), 'login-phone-number': '+4915112345678' })).status, 400);
  t.is((await update({ 'verification-status': 'admin' })).status, 400);
  const done = await update({ 'verification-status': 'email', roles: ['admin'], id: 1, 'is-tfa-enabled': true });
  t.like(done.json().user, {
    id: Number(account.id),
    email: account.email,
    'verification-status': 'email',
    'is-tfa-enabled': false,
  });
});

test('security 149: a code for somebody else’s address adds it to nobody, and signs its reader in to their own account', async (t) => {
  const { browser } = await signedInBrowser(server);
  const owner = await server.makeAccount();
  await browser.post(`${API}/users/send-otp`, { email: owner.email });
  const { code } = await mailbox.next(owner.email);
  const update = { otp: code, user: { email: owner.email, 'verification-status': 'email' } };
  t.is((await browser.post(`${API}/users/update-with-otp`, update)).status, 400);
  t.is((await browser.me(NEWS)).json().user['verification-status'], null);
  const answer = await server.browser().post(`${API}/login`, { email: owner.email, otp: code });
  t.is(answer.json().user?.id, Number(owner.id), answer.text);
});
