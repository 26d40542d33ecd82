import test from 'ava';
import { freshEmail, NO_LIMITS, realmWith, startWithMailbox } from '../challenges/setup.ts';
import { type Answer, authorizeUrl, type Browser } from '../support/browser.ts';
import { startMailbox } from '../support/mailbox.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';
import {
  AUTH,
  CALLBACK,
  click,
  headingOf,
  isSignedIn,
  NEWS,
  noticeOf,
  signInPage,
  submitAndFollow,
  wrongCode,
} from './pages.ts';

const { server, mailbox, close } = await startWithMailbox('verification: before-session');
test.after.always(close);

/** Signs up from a site; the page that asks for the code. */
async function signUp(browser: Browser, email: string): Promise<Answer & { hops: string[] }> {
  const form = await click(browser, await signInPage(browser), 'Create an account');
  return submitAndFollow(browser, form, { name: 'Una Neu', email, password: PASSWORD });
}

test('security 154: who signs up from a site waits for the code, is signed in with it, and goes on to the site', async (t) => {
  const [browser, email] = [server.browser(), freshEmail()];
  const sent = await signUp(browser, email);
  t.is(headingOf(sent), 'Check your mail');
  t.true(sent.text.includes(`We have sent a mail to ${email}.`));
  t.false(await isSignedIn(browser));
  const silent = await browser.follow(authorizeUrl(NEWS, 'news', CALLBACK), { from: `${NEWS}/` });
  t.is(headingOf(silent), 'Sign in', 'no session has begun');
  const { code } = await mailbox.next(email);
  t.true(noticeOf(await browser.submit(sent, { code: wrongCode(code) }))?.includes('4 tries left'));
  const done = await submitAndFollow(browser, sent, { code: String(code) });
  t.is(done.hops.at(-1), CALLBACK);
  t.is((await browser.me(NEWS)).json().user['verification-status'], 'email');
});

test('the link in the same browser signs in and goes on to the site, in another it only confirms', async (t) => {
  const [one, two] = [freshEmail(), freshEmail()];
  const [browser, other, phone] = [server.browser(), server.browser(), server.browser()];
  await signUp(browser, one);
  const page = await browser.follow(String((await mailbox.next(one)).link));
  t.is(headingOf(page), 'Confirm your email address');
  t.true(page.text.includes('The News'));
  t.is((await submitAndFollow(browser, page, {})).hops.at(-1), CALLBACK);

  const waiting = await signUp(other, two);
  const confirm = await phone.follow(String((await mailbox.next(two)).link));
  t.true(noticeOf(await other.submit(waiting, { act: 'go-on' }))?.includes('not confirmed yet'));
  const confirmed = await phone.submit(confirm, {});
  t.is(headingOf(confirmed), 'Address confirmed');
  t.false(await isSignedIn(phone));
  t.is(headingOf(await click(phone, confirmed, 'Sign in')), 'Sign in');
  const done = await submitAndFollow(other, waiting, { act: 'go-on' });
  t.is(done.hops.at(-1), CALLBACK, 'the browser that signed up goes on by its button');
  t.is(headingOf(await phone.follow(String(mailbox.to(two)[0]?.link))), 'Already done');
});

test('a browser that did not sign up is not signed in by the button, nor by a code of somebody else', async (t) => {
  const [browser, stranger] = [server.browser(), server.browser()];
  const [email, own] = [freshEmail(), freshEmail()];
  const waiting = await signUp(browser, email);
  const theirs = await signUp(stranger, own);
  const { code, link } = await mailbox.next(email);
  t.is((await stranger.submit(theirs, { to: email, code: String(code) })).status, 401);
  const phone = server.browser();
  await phone.submit(await phone.follow(String(link)), {});
  t.true(noticeOf(await stranger.submit(theirs, { to: email, act: 'go-on' }))?.includes('not confirmed yet'));
  t.false(await isSignedIn(stranger));
  await submitAndFollow(browser, waiting, { act: 'go-on' });
  t.true(await isSignedIn(browser));
});

test('the right password before the proof leads to the same page, and to the site after it', async (t) => {
  const email = freshEmail();
  await signUp(server.browser(), email);
  await mailbox.next(email);
  const later = server.browser();
  const sent = await submitAndFollow(later, await signInPage(later), { identifier: email, password: PASSWORD });
  t.is(headingOf(sent), 'Check your mail');
  t.false(await isSignedIn(later));
  const done = await submitAndFollow(later, sent, { code: String((await mailbox.next(email)).code) });
  t.is(done.hops.at(-1), CALLBACK);
});

test('a new mail can be asked for, as often as the page says, and another address taken', async (t) => {
  const limits = NO_LIMITS.replace('codes_per_recipient: 1000000/1h', 'codes_per_recipient: 2/1h');
  const own = await startMailbox();
  const limited = await startTestServer({
    yaml: realmWith(`${limits}, verification: before-session`),
    mailbox: own,
  });
  t.teardown(() => own.close());
  t.teardown(() => limited.close());
  const [browser, email] = [limited.browser(), freshEmail()];
  const sent = await signUp(browser, email);
  const first = await own.next(email);
  const again = await submitAndFollow(browser, sent, { act: 'resend' });
  t.true(noticeOf(again)?.startsWith('We have sent it once more'));
  const second = await own.next(email);
  t.not(second.code, first.code);
  const refused = await browser.submit(again, { act: 'resend' });
  t.is(refused.status, 429);
  t.truthy(refused.headers['retry-after']);
  t.regex(String(noticeOf(refused)), /several messages in a short time[\s\S]*try again in \d+ minutes/);
  t.is(headingOf(await click(browser, refused, 'Use another email address')), 'Create an account');
  t.is((await browser.submit(refused, { code: String(first.code) })).status, 401, 'the earlier code is void');
  t.is((await submitAndFollow(browser, refused, { code: String(second.code) })).hops.at(-1), CALLBACK);
});

