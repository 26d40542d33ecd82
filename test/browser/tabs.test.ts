import test from 'ava';
import type { Page } from 'playwright-core';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { API, fillIn, isShown, signInFrom, startStack, whoIs } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, sports, article } = stack;
const report = `${sports}/reports/derby-late-goal`;

test.serial(
  'reliability R-91: two flows in one browser, finished in reverse order, each arrive at their own page',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const [first, second] = [
      await openSignIn(await reader.newPage(), article),
      await openSignIn(await reader.newPage(), report),
    ];
    await fillIn(second, account);
    await second.waitForURL(report);
    await fillIn(first, account);
    await first.waitForURL(article);
    await isShown(first, 'signed-in');
    t.is(await whoIs(stack, reader, sports), account.email);
  },
);

test.serial(
  'reliability R-91: two flows of one site, finished in reverse order, each arrive at their own page',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const [first, second] = [
      await openSignIn(await reader.newPage(), article),
      await openSignIn(await reader.newPage(), `${news}/articles/last-ferry`),
    ];
    await fillIn(second, account);
    await second.waitForURL(`${news}/articles/last-ferry`);
    await fillIn(first, account);
    await first.waitForURL(article);
    t.is(await whoIs(stack, reader, news), account.email);
  },
);

test.serial(
  'reliability R-91: a sign-in page that is reloaded after another tab signed in goes on to its own page',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const [first, second] = [
      await openSignIn(await reader.newPage(), article),
      await openSignIn(await reader.newPage(), report),
    ];
    await fillIn(first, account);
    await first.waitForURL(article);
    await second.reload();
    t.is(second.url(), report);
    await isShown(second, 'signed-in');
  },
);

test.serial(
  'another tab’s stale sign-in form does not sign somebody else in silently: it asks again, then switches',
  async (t) => {
    const [one, other] = [await stack.makeAccount(), await stack.makeAccount()];
    const reader = await newReader(t, chromium);
    const [first, second] = [
      await openSignIn(await reader.newPage(), article),
      await openSignIn(await reader.newPage(), report),
    ];
    await fillIn(first, one);
    await first.waitForURL(article);
    await fillIn(second, other);
    await second.getByRole('alert').waitFor();
    t.is(await second.inputValue('#identifier'), other.email);
    await fillIn(second, other);
    await second.waitForURL(report);
    t.is(await whoIs(stack, reader, sports), other.email);
    t.is(await whoIs(stack, reader, news), null, 'the session that was there before has ended');
  },
);

test.serial(
  'reliability R-91: Back after the sign-in leads to the callback page, not to an error or a form',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await reader.newPage();
    await signInFrom(tab, article, account);
    await tab.goBack();
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
    t.is(await whoIs(stack, reader, news), account.email);
  },
);

for (const [how, act] of [
  ['a double click on the button', (tab: Page) => tab.dblclick('button[type=submit]')],
  [
    'two submits in one instant',
    (tab: Page) => tab.evaluate('for (const _ of [1, 2]) document.forms[0].requestSubmit()'),
  ],
] as const) {
  test.serial(`reliability R-91: ${how} ends signed in on the callback page`, async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await openSignIn(await reader.newPage(), article);
    await tab.fill('#identifier', account.email);
    await tab.fill('#password', 'a long enough password');
    await act(tab);
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
    t.is(await whoIs(stack, reader, auth), account.email);
  });
}

test.serial(
  'reliability R-91: the landing address opened again within a minute leads to the callback with the same session',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await reader.newPage();
    const { urls } = record(reader);
    await signInFrom(tab, article, account);
    const landing = urls.find((url) => url.startsWith(`${news}${API}/oauth/token`)) as string;
    const before = await sessionCookie();
    await tab.goto(landing);
    t.is(tab.url(), article);
    await isShown(tab, 'signed-in');
    t.is(await sessionCookie(), before);

    async function sessionCookie() {
      return (await reader.cookies()).find(({ name, domain }) => name === 'qt-auth' && domain === 'news.localhost')
        ?.value;
    }
  },
);

test.serial(
  'reliability R-91: a restored tab on an old sign-in address arrives at its page when somebody is signed in',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await openSignIn(await reader.newPage(), article);
    const address = tab.url();
    await fillIn(tab, account);
    await tab.waitForURL(article);
    const restored = await reader.newPage();
    await restored.goto(address);
    t.is(restored.url(), article);
    await isShown(restored, 'signed-in');
  },
);

async function openSignIn(tab: Page, url: string): Promise<Page> {
  await tab.goto(url);
  await tab.click('[data-sign-in]');
  await tab.locator('#identifier').waitFor();
  return tab;
}
