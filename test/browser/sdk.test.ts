import test from 'ava';
import type { Frame, Page } from 'playwright-core';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import {
  API,
  comesTrue,
  fillIn,
  isAsked,
  isShown,
  signInFrom,
  startStack,
  turnsAnonymous,
  visit,
  whoIs,
} from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, sports, article } = stack;

/** Keeps what onChange says, names only, for the test to read. */
const LISTEN = 'window.told = []; causeway.onChange((user) => told.push(user && user.name)); undefined';
const told = (tab: Page) => tab.evaluate('told') as Promise<(string | null)[]>;
const hasHeard = (tab: Page, name: string | null) => comesTrue(tab, `told.at(-1) === ${JSON.stringify(name)}`);

test.serial(
  'sdk: me() gives the reader or null, and onChange tells every tab of the sign-in and the sign-out, once each',
  async (t) => {
    const account = await stack.makeAccount('Mia Self');
    const reader = await newReader(t, chromium);
    const [first, second] = [await reader.newPage(), await reader.newPage()];
    for (const tab of [first, second]) await tab.goto(`${news}/`);
    t.is(await first.evaluate('causeway.me()'), null);
    await second.evaluate(LISTEN);
    await hasHeard(second, null);

    await signInFrom(first, article, account);
    t.like(await first.evaluate('causeway.me()'), { name: 'Mia Self', email: account.email });
    await hasHeard(second, 'Mia Self');
    await first.evaluate(LISTEN);
    await hasHeard(first, 'Mia Self');

    await second.evaluate('causeway.signOut()');
    await hasHeard(first, null);
    t.deepEqual(await told(first), ['Mia Self', null]);
    t.deepEqual(await told(second), [null, 'Mia Self', null]);
    t.is(await whoIs(stack, reader, auth), null);
  },
);

test.serial(
  'sdk: several open tabs hold one event stream between them, and all hear of a sign-out elsewhere',
  async (t) => {
    const account = await stack.makeAccount('Stella Stream');
    const reader = await newReader(t, chromium);
    const first = await reader.newPage();
    const { urls } = record(reader);
    await signInFrom(first, article, account);
    const tabs = [first];
    for (const path of ['/', '/articles/last-ferry']) {
      const tab = await reader.newPage();
      await tab.goto(`${news}${path}`);
      await isShown(tab, 'signed-in');
      tabs.push(tab);
    }
    const streams = () => urls.filter((url) => url === `${news}${API}/events`).length;
    await comesTrue(
      first,
      `navigator.locks.query().then(({ held, pending }) => held.length === 1 && pending.length === 2)`,
    );
    t.is(streams(), 1);
    const shop = await reader.newPage();
    await shop.goto(`${auth}/`);
    await shop.getByRole('button', { name: 'Sign out' }).click();
    for (const tab of tabs) await turnsAnonymous(tab);
    t.is(await first.evaluate('navigator.locks.query().then(({ held }) => held.length)'), 0, 'the stream is let go');
  },
);

test.serial('sdk: signIn by popup keeps the page, closes the small window and resolves with the reader', async (t) => {
  const account = await stack.makeAccount('Polly Popup');
  const reader = await newReader(t, chromium);
  const tab = await reader.newPage();
  await tab.goto(article);
  await tab.evaluate('window.isSamePage = true');
  const opened = reader.waitForEvent('page');
  await tab.evaluate('window.outcome = causeway.signIn({ popup: true }); undefined');
  const popup = await opened;
  const closed = popup.waitForEvent('close');
  await fillIn(popup, account);
  await closed;
  t.like(await tab.evaluate('outcome'), { name: 'Polly Popup' });
  await isShown(tab, 'signed-in');
  t.true(await tab.evaluate('isSamePage'));
  t.is(tab.url(), article);
  t.is(reader.pages().length, 1);
});

