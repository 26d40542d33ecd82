import { randomBytes } from 'node:crypto';
import test from 'ava';
import type { Answer, Browser } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { beginSession, countRows, keepIn } from '../support/signed_in.ts';
import { API, codeOf, enrol, enrolledAccount, passFirst, wrongCodeOf } from './setup.ts';

const server = await startTestServer();
const strict = await startTestServer({
  yaml: REALM_YAML.replace('signup: open', 'signup: open, second_factor: required'),
});
test.after.always(async () => {
  await strict.close();
  await server.close();
});
const AUTH = originOf('auth');
const PAGE = `${AUTH}/account/two-step`;
const secretOn = (page: Answer) => String(/data-secret>([A-Z2-7 ]+)</.exec(page.text)?.[1]).replaceAll(' ', '');
const codesOn = (page: Answer) =>
  [...page.text.matchAll(/<li>((?:[0-9A-Z]{4}-){3}[0-9A-Z]{4})<\/li>/g)].map(([, code]) => String(code));
const signInOn = async (browser: Browser, account: { email: string }) =>
  browser.submit(await browser.follow(`${AUTH}/login`), { identifier: account.email, password: PASSWORD });

test('a reader sets two-step sign-in up, signs out, and signs in with a code, then with a recovery code', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await signInOn(browser, account);
  const page = await browser.follow(PAGE);
  t.is(page.status, 200);
  t.true(page.text.includes('data:image/png;base64,'));
  t.true(page.text.includes('otpauth://totp/'));
  const secret = secretOn(page);
  const wrong = await browser.submit(page, { code: wrongCodeOf(secret) });
  t.is(wrong.status, 401);
  t.is(secretOn(wrong), secret, 'the key stays the same');
  const before = browser.cookieHeader(HOSTS.auth);
  const codes = codesOn(await browser.submit(wrong, { code: codeOf(secret) }));
  t.is(codes.length, 10);
  t.not(browser.cookieHeader(HOSTS.auth), before, 'security 45: a new token');
  t.false((await browser.follow(PAGE)).text.includes(String(codes[0])), 'security 167: shown once');

  await browser.fetch(`${AUTH}${API}/logout`);
  const answer = await signInOn(browser, account);
  t.is(answer.location, '/login/second-factor');
  const ask = await browser.follow(`${AUTH}${answer.location}`, { from: AUTH });
  t.regex(ask.text, /inputmode="numeric"/);
  t.regex(ask.text, /autocomplete="one-time-code"/);
  t.is((await browser.submit(ask, { code: codeOf(secret, { steps: 1 }) })).location, '/');
  t.true((await browser.me(AUTH)).json().user['is-tfa-enabled']);

  await browser.fetch(`${AUTH}${API}/logout`);
  await signInOn(browser, account);
  const other = await browser.follow(`${AUTH}/login/second-factor?with=recovery`);
  t.is((await browser.submit(other, { code: 'AAAA-BBBB-CCCC-DDDD' })).status, 401);
  t.is((await browser.submit(other, { code: String(codes[4]).toLowerCase() })).location, '/');
  t.true((await browser.follow(PAGE)).text.includes('9 recovery codes'));
});

test('where it is required, the sign-in page leads through the set-up, and to the site after it', async (t) => {
  const account = await strict.makeAccount();
  const browser = strict.browser();
  const news = originOf('news');
  const arrived = await browser.signInThrough(news, account, PASSWORD, 'news');
  t.regex(arrived.url, /\/login\/second-factor\?request_handle=/);
  t.regex(String(arrived.headers['content-security-policy']), /form-action 'self' http:\/\/news/);
  const secret = secretOn(arrived);
  const codes = await browser.submit(arrived, { code: codeOf(secret) });
  t.is(codesOn(codes).length, 10);
  t.is((await browser.me(AUTH)).status, 401, 'nobody is signed in before the codes are saved');
  const saved = await browser.submit(codes, {});
  const landed = await browser.follow(new URL(String(saved.location), AUTH).href, { from: AUTH });
  t.is(landed.hops.at(-1), `${news}/`);
  t.is((await browser.me(news)).status, 200);
});

