import test from 'ava';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { API, codeOf, enrolledAccount, passFirst, sendCode, wrongCodeOf } from './setup.ts';

const server = await startTestServer();
const strict = await startTestServer({
  yaml: REALM_YAML.replace('signup: open', 'signup: open, second_factor: required'),
});
test.after.always(async () => {
  await strict.close();
  await server.close();
});
const NEWS = originOf('news');

test('contract: with a second factor POST /login answers a code word and tfa-auth, and no session', async (t) => {
  const { account } = await enrolledAccount(server);
  const browser = server.browser();
  const answer = await passFirst(browser, account);
  t.is(answer.json().code, 'tfa-validation-is-required');
  t.is(typeof answer.json().message, 'string');
  t.deepEqual(Object.keys(answer.json()).sort(), ['code', 'message']);
  t.false(answer.cookies.some((line) => /qt-auth/.test(line)));
  t.is(answer.headers['x-qt-auth'], undefined);
  const cookie = String(answer.cookies.find((line) => line.startsWith('tfa-auth=')));
  for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/', 'Max-Age=600'])
    t.true(cookie.includes(attribute), attribute);
  t.false(/domain=/i.test(cookie));
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
});

test('contract: POST /tfa/validate with a right code answers the user and signs in', async (t) => {
  const { account, secret } = await enrolledAccount(server);
  const browser = server.browser();
  await passFirst(browser, account);
  const answer = await sendCode(browser, codeOf(secret));
  t.is(answer.status, 200);
  t.is(answer.json().user.email, account.email);
  t.true(answer.json().user['is-tfa-enabled']);
  t.true(answer.cookies.some((line) => /^qt-auth=./.test(line)));
  t.is(browser.jarOf(HOSTS.news).get('tfa-auth'), undefined);
  t.is((await browser.me(NEWS)).status, 200);
  t.is(await countRows(server, 'second_factor_challenges', { account_id: account.id }), 0);
});

test('contract: where the realm requires it, who has no second factor sets one up and then signs in with it', async (t) => {
  const account = await strict.makeAccount();
  const browser = strict.browser();
  const answer = await passFirst(browser, account);
  t.is(answer.json().code, 'tfa-setup-is-required');
  t.is((await sendCode(browser, '000000')).status, 403);

  const shown = (await browser.fetch(`${NEWS}${API}/tfa/qr-code`)).json();
  t.regex(shown.secret, /^[A-Z2-7]{32}$/);
  t.true(shown['qr-code'].startsWith('data:image/png;base64,'));
  const uri = new URL(shown['otpauth-url']);
  t.is(uri.searchParams.get('secret'), shown.secret);
  t.is(uri.searchParams.get('issuer'), 'Test Group');
  t.is((await browser.fetch(`${NEWS}${API}/tfa/qr-code`)).json().secret, shown.secret, 'a reload shows the same key');

  const enable = (code: string) => browser.post(`${NEWS}${API}/tfa/enable`, { code });
  t.is((await enable(wrongCodeOf(shown.secret))).status, 401);
  t.is(await countRows(strict, 'totp_factors', { account_id: account.id }), 0);
  const enabled = await enable(codeOf(shown.secret));
  t.is(enabled.status, 200);
  t.is(enabled.json()['recovery-codes'].length, 10);
  t.false(enabled.cookies.some((line) => /qt-auth/.test(line)));
  t.is((await enable(codeOf(shown.secret, { steps: 1 }))).status, 403, 'it is set up once');
  t.is((await browser.fetch(`${NEWS}${API}/tfa/qr-code`)).status, 403, 'the key is shown no more');
  t.is((await sendCode(browser, codeOf(shown.secret))).status, 401, 'the code of the set-up is used up');
  t.is((await sendCode(browser, codeOf(shown.secret, { steps: 1 }))).status, 200);
  t.is((await browser.me(NEWS)).json().user['is-tfa-enabled'], true);
});

test('a sign-up where a second factor is required begins no session either', async (t) => {
  const browser = strict.browser();
  const email = 'new-here@example.com';
  const answer = await browser.post(`${NEWS}${API}/signup`, { name: 'New Here', email, password: PASSWORD });
  t.is(answer.json().code, 'tfa-setup-is-required');
  t.is((await browser.me(NEWS)).status, 401);
});

test('security 17, 166: who has a factor cannot put another in its place with the password alone', async (t) => {
  const { account, secret } = await enrolledAccount(server);
  const browser = server.browser();
  await passFirst(browser, account);
  t.is((await browser.fetch(`${NEWS}${API}/tfa/qr-code`)).status, 403);
  t.is((await browser.post(`${NEWS}${API}/tfa/enable`, { code: codeOf(secret) })).status, 403);
  t.is((await sendCode(browser, codeOf(secret))).status, 200);
});

test('malformed codes are refused with a reason and cost no session', async (t) => {
  const { account } = await enrolledAccount(server);
  const browser = server.browser();
  await passFirst(browser, account);
  for (const body of [
    {},
    { code: null },
    { code: [] },
    { code: {} },
    { code: -1 },
    { code: 1.5 },
    { code: 'x'.repeat(101) },
  ]) {
    const answer = await browser.post(`${NEWS}${API}/tfa/validate`, body);
    t.is(answer.status, 400, JSON.stringify(body));
    t.true(answer.json().message.includes('code'));
  }
  for (const code of ['', ' ', '12345', '1234567', 'abcdef', '١٢٣٤٥٦'])
    t.true([401].includes((await sendCode(browser, code)).status), code);
});

test('contract: without tfa-auth the second-factor doors answer 401', async (t) => {
  const browser = server.browser();
  t.is((await browser.fetch(`${NEWS}${API}/tfa/qr-code`)).status, 401);
  t.is((await browser.post(`${NEWS}${API}/tfa/enable`, { code: '123456' })).status, 401);
  const answer = await sendCode(browser, '123456');
  t.is(answer.status, 401);
  t.is(typeof answer.json().error.message, 'string');
});

test('a code with spaces between its digits, and one sent as a number, are understood', async (t) => {
  const [one, other] = [await enrolledAccount(server), await enrolledAccount(server)];
  const browser = server.browser();
  await passFirst(browser, one.account);
  t.is((await sendCode(browser, codeOf(one.secret).replace(/^.../, '$& '))).status, 200);
  const second = server.browser();
  await passFirst(second, other.account);
  t.is((await sendCode(second, Number(codeOf(other.secret)))).status, 200);
});

test('security 208: a code word of the second factor is no authorization code', async (t) => {
  for (const word of ['tfa-validation-is-required', 'tfa-setup-is-required']) {
    const answer = await server.browser().navigate(`${NEWS}${API}/oauth/token?code=${word}&callback_uri=${NEWS}/`);
    t.is(answer.status, 400);
    t.false(answer.cookies.some((line) => /^qt-auth=./.test(line)));
  }
});