test.serial('sdk: the demo’s own button signs in by popup, and a blocked popup becomes the ordinary way', async (t) => {
  const account = await stack.makeAccount();
  const reader = await newReader(t, chromium);
  const tab = await reader.newPage();
  await tab.goto(article);
  const opened = reader.waitForEvent('page');
  await tab.click('[data-sign-in-popup]');
  const popup = await opened;
  await fillIn(popup, account);
  await isShown(tab, 'signed-in');
  await tab.click('[data-sign-out]');
  await isShown(tab, 'anonymous');

  await tab.evaluate('window.open = () => null');
  await tab.click('[data-sign-in-popup]');
  await tab.waitForURL(`${auth}/login**`);
  await fillIn(tab, account);
  await tab.waitForURL(article);
  await isShown(tab, 'signed-in');
  t.is(await whoIs(stack, reader, news), account.email);
});

test.serial('sdk: signIn and signOut go to returnTo on this site, and refuse another site’s address', async (t) => {
  const account = await stack.makeAccount();
  const reader = await newReader(t, chromium);
  const tab = await reader.newPage();
  await tab.goto(`${news}/`);
  for (const target of [`${sports}/`, '//evil.localhost/', 'javascript:alert(1)', 'data:text/html,x']) {
    for (const call of ['signIn', 'signOut']) {
      const message = await tab.evaluate(
        `causeway.${call}({ returnTo: ${JSON.stringify(target)} }).then(() => 'gone', (error) => error.message)`,
      );
      t.is(message, 'causeway: returnTo must be a page of this site', `${call} ${target}`);
    }
  }
  await tab.evaluate(`void causeway.signIn({ returnTo: '/articles/last-ferry?x=1#top' })`);
  await tab.waitForURL(`${auth}/login**`);
  await fillIn(tab, account);
  await tab.waitForURL(`${news}/articles/last-ferry?x=1#top`);
  await isShown(tab, 'signed-in');
  await tab.evaluate(`void causeway.signOut({ returnTo: '/articles/bell-returns' })`);
  await tab.waitForURL(`${news}/articles/bell-returns`);
  await isShown(tab, 'anonymous');
});

test.serial(
  'sdk: automatic sign-in asks once, comes back signed in with a clean address, and never from a frame',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium, { isPerson: true });
    const tab = await reader.newPage();
    await visit(tab, `${sports}/`);
    await isAsked(tab);
    await signInFrom(tab, `${sports}/`, account);
    const { urls } = record(reader);
    // Framed by another page of its own site: the top page alone may ask.
    const framing = await reader.newPage();
    const script = `<!doctype html><script src="${API}/sdk.js" data-client-id="news" data-auto-sign-in></script>`;
    await framing.route(`${news}/framed`, (route) => route.fulfill({ contentType: 'text/html', body: script }));
    await framing.route(`${news}/frame`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<iframe src="/framed"></iframe>' }),
    );
    await framing.goto(`${news}/frame`);
    const frame = framing.frames()[1] as Frame;
    await comesTrue(frame, 'window.causeway');
    t.is(await frame.evaluate('new Promise((resolve) => causeway.onChange(resolve))'), null);
    t.deepEqual(asks(urls), []);
    await framing.close();

    const second = await reader.newPage();
    await visit(second, `${article}?from=mail`);
    await isShown(second, 'signed-in');
    t.is(second.url(), `${article}?from=mail`);
    t.is(asks(urls).length, 1);
  },
);

test.serial('sdk: a browser that says it is driven, and one that keeps no storage, is never sent round', async (t) => {
  for (const script of [
    '',
    `Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('refused', 'SecurityError'); } })`,
  ]) {
    const reader = await newReader(t, chromium, { isPerson: script !== '' });
    await reader.addInitScript(script);
    const { urls } = record(reader);
    const tab = await reader.newPage();
    await tab.goto(article);
    t.is(await tab.evaluate('new Promise((resolve) => causeway.onChange(resolve))'), null);
    await isShown(tab, 'anonymous');
    t.deepEqual(asks(urls), []);
  }
});

const asks = (urls: readonly string[]) =>
  urls.filter((url) => url.includes('/oauth/auto-sso/authorize') && !url.startsWith(auth));
