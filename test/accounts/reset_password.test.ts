import test from 'ava';
import { freshEmail, NO_LIMITS, realmWith, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import { enrol } from '../mfa/setup.ts';
import type { Answer } from '../support/browser.ts';
import { startMailbox } from '../support/mailbox.ts';
import { API, postJson } from '../support/raw.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);
const { db, challenges } = server.services;
const NEW = 'another long password';
const forgot = (email: string, more: object = {}, headers: Record<string, string> = {}) =>
  postJson(server.port, `${API}/users/forgot-password`, { email, ...more }, { headers });
const reset = (token: string, password = NEW) =>
  postJson(server.port, `${API}/users/reset-password-with-token`, {
    token,
    'new-password': password,
    'confirm-password': password,
  });
const login = (email: string, password: string) => postJson(server.port, `${API}/login`, { email, password });
const linkFor = async (email: string) => tokenIn((await mailbox.next(email)).link);

/** All of an answer that a stranger could compare, without the parts that differ every time. */
function visible({ status, text, headers }: Answer) {
  const { date: _date, 'x-request-id': _id, 'set-cookie': cookies, ...rest } = headers;
  return { status, text, headers: rest, cookies: cookies?.map((line) => line.replace(/=[^;]*/, '')) };
}

test('security 139: forgot-password, send-otp and send-verification-link answer a known and an unknown address with the same bytes', async (t) => {
  const known = await server.makeAccount();
  const disabled = await server.makeAccount();
  await db.builder('accounts').where({ id: disabled.id }).update({ disabled_at: new Date() });
  for (const [path, more] of [
    ['forgot-password', {}],
    ['send-otp', {}],
    ['send-otp', { 'always-send': true }],
    ['send-verification-link', { 'redirect-url': '/' }],
  ] as const) {
    const ask = (email: string) => postJson(server.port, `${API}/users/${path}`, { email, ...more });
    const unknown = visible(await ask(freshEmail()));
    t.is(unknown.status, 200);
    t.deepEqual(visible(await ask(known.email)), unknown, path);
    t.deepEqual(visible(await ask(disabled.email)), unknown, path);
  }
});

test('security 139: what a request for a link does before its answer is the same for a known and an unknown address', async (t) => {
  const known = await server.makeAccount();
  const unknown = freshEmail();
  const jobs = (email: string) =>
    db
      .builder('causeway_jobs.jobs')
      .whereRaw('key like ?', [`letter:reset-password:%${email}`])
      .count();
  for (const email of [known.email, unknown]) {
    await forgot(email);
    // The job is there or was done already; nothing else is written by the request.
    t.true(Number((await jobs(email))[0]?.['count']) <= 1);
  }
  await mailbox.next(known.email);
  t.deepEqual(mailbox.to(unknown), []);
});

test('security 147: the link goes to the address as stored, whatever spelling asked for it', async (t) => {
  const email = freshEmail().replace('reader', 'Bob').replace('example.com', 'A.example');
  const stored = (await server.makeAccount({ email })).email.replace('A.example', 'a.example');
  await forgot(email.toLowerCase());
  t.deepEqual((await mailbox.next(stored)).recipients, [stored]);
});

test('security 32: the link is on the configured host, whatever the request says about hosts', async (t) => {
  const account = await server.makeAccount();
  await forgot(
    account.email,
    { 'current-host': 'https://evil.test' },
    {
      'X-Forwarded-Host': 'evil.test',
      Forwarded: 'host=evil.test',
      'X-Original-Host': 'evil.test',
      'X-Host': 'evil.test',
      'X-Forwarded-Prefix': '/evil',
    },
  );
  const mail = await mailbox.next(account.email);
  t.true(String(mail.link).startsWith(`${originOf('auth')}/reset-password?token=`));
  t.false(mail.raw.includes('evil'));
});

test('security 50: a reset ends every session and refresh token and voids every other link and code', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth', 'news']);
  const realmId = account.realmId;
  const pending = await challenges.create(db, {
    realmId,
    accountId: account.id,
    purpose: 'change-email',
    recipient: freshEmail(),
  });
  const [client] = await db.builder('clients').where({ realm_id: realmId }).limit(1);
  await db.builder('token_families').insert({
    id: db.builder.raw('gen_random_uuid()'),
    realm_id: realmId,
    client_row_id: client.id,
    account_id: account.id,
    scopes: ['openid', 'offline_access'],
    expires_at: new Date(Date.now() + 86_400_000),
  });
  await forgot(account.email);
  const done = await reset(await linkFor(account.email));
  t.is(done.status, 200, done.text);
  t.deepEqual(done.cookies, [], 'nobody is signed in by it');
  for (const site of ['auth', 'news'] as const) t.is((await browser.me(originOf(site))).status, 401);
  t.deepEqual(await db.builder('token_families').where({ account_id: account.id }), []);
  t.is((await challenges.look(realmId, 'change-email', pending.token)).kind, 'unknown');
  t.is((await login(account.email, PASSWORD)).status, 401);
  t.is((await login(account.email, NEW)).status, 200);
  const notice = await mailbox.next(account.email);
  t.false(notice.text.includes(NEW));
});

