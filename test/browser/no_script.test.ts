import test from 'ava';
import type { Page } from 'playwright-core';
import { launchChromium, newReader } from '../support/chromium.ts';
import { PASSWORD } from '../support/server.ts';
import { fillIn, isShown, startStack, whoIs } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, sports, shop, article } = stack;

test.serial(
  'security 192: without JavaScript the whole journey works by plain links and forms, sign-out included',
  async (t) => {
    const account = await stack.makeAccount('Noel Script');
    const reader = await newReader(t, chromium, { javaScriptEnabled: false });
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account, 'not the password');
    await tab.getByRole('alert').waitFor();
    t.is(await tab.inputValue('#identifier'), account.email);
    await fillIn(tab, account);
    await tab.waitForURL(article);
    t.is(await tab.textContent('[data-account-name]'), 'Noel Script');

    await tab.goto(`${sports}/`);
    await tab.click('[data-sign-in]');
    await tab.waitForURL(`${sports}/`);
    await isShown(tab, 'signed-in');

    await tab.goto(`${shop}/`);
    await tab.click('[data-sign-in]');
    await isShown(tab, 'signed-in');
    await tab.click('[data-sign-out]');
    await isShown(tab, 'anonymous');
    t.is(tab.url(), `${shop}/`);
    for (const site of [article, `${sports}/`]) {
      await tab.goto(site);
      await isShown(tab, 'anonymous');
    }
    t.is(await whoIs(stack, reader, auth), null);
  },
);

test.serial('without JavaScript a new reader makes an account from a site and lands on its page', async (t) => {
  const reader = await newReader(t, chromium, { javaScriptEnabled: false });
  const tab = await reader.newPage();
  await tab.goto(article);
  await tab.click('[data-sign-in]');
  await tab.getByRole('link', { name: 'Create an account' }).click();
  const email = `new-${Date.now()}@example.com`;
  await tab.fill('#name', 'Una Neu');
  await tab.fill('#email', email);
  await tab.fill('#password', PASSWORD);
  await tab.click('button[type=submit]');
  await tab.waitForURL(article);
  t.is(await tab.textContent('[data-account-name]'), 'Una Neu');
  await tab.goto(`${auth}/`);
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await tab.waitForURL(`${auth}/signed-out`);
  t.is(await whoIs(stack, reader, news), null);
});

/** What Tab comes to after the identifier. */
const STOPS = ['password', 'Show password', 'Sign in', 'Sign in with a passkey', 'Create an account'];

test.serial('by keyboard alone: tab stops come in reading order, each is seen, and Enter signs in', async (t) => {
  const account = await stack.makeAccount('Kay Board');
  const reader = await newReader(t, chromium);
  const tab = await reader.newPage();
  await tab.goto(article);
  await tabTo(tab, 'Sign in');
  await tab.keyboard.press('Enter');
  await tab.waitForURL(`${auth}/login**`);
  t.is(await focused(tab), 'identifier');
  await tab.keyboard.type(account.email);
  const stops = [];
  for (const _ of STOPS) {
    await tab.keyboard.press('Tab');
    stops.push(await focused(tab));
    t.true(await isFocusSeen(tab), `focus is seen on ${stops.at(-1)}`);
  }
  t.deepEqual(stops, STOPS);
  for (const _ of STOPS.slice(1)) await tab.keyboard.press('Shift+Tab');
  await tab.keyboard.type('not the password');
  await tab.keyboard.press('Enter');
  await tab.getByRole('alert').waitFor();
  t.is(await focused(tab), 'password', 'the identifier is kept, the password is to be typed again');
  await tab.keyboard.type(PASSWORD);
  await tab.keyboard.press('Tab');
  await tab.keyboard.press('Tab');
  await tab.keyboard.press('Enter');
  await tab.waitForURL(article);
  await isShown(tab, 'signed-in');
});

test.serial('security 192: password managers find the fields and pasting is not prevented', async (t) => {
  const reader = await newReader(t, chromium);
  const tab = await reader.newPage();
  await tab.goto(`${auth}/login`);
  t.is(await tab.getAttribute('#identifier', 'autocomplete'), 'username webauthn');
  t.is(await tab.getAttribute('#password', 'autocomplete'), 'current-password');
  const paste = `document.querySelector('#password').dispatchEvent(new ClipboardEvent('paste', { cancelable: true, bubbles: true }))`;
  t.true(await tab.evaluate(paste), 'nobody cancels the paste');
  await tab.goto(`${auth}/signup`);
  t.is(await tab.getAttribute('#email', 'autocomplete'), 'email');
  t.is(await tab.getAttribute('#password', 'autocomplete'), 'new-password');
});

const focused = (tab: Page): Promise<string> =>
  tab.evaluate(
    `document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.textContent.trim()`,
  );

/** A ring around it, a shadow or a border of its own: something that the page without focus does not have. */
const isFocusSeen = (tab: Page): Promise<boolean> =>
  tab.evaluate(`(() => {
    const look = () => { const { outline, boxShadow, borderColor } = getComputedStyle(element); return outline + boxShadow + borderColor; };
    const element = document.activeElement;
    const withFocus = look();
    element.blur();
    const without = look();
    element.focus({ focusVisible: true });
    return withFocus !== without;
  })()`);

async function tabTo(tab: Page, text: string) {
  for (let presses = 0; presses < 20; presses++) {
    await tab.keyboard.press('Tab');
    if ((await focused(tab)) === text) return;
  }
  throw new Error(`no tab stop "${text}"`);
}
