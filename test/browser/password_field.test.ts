// What scripts add to password fields, and that nothing depends on them.

import test from 'ava';
import type { Page } from 'playwright-core';
import { send } from '../support/browser.ts';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { ofPolicy } from './hosted_pages.ts';
import { startStack } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());

const typeOf = (tab: Page) => tab.getAttribute('#password', 'type');
/** Score of the meter, 1 to 5. */
const meterOf = (tab: Page) => tab.evaluate(`document.querySelector('.strength meter').value`);

test('the button shows and hides what is typed, by mouse and by keyboard, on sign-in and sign-up', async (t) => {
  const tab = await (await newReader(t, chromium)).newPage();
  for (const path of ['/login', '/signup']) {
    await tab.goto(`${stack.auth}${path}`);
    await tab.fill('#password', 'seven geese');
    const button = tab.getByRole('button', { name: 'Show password' });
    t.is(await typeOf(tab), 'password');
    await button.click();
    t.is(await typeOf(tab), 'text');
    t.is(await button.getAttribute('aria-pressed'), 'true');
    await tab.focus('#password');
    await tab.keyboard.press('Tab');
    await tab.keyboard.press('Space');
    t.is(await typeOf(tab), 'password');
    t.is(await tab.inputValue('#password'), 'seven geese');
  }
});

test('the meter tells in words how hard a password is to guess and what to do, and stops nobody', async (t) => {
  const reader = await newReader(t, chromium);
  const { complaints } = record(reader);
  const tab = await reader.newPage();
  await tab.goto(`${stack.auth}/signup`);
  t.true(await tab.isHidden('.strength'));
  await tab.fill('#name', 'Zelda Quimby');
  await tab.fill('#email', `zq-${Date.now()}@example.com`);
  const cases: [string, number, RegExp][] = [
    ['geese', 2, /Too short, add another word/],
    ['password1', 1, /much used/],
    ['zelda1985', 2, /holds your name/],
    ['abcdefgh', 1, /guess/],
    ['nine quiet geese over the marsh', 5, /^Strong\.$/],
  ];
  for (const [password, most, said] of cases) {
    await tab.fill('#password', password);
    await tab.locator('.strength p', { hasText: said }).waitFor();
    t.true(Number(await meterOf(tab)) <= most, password);
  }
  t.is(await meterOf(tab), 5);
  t.is(await tab.getAttribute('.strength p', 'aria-live'), 'polite');
  await tab.fill('#password', 'password123');
  await tab.click('button[type=submit]');
  await tab.getByRole('alert').waitFor();
  t.true((await tab.innerText('main')).includes('This password is easy to guess'), 'the server decides');
  await tab.fill('#password', 'quietgeese');
  await tab.click('button[type=submit]');
  await tab.waitForURL(`${stack.auth}/`);
  t.deepEqual(ofPolicy(complaints), []);
});

test('without scripts there is the hint and neither button nor meter, and the form works', async (t) => {
  const context = await chromium.newContext({ javaScriptEnabled: false });
  t.teardown(() => context.close());
  const tab = await context.newPage();
  await tab.goto(`${stack.auth}/signup`);
  t.true(await tab.isVisible('text=At least 8 characters'));
  t.is(await tab.locator('.reveal').count(), 0);
  t.true(await tab.isHidden('.strength'));
  await tab.fill('#name', 'Nora New');
  await tab.fill('#email', `nora-${Date.now()}@example.com`);
  await tab.fill('#password', 'quiet geese of the marsh');
  await tab.click('button[type=submit]');
  await tab.waitForURL(`${stack.auth}/`);
});

test('the scripts come from our own origin, may be kept for ever, and change their name with their content', async (t) => {
  const tab = await (await newReader(t, chromium)).newPage();
  await tab.goto(`${stack.auth}/signup`);
  const sources = (await tab.evaluate(`[...document.scripts].map((script) => script.getAttribute('src'))`)) as string[];
  t.is(sources.length, 2);
  for (const source of sources) {
    t.regex(source, /^\/assets\/password_(?:reveal|strength)\.[0-9a-f]{16}\.js$/);
    const answer = await send(stack.server.port, `${stack.auth}${source}`);
    t.is(answer.status, 200);
    t.is(answer.headers['cache-control'], 'public, max-age=31536000, immutable');
    const other = source.replace(/\.[0-9a-f]{16}/, '.0123456789abcdef');
    t.is((await send(stack.server.port, `${stack.auth}${other}`)).status, 404);
  }
});