test('security 148: a reset link works once; a used, made-up, older or purpose-swapped one gets one refusal', async (t) => {
  const account = await server.makeAccount();
  await forgot(account.email);
  const older = await linkFor(account.email);
  await forgot(account.email);
  const token = await linkFor(account.email);
  const verify = await challenges.create(db, {
    realmId: account.realmId,
    accountId: account.id,
    purpose: 'verify-email',
    recipient: account.email,
  });
  t.is((await reset(older)).status, 400);
  t.is((await reset(verify.token)).status, 400, 'a verification token is no reset token');
  t.is((await reset(`${token.slice(0, -1)}_`)).status, 400);
  t.is((await reset('')).status, 400);
  t.is((await reset(token)).status, 200);
  const again = await reset(token);
  t.is(again.status, 400);
  t.regex(again.json().error.message, /used, expired or replaced/);
});

test('a password that is refused leaves the link as it was', async (t) => {
  const account = await server.makeAccount();
  await forgot(account.email);
  const token = await linkFor(account.email);
  t.regex((await reset(token, 'short')).text, /at least 8 characters/);
  t.is(
    (
      await postJson(server.port, `${API}/users/reset-password-with-token`, {
        token,
        'new-password': NEW,
        'confirm-password': 'something else',
      })
    ).status,
    400,
  );
  t.is((await reset(token)).status, 200);
});

test('the alias reset-password-token does the same', async (t) => {
  const account = await server.makeAccount();
  await forgot(account.email);
  const body = { token: await linkFor(account.email), 'new-password': NEW, 'confirm-password': NEW };
  t.is((await postJson(server.port, `${API}/users/reset-password-token`, body)).status, 200);
});

test('security 149: reset-password takes six digits as a string and nothing else, five times, and no code of another purpose', async (t) => {
  const account = await server.makeAccount();
  const of = { realmId: account.realmId, accountId: account.id, recipient: account.email };
  const resetBy = (otp: unknown, email = account.email) =>
    postJson(server.port, `${API}/users/reset-password`, { email, otp, 'new-password': NEW });
  const { code } = await challenges.create(db, { ...of, purpose: 'one-time-code' });
  const verify = await challenges.create(db, { ...of, purpose: 'verify-email' });
  for (const odd of [17, [code], `${code} `, ` ${code}`, null, '', '12345', `${code}0`, { $gt: '' }, '１２３４５６']) {
    const answer = await resetBy(odd);
    t.is(answer.status, 400, JSON.stringify(odd));
    t.deepEqual(Object.keys(answer.json()), ['error']);
  }
  if (verify.code !== code) t.is((await resetBy(verify.code)).status, 400, 'a verification code is no reset code');
  t.is((await resetBy(code, freshEmail())).status, 400);
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  for (let guess = 0; guess < 4; guess++) t.is((await resetBy(wrong)).status, 400);
  const late = await resetBy(code);
  t.is(late.status, 400, 'the sixth guess is refused though it is right');
  t.deepEqual(Object.keys(late.json()), ['error']);
  t.is((await login(account.email, PASSWORD)).status, 200);
});

test('security 150: a reset goes around no second factor, and a one-time code does not either', async (t) => {
  const account = await server.makeAccount();
  await db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  await enrol(server, account);
  t.regex((await mailbox.next(account.email)).subject, /way to sign in/i);
  await forgot(account.email);
  const done = await reset(await linkFor(account.email));
  t.is(done.status, 200);
  await mailbox.next(account.email);
  const of = { realmId: account.realmId, accountId: account.id, recipient: account.email };
  const { code } = await challenges.create(db, { ...of, purpose: 'one-time-code' });
  for (const body of [{ password: NEW }, { otp: code }]) {
    const answer = await postJson(server.port, `${API}/login`, { email: account.email, ...body });
    t.is(answer.status, 200, answer.text);
    t.is(answer.json().code, 'tfa-validation-is-required');
    t.is(answer.json().user, undefined);
    t.false(answer.cookies.some((line) => line.startsWith('qt-auth=') && !/max-age=0/i.test(line)));
  }
});