test('security 139: with neutral answers a sign-up with a known address shows the same pages as with a new one', async (t) => {
  const own = await startMailbox();
  const neutral = await startTestServer({ yaml: realmWith(`${NO_LIMITS}, duplicate_signup: neutral`), mailbox: own });
  t.teardown(() => own.close());
  t.teardown(() => neutral.close());
  const account = await neutral.makeAccount();
  const fresh = freshEmail();
  const shown = [];
  for (const email of [account.email, fresh]) {
    const browser = neutral.browser();
    const sent = await signUp(browser, email);
    const code = wrongCode((await own.next(email)).code);
    const wrong = await browser.submit(sent, { code });
    const notYet = await browser.submit(sent, { act: 'go-on' });
    const cookies = [...browser.jarOf(new URL(AUTH).host).keys()].sort();
    shown.push([...[sent, wrong, notYet].map(({ status, text }) => [status, strip(text, email)]), cookies]);
  }
  t.deepEqual(shown[0], shown[1]);
  t.is(own.to(account.email)[0]?.subject, 'You already have an account with Test Group');
  const browser = neutral.browser();
  const again = freshEmail();
  const sent = await signUp(browser, again);
  const done = await submitAndFollow(browser, sent, { code: String((await own.next(again)).code) });
  t.is(done.hops.at(-1), CALLBACK);
});

const strip = (text: string, email: string) =>
  text
    .replaceAll(email, 'EMAIL')
    .replace(/nonce="[^"]*"/g, '')
    .replace(/name="(csrf_token|handle)" value="[^"]*"/g, '')
    .replace(/request_handle=[^"&]*/g, '');

const CONTACT_API = '/api/auth/v1/users/send-verification-link';

test('a link that a publisher had sent ends on its page, with the outcome in the fragment', async (t) => {
  const email = freshEmail();
  await signUp(server.browser(), email);
  await mailbox.next(email);
  const site = server.browser();
  const redirect = `${NEWS}/welcome?from=mail`;
  await site.post(`${NEWS}${CONTACT_API}`, { email, 'redirect-url': redirect });
  const first = String((await mailbox.next(email)).link);
  const reader = server.browser();
  const page = await reader.follow(first);
  t.is(headingOf(page), 'Confirm your email address');
  t.true(String(page.headers['content-security-policy']).includes(`form-action 'self' ${NEWS};`));
  const confirmed = await reader.submit(page, {});
  t.is(confirmed.status, 303);
  t.is(confirmed.location, `${redirect}#email-verified`);
  t.is((await reader.submit(page, {})).location, `${redirect}#token-consumed`);
  t.is((await reader.follow(first)).location, `${redirect}#token-consumed`);
});

test('the publisher’s page is also told of a link that is too old, and of a fault of ours', async (t) => {
  const email = freshEmail();
  await signUp(server.browser(), email);
  await mailbox.next(email);
  const redirect = `${NEWS}/welcome`;
  const site = server.browser();
  await site.post(`${NEWS}${CONTACT_API}`, { email, 'redirect-url': redirect });
  const link = String((await mailbox.next(email)).link);
  const reader = server.browser();
  const page = await reader.follow(link);
  const { builder } = server.services.db;
  const name = `broken_${Date.now()}`;
  await builder.raw(`create function ${name}() returns trigger language plpgsql as $$ begin
      if new.email = '${email}' then raise exception 'broken for a test'; end if; return new; end $$`);
  await builder.raw(`create trigger ${name} before update on accounts for each row execute function ${name}()`);
  t.is((await reader.submit(page, {})).location, `${redirect}#internal-error`);
  t.true(
    server.lines.some((line) => line.includes('broken for a test')),
    'and our log says why',
  );
  await builder.raw(`drop trigger ${name} on accounts; drop function ${name}()`);
  await builder('challenges')
    .where({ recipient: email })
    .update({ expires_at: new Date(0) });
  t.is((await reader.follow(link)).location, `${redirect}#invalid-token`);
  t.is(headingOf(await reader.navigate(`${AUTH}/verify-email?token=x`)), 'This link does not work');
});

test('security 9: a link scanner that fetches ahead and opens the page again and again confirms nothing', async (t) => {
  const email = freshEmail();
  const browser = server.browser();
  await signUp(browser, email);
  const link = String((await mailbox.next(email)).link);
  const scanner = server.browser();
  await scanner.navigate(link, { method: 'HEAD' });
  await scanner.navigate(link, { headers: { 'Sec-Purpose': 'prefetch' } });
  for (const _ of [1, 2, 3]) t.is((await scanner.follow(link)).status, 200);
  const row = await server.services.db.builder('accounts').where({ email }).first('verification_status');
  t.is(row['verification_status'], null);
  t.is((await submitAndFollow(browser, await browser.follow(link), {})).hops.at(-1), CALLBACK);
});
