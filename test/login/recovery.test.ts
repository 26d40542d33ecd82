import test from 'ava';
import { freshEmail, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import type { Answer } from '../support/browser.ts';
import { PASSWORD } from '../support/server.ts';
import { beginSession, countRows, keepIn } from '../support/signed_in.ts';
import {
  AUTH,
  CALLBACK,
  click,
  errorOf,
  headingOf,
  isSignedIn,
  letPass,
  NEWS,
  noticeOf,
  signInPage,
  submitAndFollow,
  wrongCode,
} from './pages.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);
const NEW_PASSWORD = 'another long password';

test('a forgotten password from the sign-in page of a site to that site again, by the code', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const failed = await browser.submit(await signInPage(browser), { identifier: account.email, password: 'wrong one' });
  const forgot = await click(browser, failed, 'Forgot your password?');
  t.is(headingOf(forgot), 'Forgot your password?');
  t.true(forgot.text.includes(`value="${account.email}"`), 'the address is filled in');
  const sent = await submitAndFollow(browser, forgot, { email: account.email });
  t.is(headingOf(sent), 'Check your mail');
  t.true(sent.text.includes(`If there is an account with ${account.email}, we have sent a mail.`));
  t.false(sent.url.includes(account.email), 'no address carries the address');
  const { code } = await mailbox.next(account.email);
  const page = await submitAndFollow(browser, sent, { code: `${code?.slice(0, 3)} ${code?.slice(3)}` });
  t.is(headingOf(page), 'Choose a new password');
  const short = await browser.submit(page, { password: 'short' });
  t.is(short.status, 400);
  t.is(errorOf(short), 'Choose a password of at least 8 characters');
  const signIn = await submitAndFollow(browser, short, { password: NEW_PASSWORD });
  t.true(noticeOf(signIn)?.startsWith('Your new password is set'));
  t.true(signIn.text.includes(`value="${account.email}"`));
  t.false(await isSignedIn(browser));
  const done = await submitAndFollow(browser, signIn, { identifier: account.email, password: NEW_PASSWORD });
  t.is(done.hops.at(-1), CALLBACK);
  t.is(noticeOf(await server.browser().navigate(`${AUTH}/login`)), null, 'the note is for that browser, once');
});

test('security 50: a new password by the link ends every session and signs nobody in, in whichever browser', async (t) => {
  const account = await server.makeAccount();
  const others = await Promise.all(
    [1, 2].map(async () => {
      const other = server.browser();
      keepIn(other, await beginSession(server, account));
      return other;
    }),
  );
  const browser = server.browser();
  const forgot = await click(browser, await signInPage(browser), 'Forgot your password?');
  await submitAndFollow(browser, forgot, { email: account.email });
  const { link } = await mailbox.next(account.email);
  const phone = server.browser();
  const page = await phone.follow(String(link));
  t.is(headingOf(page), 'Choose a new password');
  t.is(page.headers['referrer-policy'], 'no-referrer');
  const signIn = await submitAndFollow(phone, page, { password: NEW_PASSWORD });
  t.false(await isSignedIn(phone));
  for (const other of others) {
    t.false(await isSignedIn(other));
    t.false(await isSignedIn(other, NEWS));
  }
  const done = await submitAndFollow(phone, signIn, { identifier: account.email, password: NEW_PASSWORD });
  t.true(
    done.hops.some((hop) => hop.startsWith(`${NEWS}/`)),
    'the way back is in the link, for any browser',
  );
  const old = await server.browser().follow(String(link));
  t.is(old.status, 410);
  t.is(headingOf(old), 'This does not work any more');
  const withOld = server.browser();
  const refused = await withOld.submit(await withOld.navigate(`${AUTH}/login`), {
    identifier: account.email,
    password: PASSWORD,
  });
  t.is(refused.status, 401);
});

test('security 139: an address that is nobody’s is answered with the same pages, wrong codes included', async (t) => {
  const account = await server.makeAccount();
  const pages = [];
  for (const email of [account.email, freshEmail()]) {
    const browser = server.browser();
    const forgot = await browser.navigate(`${AUTH}/forgot-password`);
    const sent = await submitAndFollow(browser, forgot, { email });
    const shown: Answer[] = [sent];
    const code = email === account.email ? wrongCode((await mailbox.next(email)).code) : '123456';
    for (const _ of [1, 2, 3, 4, 5]) shown.push(await browser.submit(sent, { code }));
    pages.push(shown.map(({ status, text }) => [status, strip(text, email)]));
  }
  t.deepEqual(pages[0], pages[1]);
});

const strip = (text: string, email: string) =>
  text
    .replaceAll(email, 'EMAIL')
    .replace(/nonce="[^"]*"/g, '')
    .replace(/name="csrf_token" value="[^"]*"/g, '');

