import test from 'ava';
import { launchChromium, newReader } from '../support/chromium.ts';
import { fillIn, isShown, startStack, whoIs } from './stack.ts';

// Serial: every test moves the database's clock, which is one for the file.
const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, article } = stack;
const TWELVE_HOURS = 12 * 3600;

test.serial(
  'reliability R-91: a sign-in page left open overnight, its flow cookie long gone, arrives all the same',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await reader.clearCookies({ name: /^__Host-qt-flow-/ });
    await stack.server.database.moveClock(TWELVE_HOURS);
    await fillIn(tab, account);
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
    t.is(await whoIs(stack, reader, news), account.email);
  },
);

test.serial(
  'reliability R-91: with all cookies gone overnight the form is renewed once, keeps the name, and arrives',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await reader.clearCookies();
    await stack.server.database.moveClock(TWELVE_HOURS);
    await fillIn(tab, account);
    await tab.getByRole('alert').waitFor();
    t.is(await tab.inputValue('#identifier'), account.email);
    await fillIn(tab, account);
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
  },
);

test.serial(
  'a session that ran out in a year leaves the page readable, and the next sign-in comes back to it',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account);
    await tab.waitForURL(article);
    await stack.server.database.moveClock(366 * 86_400);
    await tab.reload();
    await isShown(tab, 'anonymous');
    await tab.click('[data-sign-in]');
    t.true(tab.url().startsWith(`${auth}/login`));
    await fillIn(tab, account);
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
  },
);
