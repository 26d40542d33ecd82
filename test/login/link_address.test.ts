// The token of a link leaves the address bar before its page is shown, and nothing is used up by that.

import test from 'ava';
import { freshEmail, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import type { Browser } from '../support/browser.ts';
import { HOSTS } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { AUTH, headingOf } from './pages.ts';

const { server, mailbox, close } = await startWithMailbox('sign_in_methods: [password, link]');
test.after.always(close);
const COOKIE = /^__Host-qt-link-[0-9a-f]{12}$/;
const linkCookies = (browser: Browser) => [...browser.jarOf(HOSTS.auth).keys()].filter((name) => COOKIE.test(name));
const pathOf = (url: string | undefined) => new URL(String(url)).pathname;

/** A link to a new password for somebody, asked for in a browser that then is closed. */
async function resetLink(email: string): Promise<string> {
  const asking = server.browser();
  await asking.submit(await asking.follow(`${AUTH}/forgot-password`), { email });
  return String((await mailbox.next(email)).link);
}

test('security 9: a link ends at an address without its token, with a cookie that no script reads, and is still whole', async (t) => {
  const account = await server.makeAccount();
  const link = await resetLink(account.email);
  const token = tokenIn(link);
  const browser = server.browser();
  const first = await browser.navigate(link);
  t.is(first.status, 303);
  const [line = ''] = first.cookies.filter((one) => one.startsWith('__Host-qt-link-'));
  for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/', 'Max-Age=3600'])
    t.true(line.includes(attribute), attribute);
  const page = await browser.follow(new URL(String(first.location), AUTH).href, { from: AUTH });
  t.is(headingOf(page), 'Choose a new password');
  t.is(pathOf(page.url), '/reset-password');
  t.false(page.url.includes(token));
  t.is(page.headers['referrer-policy'], 'no-referrer');
  // The form carries it, and no link of the page does.
  t.is(page.text.split(token).length, 2);
  t.true(page.text.includes(`<input type="hidden" name="token" value="${token}">`));
  const row = await server.services.db.builder('challenges').where({ recipient: account.email }).first('consumed_at');
  t.is(row['consumed_at'], null);
  t.is(headingOf(await browser.navigate(page.url)), 'Choose a new password', 'a reload shows it again');
  const german = /href="([^"]*ui_locales=de[^"]*)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&');
  t.is(headingOf(await browser.navigate(`${AUTH}${german}`)), 'Neues Passwort wählen');
  t.is((await browser.submit(page, { password: 'another long password' })).status, 303);
});

test('every kind of link does so, in the browser that asked and in any other', async (t) => {
  const account = await server.makeAccount();
  const { builder } = server.services.db;
  const asking = server.browser();
  await asking.submit(await asking.follow(`${AUTH}/login`), { identifier: account.email, way: 'code' });
  const links = [String((await mailbox.next(account.email)).link), await resetLink(account.email)];
  const realm = await server.realm();
  const asker = { address: null, locale: 'en', browserHash: null };
  const verify = { email: account.email, redirectUrl: null };
  const [domain] = await server.services.realms.listDomains(realm.id);
  if (domain) await server.services.verification.request({ realm, domain }, verify, asker);
  links.push(String((await mailbox.next(account.email)).link));
  const next = freshEmail();
  const contact = { kind: 'email', address: next, canonical: next as never } as const;
  const change = { purpose: 'change-email', accountId: account.id } as const;
  await server.services.letters.enqueue(server.services.db, realm.id, contact, change, asker);
  links.push(String((await mailbox.next(next)).link));
  t.deepEqual(links.map(pathOf), ['/login/link', '/reset-password', '/verify-email', '/change-email']);
  for (const link of links)
    for (const browser of [asking, server.browser()]) {
      const page = await browser.follow(link);
      t.is(page.status, 200, link);
      t.is(page.hops.length, 3);
      t.is(pathOf(page.url), pathOf(link));
      t.false(page.url.includes(tokenIn(link)));
    }
  const used = await builder('challenges').whereIn('recipient', [account.email, next]).whereNotNull('consumed_at');
  t.deepEqual(used, []);
});

test('security 9: a browser or scanner that keeps no cookies gets the page as it was opened, without a loop', async (t) => {
  const account = await server.makeAccount();
  const link = await resetLink(account.email);
  const bare = server.browser();
  const asked = await bare.navigate(link, { cookies: null });
  const page = await bare.navigate(new URL(String(asked.location), AUTH).href, { from: AUTH, cookies: null });
  t.is(page.status, 200);
  t.true(page.text.includes(`value="${tokenIn(link)}"`));
  const posted = await bare.submit(page, { password: 'another long password' }, { cookies: null });
  t.is(posted.status, 403, 'the form’s own token is bound to a browser');
  const again = await bare.submit(posted, { password: 'another long password' }, { cookies: null });
  t.is(headingOf(again), 'Your browser did not keep our cookie');
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'password.reset' }), 0);
});

test('two tabs with two links stay apart; more than five push the oldest out, whose form still works', async (t) => {
  const browser = server.browser();
  const accounts = await Promise.all(Array.from({ length: 6 }, () => server.makeAccount()));
  const pages = [];
  for (const { email } of accounts) pages.push(await browser.follow(await resetLink(email)));
  t.is(linkCookies(browser).length, 5);
  for (const [index, page] of pages.entries()) {
    if (index === 0) continue;
    const reloaded = await browser.navigate(page.url);
    t.true(reloaded.text.includes(String(accounts[index]?.email)), `${index}`);
  }
  const [oldest] = pages;
  if (!oldest) throw new Error('no page');
  const gone = await browser.navigate(oldest.url);
  t.is(gone.status, 410);
  t.is((await browser.submit(oldest, { password: 'another long password' })).status, 303);
  const signIn = server.browser();
  const done = await signIn.submit(await signIn.follow(`${AUTH}/login`), {
    identifier: String(accounts[0]?.email),
    password: 'another long password',
  });
  t.is(done.status, 303);
});

test('what is no token, or names a cookie that there is not, is shown as a link that does not work', async (t) => {
  const browser = server.browser();
  for (const query of ['?token=x', '?link=0123456789ab', '?link=../x', `?token=${'x'.repeat(43)}&link=0123456789ab`]) {
    const page = await browser.follow(`${AUTH}/verify-email${query}`);
    t.is(page.status, 404, query);
    t.is(headingOf(page), 'This link does not work');
    t.true(page.hops.length <= 3);
  }
  t.is((await browser.navigate(`${AUTH}/verify-email?token=a&token=b`)).status, 400);
});