test('a wrong code says how many tries are left, the sixth none, and a new mail begins anew', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const sent = await submitAndFollow(browser, await browser.navigate(`${AUTH}/forgot-password`), {
    email: account.email,
  });
  const { code } = await mailbox.next(account.email);
  t.is(errorOf(await browser.submit(sent, { code: '' })), 'Enter the code');
  t.is(errorOf(await browser.submit(sent, { code: '12345' })), 'Enter the six digits of the code');
  for (const words of ['4 tries left', '3 tries left', '2 tries left', 'one try left', 'too many wrong tries']) {
    const wrong = await browser.submit(sent, { code: wrongCode(code) });
    t.is(wrong.status, 401);
    t.true(noticeOf(wrong)?.includes(words), `${words}: ${noticeOf(wrong)}`);
  }
  t.is((await browser.submit(sent, { code: String(code) })).status, 401, 'security 149: not even the right one');
  const again = await submitAndFollow(browser, sent, { act: 'resend' });
  t.true(noticeOf(again)?.startsWith('We have sent it once more'));
  const second = await mailbox.next(account.email);
  t.is(headingOf(await submitAndFollow(browser, again, { code: String(second.code) })), 'Choose a new password');
});

test('security 149: a right code on the fifth try still leads to a new password, and works once', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const sent = await submitAndFollow(browser, await browser.navigate(`${AUTH}/forgot-password`), {
    email: account.email,
  });
  const { code } = await mailbox.next(account.email);
  for (const _ of [1, 2, 3, 4]) await browser.submit(sent, { code: wrongCode(code) });
  const page = await submitAndFollow(browser, sent, { code: String(code) });
  const [one, two] = await Promise.all([
    browser.submit(page, { password: NEW_PASSWORD }),
    browser.submit(page, { password: `${NEW_PASSWORD}!` }),
  ]);
  t.deepEqual([one.status, two.status].filter((status) => status === 303).length, 1);
});

test('security 148: a link or a right code that is too old, or that a newer mail replaced, sets nothing', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const start = await browser.navigate(`${AUTH}/forgot-password`);
  const sent = await submitAndFollow(browser, start, { email: account.email });
  const first = await mailbox.next(account.email);
  const byCode = await submitAndFollow(browser, sent, { code: String(first.code) });
  const byLink = await browser.follow(String(first.link));
  await submitAndFollow(browser, start, { email: account.email });
  const second = await mailbox.next(account.email);
  for (const page of [byCode, byLink]) t.is((await browser.submit(page, { password: NEW_PASSWORD })).status, 410);
  const open = await browser.follow(String(second.link));
  await letPass(server, account.email, 3601);
  t.is((await browser.follow(String(second.link))).status, 410);
  t.is((await browser.submit(open, { password: NEW_PASSWORD })).status, 410);
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'password.reset' }), 0);
});

test('security 9: HEAD, prefetching and any number of visits leave the link as it was', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await submitAndFollow(browser, await browser.navigate(`${AUTH}/forgot-password`), { email: account.email });
  const { link } = await mailbox.next(account.email);
  const scanner = server.browser();
  await scanner.navigate(String(link), { method: 'HEAD' });
  await scanner.navigate(String(link), { headers: { 'Sec-Purpose': 'prefetch;prerender' } });
  for (const _ of [1, 2, 3]) t.is((await scanner.follow(String(link))).status, 200);
  const acted = await scanner.navigate(`${AUTH}/reset-password`, {
    method: 'POST',
    from: AUTH,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ token: tokenIn(link), password: NEW_PASSWORD }).toString(),
  });
  t.is(acted.status, 403, 'without the form’s own token nothing is set');
  const page = await browser.follow(String(link));
  t.is((await browser.submit(page, { password: NEW_PASSWORD })).status, 303);
});

test('a form that was open too long is renewed with what was typed, and a browser without cookies is told so', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const forgot = await browser.navigate(`${AUTH}/forgot-password`);
  const renewed = await browser.submit(forgot, { email: account.email, csrf_token: 'of-yesterday' });
  t.is(renewed.status, 403);
  t.true(renewed.text.includes(`value="${account.email}"`));
  const sent = await submitAndFollow(browser, renewed, { email: account.email });
  const { link } = await mailbox.next(account.email);
  const page = await browser.follow(String(link));
  const stale = await browser.submit(page, { password: NEW_PASSWORD, csrf_token: 'of-yesterday' });
  t.true(noticeOf(stale)?.includes('choose your password once more'));
  t.is((await browser.submit(stale, { password: NEW_PASSWORD })).status, 303);
  for (const form of [forgot, sent]) {
    const bare = server.browser();
    const refused = await bare.submit(form, { email: account.email, renewed: '1' }, { cookies: null });
    t.is(headingOf(refused), 'Your browser did not keep our cookie');
  }
});

test('faults of the address are said at its field, and what cannot be a token leads to the page that asks again', async (t) => {
  const browser = server.browser();
  const forgot = await browser.navigate(`${AUTH}/forgot-password`);
  t.is(errorOf(await browser.submit(forgot, { email: ' ' })), 'Enter your email address');
  const wrong = await browser.submit(forgot, { email: 'nobody' });
  t.is(errorOf(wrong), 'Enter an email address like name@example.com');
  t.is(wrong.status, 400);
  for (const query of ['', '?token=', '?token=x', `?token=${'x'.repeat(5000)}`]) {
    const page = await browser.navigate(`${AUTH}/reset-password${query}`);
    t.is(page.status, 410, query);
    t.is(headingOf(await click(browser, page, 'Ask for a new mail')), 'Forgot your password?');
  }
  t.is((await browser.follow(`${AUTH}/reset-password/code`)).url, `${AUTH}/forgot-password`);
});
