// The account page in real Chromium without JavaScript: what a reader sees, presses and ends, from a site and back.

import test from 'ava';
import type { BrowserContext, Page } from 'playwright-core';
import { NO_LIMITS } from '../challenges/setup.ts';
import { launchChromium, newReader } from '../support/chromium.ts';
import { startMailbox } from '../support/mailbox.ts';
import { PASSWORD } from '../support/server.ts';
import { fillIn, isShown, startStack, whoIs } from './stack.ts';

const mailbox = await startMailbox();
const stack = await startStack({ mailbox, settings: NO_LIMITS });
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, article, news, sports } = stack;
const NEW_PASSWORD = 'another long password';
type Account = Awaited<ReturnType<typeof stack.makeAccount>>;

/** A reader without scripts who has signed in on a site. */
async function signedIn(t: import('ava').ExecutionContext, account: Account, userAgent?: string) {
  const context = await newReader(t, chromium, { javaScriptEnabled: false, ...(userAgent && { userAgent }) });
  const tab = await context.newPage();
  await tab.goto(article);
  await tab.click('[data-sign-in]');
  await fillIn(tab, account);
  await tab.waitForURL(article);
  return { context, tab };
}

/** Makes every sign-in of an account an hour old. */
const age = ({ id }: Account) =>
  stack.server.services.db.builder.raw(
    `update sessions set authenticated_at = authenticated_at - interval '1 hour' where account_id = ?`,
    [id],
  );

/** From the page of a site to a page of the account, by its links alone. */
async function openSubject(tab: Page, name: string) {
  await tab.getByRole('link', { name: 'Your account' }).click();
  await tab.getByRole('heading', { name: 'Your account' }).waitFor();
  await tab.getByRole('link', { name: new RegExp(`^${name}`) }).click();
  await tab.getByRole('heading', { level: 1, name: new RegExp(name, 'i') }).waitFor();
}

/** The page that asks to sign in once more, and back by the password. */
async function signInOnceMore(tab: Page) {
  await tab.waitForURL(`${auth}/login?request_handle=*`);
  await tab.getByText('please sign in once more, to show that it is you').waitFor();
  await tab.fill('#password', PASSWORD);
  await tab.getByRole('button', { name: 'Sign in', exact: true }).click();
  await tab.getByText('Nothing has been changed yet').waitFor();
}

/** Waits for a letter with a subject. */
const told = (account: Account, subject: string) =>
  mailbox.until(() => mailbox.to(account.email).find((mail) => mail.subject === subject));

const isIn = async (context: BrowserContext, account: Account) => (await whoIs(stack, context, news)) === account.email;

test.serial(
  'without JavaScript a reader goes from a site to the account, changes the password, and is signed out elsewhere',
  async (t) => {
    const account = await stack.makeAccount('Paula Password');
    const elsewhere = await signedIn(t, account);
    const { context, tab } = await signedIn(t, account);
    await openSubject(tab, 'Password');
    await tab.fill('#current', 'not the password');
    await tab.fill('#password', NEW_PASSWORD);
    await tab.getByRole('button', { name: 'Change password' }).click();
    await tab.locator('#current-error').waitFor();
    t.is(await tab.inputValue('#password'), '', 'no password is ever sent back');
    t.true(await isIn(elsewhere.context, account));
    await tab.fill('#current', PASSWORD);
    await tab.fill('#password', NEW_PASSWORD);
    await tab.getByRole('button', { name: 'Change password' }).click();
    await tab.waitForURL(`${auth}/account`);
    await tab.getByRole('status').waitFor();
    t.true(await isIn(context, account), 'this browser stays signed in');
    t.false(await isIn(elsewhere.context, account), 'the other one does not');
    await told(account, 'Your password for Harbour Group was changed');
    await elsewhere.tab.goto(`${auth}/login`);
    await fillIn(elsewhere.tab, account, NEW_PASSWORD);
    await elsewhere.tab.waitForURL(`${auth}/`);
  },
);

test.serial(
  'without JavaScript one other session is ended by its own button, and after that all others, each after a recent sign-in',
  async (t) => {
    const account = await stack.makeAccount('Dora Devices');
    const phone = await signedIn(
      t,
      account,
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
    );
    const [second, third] = [await signedIn(t, account), await signedIn(t, account)];
    const { context, tab } = await signedIn(t, account);
    await openSubject(tab, 'Devices');
    t.is(await tab.locator('.entries > li').count(), 4);
    t.is(await tab.getByText('This device').count(), 1);
    t.true((await tab.innerText('.entries')).includes('Last seen'));
    await age(account);
    await tab.getByRole('button', { name: 'Sign out Safari on iPhone' }).click();
    await signInOnceMore(tab);
    t.true(await isIn(phone.context, account), 'signing in again ends nothing by itself');
    await tab.getByRole('button', { name: 'Sign out Safari on iPhone' }).click();
    await tab.getByRole('status').waitFor();
    t.is(await tab.locator('.entries > li').count(), 3);
    t.false(await isIn(phone.context, account));
    t.true(await isIn(second.context, account));

    await tab.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await tab.getByText('You are signed in on this device only.').waitFor();
    for (const other of [second, third]) {
      t.false(await isIn(other.context, account));
      await other.tab.goto(article);
      await isShown(other.tab, 'anonymous');
    }
    t.true(await isIn(context, account));
  },
);

test.serial(
  'without JavaScript a reader deletes the account: asked to type its address, then signed out on every site',
  async (t) => {
    const account = await stack.makeAccount('Dele Ted');
    const { context, tab } = await signedIn(t, account);
    await tab.goto(`${sports}/`);
    await tab.click('[data-sign-in]');
    await tab.waitForURL(`${sports}/`);
    await openSubject(tab, 'Delete the account');
    await tab.fill('#confirmation', 'something else');
    await tab.getByRole('button', { name: 'Delete my account for good' }).click();
    await tab.locator('#confirmation-error').waitFor();
    t.is(await tab.inputValue('#confirmation'), 'something else');
    await age(account);
    await tab.fill('#confirmation', account.email);
    await tab.getByRole('button', { name: 'Delete my account for good' }).click();
    await signInOnceMore(tab);
    t.is(await tab.inputValue('#confirmation'), account.email, 'what was typed is kept');
    t.true(await isIn(context, account));
    await tab.getByRole('button', { name: 'Delete my account for good' }).click();
    await tab.waitForURL(`${auth}/account/deleted`);
    for (const site of [auth, news, sports]) t.is(await whoIs(stack, context, site), null, site);
    await tab.goto(`${sports}/`);
    await isShown(tab, 'anonymous');
    await told(account, 'Your account with Harbour Group was deleted');
    await tab.goto(`${auth}/login`);
    await fillIn(tab, account);
    await tab.getByRole('alert').waitFor();
  },
);
