import test from 'ava';
import { freshEmail, NO_LIMITS, realmWith, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import { startMailbox } from '../support/mailbox.ts';
import { API, postJson } from '../support/raw.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);
const { db, challenges, login } = server.services;
const NEWS = originOf('news');
const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  postJson(server.port, `${API}${path}`, body, { headers });
const amrOf = async (accountId: number) =>
  (await db.builder('sessions').first('amr').where({ account_id: accountId })).amr;
let numbers = 0;
/** A German mobile number of its own. */
const freshPhone = () => `+49151${String(10_000_000 + process.pid * 50 + numbers++).slice(-8)}`;
async function codeFor(recipient: string, accountId: string | null = null): Promise<string> {
  const realm = await server.realm();
  const draft = { realmId: realm.id, accountId: accountId as never, purpose: 'one-time-code', recipient } as const;
  return (await challenges.create(db, draft)).code;
}

test('contract §2: POST /login takes a code by e-mail once; the session says otp', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  t.is((await browser.post(`${API}/users/send-otp`, { email: account.email })).status, 200);
  const { code } = await mailbox.next(account.email);
  const answer = await browser.post(`${API}/login`, { email: account.email, otp: code });
  t.is(answer.status, 200, answer.text);
  t.deepEqual(Object.keys(answer.json()), ['user', 'active-sessions-count']);
  t.like(answer.json().user, { id: Number(account.id), 'verification-status': 'email' });
  t.is((await browser.me(NEWS)).status, 200);
  t.deepEqual(await amrOf(answer.json().user.id), ['otp']);
  t.is((await post('/login', { email: account.email, otp: code })).status, 401);
});

test('contract §2: POST /login with auto-signup makes the account of whoever has none; without it says so', async (t) => {
  const email = freshEmail();
  const otp = await codeFor(email);
  const refused = await post('/login', { email, otp });
  t.is(refused.status, 401);
  t.is(typeof refused.json().message, 'string');
  const made = await post('/login', { email, otp, 'auto-signup': true });
  t.like(made.json().user, { email, 'verification-status': 'email' });
});

test('contract §2: POST /signup with a code for an address that has an account is 409 User Already exists, after the right code alone', async (t) => {
  const account = await server.makeAccount();
  const otp = await codeFor(account.email, account.id);
  const wrong = String((Number(otp) + 1) % 1_000_000).padStart(6, '0');
  t.is((await post('/signup', { email: account.email, otp: wrong })).status, 401);
  const answer = await post('/signup', { email: account.email, otp });
  t.is(answer.status, 409);
  t.deepEqual(answer.json(), { message: 'User Already exists', error: { message: 'User Already exists' } });
});

test('contract §2: a phone number is one number, however it is written, a JSON number too', async (t) => {
  const phone = freshPhone();
  const national = `0${phone.slice(3)}`;
  const made = await post('/signup', { 'login-phone-number': phone, otp: await codeFor(phone) });
  t.like(made.json().user, { email: null, 'login-phone-number': phone, 'verification-status': 'phone' });
  const { id } = made.json().user;
  t.deepEqual(await amrOf(id), ['sms']);
  for (const typed of [
    phone,
    Number(phone.slice(1)),
    phone.slice(1),
    national,
    `${national.slice(0, 5)} ${national.slice(5)}`,
  ]) {
    const answer = await post('/login', { 'phone-number': typed, otp: await codeFor(phone, String(id)) });
    t.is(answer.json().user?.id, id, String(typed));
  }
  t.is((await post('/signup', { 'login-phone-number': national, otp: await codeFor(phone, String(id)) })).status, 409);
  for (const odd of ['+49', 'abc', 7, `${phone}x`, '+999999999999'])
    t.is((await post('/login', { 'phone-number': odd, otp: '000000' })).status, 401, String(odd));
});

test('security 140: an account without a password lets nobody in with an empty or missing one', async (t) => {
  const email = freshEmail();
  t.is((await post('/signup', { email, otp: await codeFor(email) })).status, 200);
  const wrong = await post('/login', { email, password: 'a wrong password' });
  t.is(wrong.status, 401);
  for (const body of [
    {},
    { password: '' },
    { password: null },
    { password: ' ' },
    { otp: '' },
    { otp: null },
    { password: '', otp: null },
  ]) {
    const answer = await post('/login', { email, ...body });
    t.true([400, 401].includes(answer.status), JSON.stringify(body));
    if (answer.status === 401) t.is(answer.text, wrong.text);
  }
  for (const password of [[], {}, 0, false]) t.is((await post('/login', { email, password })).status, 400);
});

test('security 149: a wrong code, an unknown address and a disabled account get one answer at login', async (t) => {
  const account = await server.makeAccount();
  const disabled = await server.makeAccount();
  const otp = await codeFor(disabled.email, disabled.id);
  await db.builder('accounts').where({ id: disabled.id }).update({ disabled_at: new Date() });
  await codeFor(account.email, account.id);
  const unknown = await post('/login', { email: freshEmail(), otp: '123456' });
  t.is(unknown.status, 401);
  t.is((await post('/login', { email: disabled.email, otp })).text, unknown.text);
  t.is((await post('/login', { email: disabled.email, otp, 'auto-signup': true })).text, unknown.text);
  const odd = await post('/login', { email: 'no address', otp: '123456' });
  t.is(odd.text, unknown.text);
  for (const otp of [123456, ['123456'], '123456 ', '12345', { a: 1 }])
    t.is((await post('/login', { email: account.email, otp })).status, 400, JSON.stringify(otp));
});

