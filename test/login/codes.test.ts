import test from 'ava';
import { freshEmail, NO_LIMITS, realmWith, startWithMailbox } from '../challenges/setup.ts';
import { startMailbox } from '../support/mailbox.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import {
  AUTH,
  CALLBACK,
  click,
  errorOf,
  headingOf,
  isSignedIn,
  letPass,
  noticeOf,
  signInPage,
  submitAndFollow,
  wrongCode,
} from './pages.ts';

const { server, mailbox, close } = await startWithMailbox('sign_in_methods: [password, code]');
const linkMailbox = await startMailbox();
const linkServer = await startTestServer({
  yaml: realmWith(`${NO_LIMITS}, sign_in_methods: [link]`),
  mailbox: linkMailbox,
});
test.after.always(close);
test.after.always(() => linkServer.close().then(linkMailbox.close));

test('a code instead of the password, from the sign-in page of a site to that site', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const start = await signInPage(browser);
  t.true(start.text.includes('Send me a code instead'));
  const sent = await submitAndFollow(browser, start, { identifier: account.email, way: 'code' });
  t.is(headingOf(sent), 'Check your mail');
  t.regex(sent.text, /inputmode="numeric"[\s\S]*/);
  t.true(sent.text.includes('autocomplete="one-time-code"'));
  const { code } = await mailbox.next(account.email);
  const wrong = await browser.submit(sent, { code: wrongCode(code) });
  t.is(wrong.status, 401);
  t.true(noticeOf(wrong)?.includes('4 tries left'));
  const done = await submitAndFollow(browser, wrong, { code: String(code) });
  t.is(done.hops.at(-1), CALLBACK);
  t.true(await isSignedIn(browser));
});

test('security 149: a code is good in the browser that asked for it alone, and once', async (t) => {
  const account = await server.makeAccount();
  const [browser, other] = [server.browser(), server.browser()];
  const sent = await submitAndFollow(browser, await signInPage(browser), { identifier: account.email, way: 'code' });
  const { code } = await mailbox.next(account.email);
  const elsewhere = await submitAndFollow(other, await signInPage(other), { identifier: freshEmail(), way: 'code' });
  t.is((await other.submit(elsewhere, { to: account.email, code: String(code) })).status, 401);
  t.false(await isSignedIn(other));
  const answers = await Promise.all([1, 2, 3].map(() => browser.submit(sent, { code: String(code) })));
  t.is(answers.filter(({ status }) => status === 303).length, 1);
});

test('a code that is too old is said to be, and a new one signs in', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const sent = await submitAndFollow(browser, await signInPage(browser), { identifier: account.email, way: 'code' });
  const first = await mailbox.next(account.email);
  await letPass(server, account.email, 601);
  t.is((await browser.submit(sent, { code: String(first.code) })).status, 401);
  const again = await submitAndFollow(browser, sent, { act: 'resend' });
  const done = await submitAndFollow(browser, again, { code: String((await mailbox.next(account.email)).code) });
  t.is(done.hops.at(-1), CALLBACK);
});

test('security 139: the page for the code is the same for an address that is nobody’s', async (t) => {
  const account = await server.makeAccount();
  const shown = [];
  for (const identifier of [account.email, freshEmail()]) {
    const browser = server.browser();
    const sent = await submitAndFollow(browser, await browser.navigate(`${AUTH}/login`), { identifier, way: 'code' });
    const wrong = await browser.submit(sent, { code: '12345x' });
    shown.push([sent, wrong].map(({ status, text }) => [status, strip(text, identifier)]));
  }
  t.deepEqual(shown[0], shown[1]);
});

const strip = (text: string, email: string) =>
  text
    .replaceAll(email, 'EMAIL')
    .replace(/nonce="[^"]*"/g, '')
    .replace(/name="csrf_token" value="[^"]*"/g, '');

test('what is no address is said at its field; a stale form is renewed with what was typed', async (t) => {
  const browser = server.browser();
  const start = await browser.navigate(`${AUTH}/login`);
  for (const identifier of ['', 'robin', '@', '+49 151 2345678']) {
    const again = await browser.submit(start, { identifier, way: 'code' });
    t.is(again.status, 400, identifier);
    t.is(errorOf(again), 'Enter your email address');
  }
  const stale = await browser.submit(start, { identifier: 'a@example.com', way: 'code', csrf_token: 'old' });
  t.is(stale.status, 403);
  t.true(stale.text.includes('value="a@example.com"'));
  const sent = await submitAndFollow(browser, stale, { identifier: 'a@example.com', way: 'code' });
  const renewed = await browser.submit(sent, { code: '123456', csrf_token: 'old' });
  t.true(noticeOf(renewed)?.includes('enter the code once more'));
  t.true(renewed.text.includes('a@example.com'));
});

test('two tabs that ask for two addresses each sign in to their own', async (t) => {
  const [one, two] = [await server.makeAccount(), await server.makeAccount()];
  const browser = server.browser();
  const start = await browser.navigate(`${AUTH}/login`);
  const first = await submitAndFollow(browser, start, { identifier: one.email, way: 'code' });
  await submitAndFollow(browser, start, { identifier: two.email, way: 'code' });
  const { code } = await mailbox.next(one.email);
  await submitAndFollow(browser, first, { code: String(code) });
  t.is((await browser.me(AUTH)).json().user.email, one.email);
});