test('security 151: a reset by the real owner drops password, sessions and pending changes of whoever made the account', async (t) => {
  const victim = freshEmail();
  // Trojan identifier and unexpired session: a stranger signs up with the victim’s address, stays signed in, starts a change.
  const stranger = server.browser();
  const signup = await stranger.post(`${API}/signup`, {
    name: 'X',
    email: victim,
    username: victim,
    password: PASSWORD,
  });
  t.is(signup.status, 200);
  const { id } = signup.json().user;
  const change = await stranger.post(`${API}/users/profile`, { email: freshEmail() });
  t.is(change.status, 200);
  await forgot(victim);
  t.is((await reset(await linkFor(victim))).status, 200);
  t.is((await stranger.me(originOf('news'))).status, 401);
  t.is((await login(victim, PASSWORD)).status, 401);
  const owner = await login(victim, NEW);
  t.like(owner.json().user, { id, email: victim, 'verification-status': 'email' });
  const open = await db
    .builder('challenges')
    .where({ account_id: id, purpose: 'change-email' })
    .whereNull('consumed_at');
  t.deepEqual(open, [], 'unexpired e-mail change');
  const events = await db.builder('audit_events').pluck('type').where({ account_id: id });
  t.true(events.includes('account.reclaimed'));
});

test('security 155: 100 forgot-password in a minute send at most three mails, and all get the same answer', async (t) => {
  const box = await startMailbox();
  const limited = await startTestServer({
    yaml: realmWith(`${NO_LIMITS}, messages_per_recipient: 3/15m`.replace('messages_per_recipient: 1000000/1h, ', '')),
    mailbox: box,
  });
  t.teardown(async () => {
    await limited.close();
    await box.close();
  });
  const [victim, other] = [await limited.makeAccount(), await limited.makeAccount()];
  const ask = (email: string) => postJson(limited.port, `${API}/users/forgot-password`, { email });
  const answers = [];
  for (let index = 0; index < 100; index++) answers.push(await ask(victim.email));
  t.deepEqual([...new Set(answers.map(({ status, text }) => `${status} ${text}`))].length, 1);
  await ask(other.email);
  await box.next(other.email);
  t.true(box.to(victim.email).length <= 3);
  t.true(box.to(victim.email).length >= 1);
});

test('a realm’s own page for a new password gets the token; current-host picks one of the realm’s sites and no other', async (t) => {
  const box = await startMailbox();
  const own = await startTestServer({
    yaml: realmWith(`${NO_LIMITS}, reset_password_url: "${originOf('news')}/auth/reset-password?lang=en"`),
    mailbox: box,
  });
  t.teardown(async () => {
    await own.close();
    await box.close();
  });
  for (const [currentHost, wanted] of [
    [undefined, originOf('news')],
    [originOf('sports'), originOf('sports')],
    [`${originOf('sports')}/`, originOf('sports')],
    ['SPORTS.test.localhost', originOf('sports')],
    ['https://evil.test', originOf('news')],
    ['sports.test.localhost@evil.test', originOf('news')],
    [originOf('auth'), originOf('news')],
  ] as const) {
    const account = await own.makeAccount();
    await postJson(own.port, `${API}/users/forgot-password`, { email: account.email, 'current-host': currentHost });
    const { link } = await box.next(account.email);
    t.true(String(link).startsWith(`${wanted}/auth/reset-password?lang=en&token=`), `${currentHost}: ${link}`);
  }
});

test('security 137: a reset refuses a much used password and the account’s own name, and leaves the link as it was', async (t) => {
  const account = await server.makeAccount({ name: 'Zelda Quimby' });
  await forgot(account.email);
  const token = await linkFor(account.email);
  for (const password of ['password123', 'ZeldaQuimby1', account.email]) {
    const answer = await reset(token, password);
    t.is(answer.status, 400);
    t.regex(answer.text, /new-password is too easy to guess/);
  }
  t.is((await login(account.email, PASSWORD)).status, 200);
  t.is((await reset(token)).status, 200);
});