test('security 151: a code reclaims an account that somebody else made with the address, and leaves the own one as it is', async (t) => {
  const stolen = freshEmail();
  const stranger = server.browser();
  await stranger.post(`${API}/signup`, { name: 'X', email: stolen, password: PASSWORD });
  const owner = server.browser();
  await owner.post(`${API}/users/send-otp`, { email: stolen });
  const { code } = await mailbox.next(stolen);
  t.is((await owner.post(`${API}/login`, { email: stolen, otp: code })).status, 200);
  t.is((await stranger.me(NEWS)).status, 401);
  t.is((await post('/login', { email: stolen, password: PASSWORD })).status, 401);
  t.is((await owner.me(NEWS)).status, 200);

  const own = freshEmail();
  const maker = server.browser();
  await maker.post(`${API}/signup`, { name: 'Ada', email: own, password: PASSWORD });
  await maker.navigate(`${API}/logout`, { from: NEWS });
  await maker.post(`${API}/users/send-otp`, { email: own });
  const ownCode = (await mailbox.next(own)).code;
  t.is((await maker.post(`${API}/login`, { email: own, otp: ownCode })).status, 200);
  t.is((await post('/login', { email: own, password: PASSWORD })).status, 200, 'the browser has signed in before');
});

test('iOS: login and sign-up with x-qt-auth: dummy answer the token in a lower-case header; current-host is taken', async (t) => {
  const email = freshEmail();
  const headers = { 'x-qt-auth': 'dummy' };
  const made = await post(
    '/signup',
    { name: 'Ada', email, username: email, password: PASSWORD, 'send-welcome-email-delay': 5 },
    headers,
  );
  t.is(made.status, 200);
  t.truthy(made.headers['x-qt-auth']);
  const otp = await codeFor(email, String(made.json().user.id));
  const answer = await post('/login', { email, otp }, headers);
  t.is(answer.status, 200);
  const me = await server.browser().me(NEWS, { headers: { 'x-qt-auth': String(answer.headers['x-qt-auth']) } });
  t.is(me.json().user.email, email);
  t.is((await post('/users/forgot-password', { email, 'current-host': NEWS }, headers)).status, 200);
});

test('a realm without codes and links lets nobody in with one, and one without passwords nobody with one', async (t) => {
  const box = await startMailbox();
  for (const [methods, ask] of [
    ['[password]', 'otp'],
    ['[link]', 'password'],
  ] as const) {
    const other = await startTestServer({ yaml: realmWith(`${NO_LIMITS}, sign_in_methods: ${methods}`), mailbox: box });
    const account = await other.makeAccount();
    const { code } = await other.services.challenges.create(other.services.db, {
      realmId: account.realmId,
      accountId: account.id,
      purpose: 'one-time-code',
      recipient: account.email,
    });
    const body = ask === 'otp' ? { otp: code } : { password: PASSWORD };
    t.is((await postJson(other.port, `${API}/login`, { email: account.email, ...body })).status, 401);
    await other.close();
  }
  await box.close();
});

test('magic link: in the browser that asked it signs in, in another one it shows the code to type, and looking changes nothing', async (t) => {
  const box = await startMailbox();
  const linked = await startTestServer({
    yaml: realmWith(`${NO_LIMITS}, sign_in_methods: [link, code]`),
    mailbox: box,
  });
  t.teardown(async () => {
    await linked.close();
    await box.close();
  });
  const { codes } = linked.services.login;
  const realm = await linked.realm();
  const account = await linked.makeAccount();
  const [browser, other] = ['a', 'b'].map((letter) => letter.repeat(43)) as [never, never];
  const { hashToken } = await import('../../server/lib/token.ts');
  const asker = { address: null, locale: 'en', browserHash: hashToken(browser) };
  const start = () => codes.start(realm, { email: account.email, handle: 'H' }, asker);
  const attempt = {
    realm,
    host: HOSTS.auth as never,
    address: null,
    userAgent: null,
    locale: 'en',
    deviceCookie: null,
    browser,
    current: null,
  };
  t.deepEqual(await start(), { ok: true });
  const token = tokenIn((await box.next(account.email)).link);
  t.like(await codes.lookAtLink(realm, { token, browser }), { ok: true, handle: 'H' });
  const shown = await codes.finishByLink(attempt, { token, browser: other });
  if (shown.ok || shown.reason !== 'other-browser') return t.fail();
  t.like(await codes.finishByLink(attempt, { token, browser: null }), { ok: false, reason: 'other-browser' });
  const wrongBrowser = await codes.finish(attempt, { email: account.email, code: shown.code, browser: other });
  t.false(wrongBrowser.ok);
  const typed = await codes.finish(attempt, { email: account.email, code: shown.code, browser });
  t.true(typed.ok);
  t.like(await codes.finishByLink(attempt, { token, browser }), { ok: false, reason: 'consumed' });
  await start();
  const next = tokenIn((await box.next(account.email)).link);
  const done = await codes.finishByLink(attempt, { token: next, browser });
  t.true(done.ok);
  t.like(await codes.start(realm, { email: 'no address', handle: null }, asker), {
    ok: false,
    reason: 'invalid-contact',
  });
});

test('no code is sent to a number where the operator has no text messages', async (t) => {
  const answer = await post('/users/send-otp', { 'phone-number': freshPhone(), mediums: ['phone-number'] });
  t.is(answer.status, 400);
  t.truthy(login.codes);
});