test('without a mail server neither codes nor new passwords are offered', async (t) => {
  const silent = await startTestServer();
  t.teardown(() => silent.close());
  const browser = silent.browser();
  const page = await browser.navigate(`${AUTH}/login`);
  t.false(/Send me|Forgot/.test(page.text));
  t.is((await browser.navigate(`${AUTH}/forgot-password`)).status, 404);
  const forged = await browser.submit(page, { identifier: 'a@example.com', way: 'code' });
  t.is(forged.status, 400);
});

test('a realm without passwords asks for the address alone; the link signs in in the same browser, by its button', async (t) => {
  const account = await linkServer.makeAccount();
  const browser = linkServer.browser();
  const start = await signInPage(browser);
  t.false(start.text.includes('type="password"'));
  t.false(start.text.includes('Forgot'));
  const sent = await submitAndFollow(browser, start, { identifier: account.email, way: 'code' });
  t.true(sent.text.includes('we have sent a link by mail'));
  const { link } = await linkMailbox.next(account.email);
  const page = await browser.follow(String(link));
  t.is(headingOf(page), 'Sign in');
  t.true(page.text.includes(`as ${account.email} in this browser`));
  t.false(await isSignedIn(browser), 'opening it is not enough');
  const done = await submitAndFollow(browser, page, {});
  t.is(done.hops.at(-1), CALLBACK);
  const used = await browser.follow(String(link));
  t.deepEqual([used.status, headingOf(used)], [410, 'This link was used already']);
});

test('the link in another browser shows the code for the first, and signs nobody in there', async (t) => {
  const account = await linkServer.makeAccount();
  const [browser, phone] = [linkServer.browser(), linkServer.browser()];
  const sent = await submitAndFollow(browser, await signInPage(browser), { identifier: account.email, way: 'code' });
  const { link } = await linkMailbox.next(account.email);
  const shown = await phone.follow(String(link));
  t.is(headingOf(shown), 'Enter this code where you are signing in');
  const code = /class="big-code"><bdi>(\d{6})</.exec(shown.text)?.[1];
  t.false(shown.text.includes('<form'));
  t.false(await isSignedIn(phone));
  const forged = await phone.submit(await phone.navigate(`${AUTH}/login`), { way: 'code', identifier: account.email });
  t.is(forged.status, 303, 'a new one asked for elsewhere takes the place of the first');
  await linkMailbox.next(account.email);
  t.is((await browser.submit(sent, { code: String(code) })).status, 401);
  const again = await submitAndFollow(browser, sent, { act: 'resend' });
  const second = await phone.follow(String((await linkMailbox.next(account.email)).link));
  const secondCode = /class="big-code"><bdi>(\d{6})</.exec(second.text)?.[1];
  const done = await submitAndFollow(browser, again, { code: String(secondCode) });
  t.is(done.hops.at(-1), CALLBACK);
});

test('security 9: a link scanner leaves the sign-in link as it was, and a stale button is renewed', async (t) => {
  const account = await linkServer.makeAccount();
  const browser = linkServer.browser();
  await submitAndFollow(browser, await signInPage(browser), { identifier: account.email, way: 'code' });
  const link = String((await linkMailbox.next(account.email)).link);
  const scanner = linkServer.browser();
  await scanner.navigate(link, { method: 'HEAD' });
  for (const _ of [1, 2, 3]) t.is((await scanner.follow(link)).status, 200);
  t.false(await isSignedIn(scanner));
  const page = await browser.follow(link);
  const stale = await browser.submit(page, { csrf_token: 'old' });
  t.true(noticeOf(stale)?.includes('press the button once more'));
  const own = await scanner.navigate(`${AUTH}/login`);
  const stolen = await scanner.submit(
    { ...page, text: own.text.replace('action="/login"', 'action="/login/link"') },
    {
      token: String(new URL(link).searchParams.get('token')),
    },
  );
  t.is(headingOf(stolen), 'Enter this code where you are signing in');
  t.is(scanner.jarOf(HOSTS.auth).get('qt-auth'), undefined);
  t.is((await submitAndFollow(browser, stale, {})).hops.at(-1), CALLBACK);
});

test('with a code first, the password is one click away, and a code by text message where the operator has a webhook', async (t) => {
  const own = await startMailbox();
  const first = await startTestServer({
    yaml: realmWith(`${NO_LIMITS}, default_country: DE, "sign_in_methods": [code, password]`),
    mailbox: own,
    env: {
      CAUSEWAY_SMS_WEBHOOK: 'http://127.0.0.1:9/texts',
      CAUSEWAY_SMS_WEBHOOK_SECRET: `whsec_${Buffer.from('x'.repeat(32)).toString('base64')}`,
    },
  });
  t.teardown(() => own.close());
  t.teardown(() => first.close());
  const browser = first.browser();
  const start = await signInPage(browser);
  t.true(start.text.includes('Email address or phone number'));
  t.false(start.text.includes('type="password"'));
  const withPassword = await click(browser, start, 'Sign in with your password');
  t.true(withPassword.text.includes('type="password"'));
  t.true(withPassword.text.includes('The News'));
  const sent = await submitAndFollow(browser, start, { identifier: '0151 23456789', way: 'code' });
  t.is(headingOf(sent), 'Check your phone');
  t.true(sent.text.includes('0151 23456789'));
  const asked = await submitAndFollow(browser, sent, { act: 'resend' });
  t.true(noticeOf(asked)?.startsWith('We have sent it once more'));
});