const ACTS = ['remove', 'renew-codes'];
for (const act of ACTS) {
  test(`security 169: with an old session, or one of password alone, ${act} leads to signing in and changes nothing`, async (t) => {
    const { account, secret } = await enrolledAccount(server);
    const { db } = server.services;
    const browser = server.browser();
    await passFirst(browser, account, 'auth');
    await browser.post(`${AUTH}${API}/tfa/validate`, { code: codeOf(secret) });
    const page = await browser.follow(PAGE);
    const rows = async () => [
      await countRows(server, 'totp_factors', { account_id: account.id }),
      await server.services.mfa.countRecoveryCodes(db, account.id),
    ];
    const age = (text: string, amr: string[]) =>
      db
        .builder('sessions')
        .where({ account_id: account.id })
        .update({ authenticated_at: db.builder.raw(`causeway_now() - ?::interval`, [text]), amr });
    await age('11 minutes', ['pwd', 'otp', 'mfa']);
    t.regex(String((await browser.submit(page, { act })).location), /^\/login\?request_handle=/);
    t.regex((await browser.follow(PAGE)).url, /\/login\?/);
    await age('0 minutes', ['pwd']);
    t.regex(String((await browser.submit(page, { act })).location), /^\/login\/second-factor\?request_handle=/);
    t.regex((await browser.follow(PAGE)).url, /\/login\/second-factor\?/);
    t.deepEqual(await rows(), [1, 10]);
    await age('0 minutes', ['pwd', 'otp', 'mfa']);
    t.true([200, 303].includes((await browser.submit(page, { act })).status));
    t.deepEqual(await rows(), act === 'remove' ? [0, 0] : [1, 10]);
    t.is((await browser.me(AUTH)).json().user['is-tfa-enabled'], act !== 'remove');
  });
}

test('security 169: adding a factor needs a recent sign-in too', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const session = await beginSession(server, account, ['auth']);
  keepIn(browser, session);
  const page = await browser.follow(PAGE);
  const { db } = server.services;
  await db
    .builder('sessions')
    .where({ id: session.id })
    .update({ authenticated_at: db.builder.raw("causeway_now() - interval '11 minutes'") });
  const sent = await browser.submit(page, { code: codeOf(secretOn(page)) });
  t.regex(String(sent.location), /^\/login\?request_handle=/);
  t.is(await countRows(server, 'totp_factors', { account_id: account.id }), 0);
});

test('another reader’s enrolment opens nothing', async (t) => {
  const [mine, other] = [await server.makeAccount(), await server.makeAccount()];
  const [one, two] = [server.browser(), server.browser()];
  keepIn(one, await beginSession(server, mine, ['auth']));
  keepIn(two, await beginSession(server, other, ['auth']));
  const [page, theirs] = [await one.follow(PAGE), await two.follow(PAGE)];
  const carried = String(/name="carried" value="([^"]*)"/.exec(page.text)?.[1]);
  t.is((await two.submit(theirs, { carried, code: codeOf(secretOn(page)) })).status, 303);
  for (const value of ['', 'x', randomBytes(40).toString('base64url')])
    t.is((await two.submit(theirs, { carried: value, code: '123456' })).status, 303);
  t.is(await countRows(server, 'totp_factors', { account_id: other.id }), 0);
});

test('audit: set-up, use, failure and removal are recorded, and an operator’s reset ends what waits', async (t) => {
  const account = await server.makeAccount();
  const { secret } = await enrol(server, account);
  const browser = server.browser();
  await passFirst(browser, account, 'news');
  await browser.post(`${originOf('news')}${API}/tfa/validate`, { code: wrongCodeOf(secret) });
  const { mfa, db, accounts } = server.services;
  const realm = await server.realm();
  await db.transaction((q) => mfa.reset(q, realm, account));
  t.is((await browser.post(`${originOf('news')}${API}/tfa/validate`, { code: codeOf(secret) })).status, 401);
  const types = (await db
    .builder('audit_events')
    .pluck('type')
    .where({ account_id: account.id })
    .orderBy('id')) as string[];
  t.deepEqual(
    types.filter((type) => type.startsWith('factor')),
    ['factor.added', 'factor.failed', 'factor.removed'],
  );
  t.false((await accounts.findById(db, account.id))?.isTfaEnabled);
  t.is(await mfa.countRecoveryCodes(db, account.id), 0);
});
