import test from 'ava';
import type { Page } from 'playwright-core';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { API, isAsked, isShown, signInFrom, startStack, turnsAnonymous, visit, whoIs } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, sports, shop, article } = stack;

test.serial(
  'reliability R-90: one sign-in on the hosted page, the second site is silent, one sign-out ends all and open tabs notice',
  async (t) => {
    const account = await stack.makeAccount('Ada Reader');
    const reader = await newReader(t, chromium, { isPerson: true });
    const tab = await reader.newPage();
    await visit(tab, article);
    await isAsked(tab);

    const { urls } = record(reader);
    await signInFrom(tab, article, account);
    t.is(await tab.textContent('[data-account-name]'), 'Ada Reader');
    t.is((await tab.locator('[data-members-text] p').count()) > 0, true);
    t.is(urls.filter((url) => url.startsWith(`${auth}/login`)).length, 2, 'the page and its form');

    urls.length = 0;
    const second = await reader.newPage();
    await visit(second, `${sports}/reports/derby-late-goal`);
    await isShown(second, 'signed-in');
    t.is(second.url(), `${sports}/reports/derby-late-goal`);
    t.deepEqual(
      urls.filter((url) => url.startsWith(`${auth}/login`)),
      [],
      'no sign-in page in between',
    );
    const hops = urls.filter((url) => /oauth|\/reports\//.test(url));
    t.true(hops.length <= 8, hops.join('\n'));

    const third = await reader.newPage();
    await visit(third, `${shop}/`);
    await isShown(third, 'signed-in');
    await tab.evaluate('window.isSamePage = true');
    await third.click('[data-sign-out]');
    const started = performance.now();
    await turnsAnonymous(tab);
    t.log(`open tab of another site anonymous after ${Math.round(performance.now() - started)} ms`);
    t.true(await tab.evaluate('window.isSamePage'), 'without a reload');
    t.is(await tab.locator('[data-members-text] p').count(), 0, 'the members’ text has left the document');
    await turnsAnonymous(second);
    for (const site of [news, sports, shop, auth]) t.is(await whoIs(stack, reader, site), null, site);
  },
);

test.serial(
  'security 19: automatic sign-in without a session shows no page, asks once and keeps the address clean',
  async (t) => {
    const reader = await newReader(t, chromium, { isPerson: true });
    const { urls } = record(reader);
    const tab = await reader.newPage();
    await visit(tab, `${article}?from=mail#members-title`);
    await isAsked(tab);
    t.is(tab.url(), `${article}?from=mail#members-title`);
    t.is(asks(urls), 1);
    t.true(urls.some((url) => url === `${article}?from=mail&logged_in=false`));
    t.deepEqual(
      urls.filter((url) => url.startsWith(`${auth}/login`)),
      [],
    );

    urls.length = 0;
    await known(tab, `${news}/`);
    await known(await reader.newPage(), article);
    t.is(asks(urls), 0, 'not again within the quiet period, whatever the page and the tab');
    t.deepEqual(
      (await reader.cookies(auth)).map(({ name }) => name).filter((name) => name.includes('qt-auth')),
      [],
    );
  },
);

test.serial('automatic sign-in does not bring back a reader who has just signed out', async (t) => {
  const account = await stack.makeAccount();
  const reader = await newReader(t, chromium, { isPerson: true });
  const tab = await reader.newPage();
  await visit(tab, article);
  await isAsked(tab);
  await signInFrom(tab, article, account);
  await tab.click('[data-sign-out]');
  await isShown(tab, 'anonymous');
  // Signed in again on another site: an automatic question would now succeed.
  await signInFrom(await reader.newPage(), `${shop}/products/sea-salt`, account);
  const { urls } = record(reader);
  await known(tab, `${news}/`);
  await known(await reader.newPage(), article);
  t.is(asks(urls), 0);
  t.is(await whoIs(stack, reader, shop), account.email);
});

/** Opens a page and waits until its script knows that nobody is signed in. */
async function known(page: Page, url: string) {
  await page.goto(url);
  await page.evaluate('new Promise((resolve) => causeway.onChange(resolve))');
  await isShown(page, 'anonymous');
}

const asks = (urls: readonly string[]) => urls.filter((url) => url.startsWith(`${auth}${API}/oauth/auto-sso`)).length;
