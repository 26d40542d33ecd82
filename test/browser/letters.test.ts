// Journeys through letters in real Chromium, with a real mail server that catches: what a reader sees and clicks.

import test from 'ava';
import type { Page } from 'playwright-core';
import { freshEmail, NO_LIMITS } from '../challenges/setup.ts';
import { launchChromium, newReader } from '../support/chromium.ts';
import { startMailbox } from '../support/mailbox.ts';
import { PASSWORD } from '../support/server.ts';
import { fillIn, isShown, signInFrom, startStack, turnsAnonymous, whoIs } from './stack.ts';

const mailbox = await startMailbox();
const stack = await startStack({
  mailbox,
  settings: `${NO_LIMITS}, verification: before-session, sign_in_methods: [password, code, link]`,
});
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, article } = stack;
const NEW_PASSWORD = 'another long password';

async function signUp(tab: Page, email: string) {
  await tab.goto(article);
  await tab.click('[data-sign-in]');
  await tab.getByRole('link', { name: 'Create an account' }).click();
  await tab.fill('#name', 'Una Neu');
  await tab.fill('#email', email);
  await tab.fill('#password', PASSWORD);
  await tab.click('button[type=submit]');
  await tab.getByRole('heading', { name: 'Check your mail' }).waitFor();
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? '' : ', without JavaScript';
  test.serial(`sign up on a site, type the code, and be back on its page${how}`, async (t) => {
    const tab = await (await newReader(t, chromium, { javaScriptEnabled })).newPage();
    const email = freshEmail();
    await signUp(tab, email);
    await tab.reload();
    t.is(await tab.getAttribute('#code', 'autocomplete'), 'one-time-code');
    await tab.fill('#code', String((await mailbox.next(email)).code));
    await tab.getByRole('button', { name: 'Confirm address' }).click();
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
    t.is(await tab.textContent('[data-account-name]'), 'Una Neu');
    t.is(mailbox.to(email).length, 1, 'a reload sends nothing again');
  });

  test.serial(`a forgotten password by the code; the tab of another browser turns anonymous${how}`, async (t) => {
    const account = await stack.makeAccount('Fay Forgot');
    const other = await (await newReader(t, chromium)).newPage();
    await signInFrom(other, article, account);
    const reader = await newReader(t, chromium, { javaScriptEnabled });
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account, 'not the password');
    await tab.getByRole('link', { name: 'Forgot your password?' }).click();
    t.is(await tab.inputValue('#email'), account.email);
    await tab.getByRole('button', { name: 'Send' }).click();
    await tab.fill('#code', String((await mailbox.next(account.email)).code));
    await tab.getByRole('button', { name: 'Continue' }).click();
    await tab.fill('#password', NEW_PASSWORD);
    await tab.getByRole('button', { name: 'Set the password' }).click();
    await tab.getByText('Your new password is set').waitFor();
    t.is(await whoIs(stack, reader, auth), null);
    await turnsAnonymous(other);
    await fillIn(tab, account, NEW_PASSWORD);
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
  });
}

test.serial('the link in another browser confirms there, and the first goes on by its button', async (t) => {
  const [tab, phone] = [
    await (await newReader(t, chromium)).newPage(),
    await (await newReader(t, chromium)).newPage(),
  ] as const;
  const email = freshEmail();
  await signUp(tab, email);
  await phone.goto(String((await mailbox.next(email)).link));
  await tab.getByRole('button', { name: 'I have opened the link' }).click();
  await tab.getByText('not confirmed yet').waitFor();
  await phone.getByRole('button', { name: 'Confirm address' }).click();
  await phone.getByRole('heading', { name: 'Address confirmed' }).waitFor();
  t.is(await whoIs(stack, phone.context(), auth), null);
  await tab.getByRole('button', { name: 'I have opened the link' }).click();
  await tab.waitForURL(article);
  await isShown(tab, 'signed-in');
});

test.serial('a sign-in link in the same browser, by its button; in another one its code for the first', async (t) => {
  const account = await stack.makeAccount('Lin Link');
  const ask = async (tab: Page) => {
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await tab.fill('#identifier', account.email);
    await tab.getByRole('button', { name: 'Send me a link instead' }).click();
    await tab.getByRole('heading', { name: 'Check your mail' }).waitFor();
    return String((await mailbox.next(account.email)).link);
  };
  const reader = await newReader(t, chromium);
  const [tab, mail] = [await reader.newPage(), await reader.newPage()];
  await mail.goto(await ask(tab));
  t.is(await whoIs(stack, reader, auth), null);
  await mail.getByRole('button', { name: 'Sign in' }).click();
  await mail.waitForURL(article);
  await isShown(mail, 'signed-in');

  const [second, phone] = [
    await (await newReader(t, chromium)).newPage(),
    await (await newReader(t, chromium)).newPage(),
  ] as const;
  await phone.goto(await ask(second));
  await phone.getByRole('heading', { name: 'Enter this code where you are signing in' }).waitFor();
  await second.fill('#code', await phone.innerText('.big-code'));
  await second.getByRole('button', { name: 'Sign in' }).click();
  await second.waitForURL(article);
  await isShown(second, 'signed-in');
  t.is(await whoIs(stack, phone.context(), auth), null);
});

test.serial('security 9: a mail scanner that opens every link and runs its page uses nothing up', async (t) => {
  const account = await stack.makeAccount('Sam Scanned');
  const [fresh, tab] = [freshEmail(), await (await newReader(t, chromium)).newPage()];
  await signUp(tab, fresh);
  const verify = String((await mailbox.next(fresh)).link);
  await tab.goto(`${auth}/forgot-password`);
  await tab.fill('#email', account.email);
  await tab.getByRole('button', { name: 'Send' }).click();
  const reset = String((await mailbox.next(account.email)).link);
  await tab.goto(`${auth}/login`);
  await tab.fill('#identifier', account.email);
  await tab.getByRole('button', { name: 'Send me a link instead' }).click();
  const signIn = String((await mailbox.next(account.email)).link);

  const scanner = await newReader(t, chromium);
  for (const link of [verify, reset, signIn]) {
    const opened = await scanner.newPage();
    await opened.goto(link, { waitUntil: 'networkidle' });
    await opened.reload({ waitUntil: 'networkidle' });
    await opened.close();
  }
  const { builder } = stack.server.services.db;
  const used = await builder('challenges').whereIn('recipient', [fresh, account.email]).whereNotNull('consumed_at');
  t.deepEqual(used, []);
  t.is(await whoIs(stack, scanner, auth), null);

  await tab.goto(signIn);
  await tab.getByRole('button', { name: 'Sign in' }).click();
  await tab.waitForURL(`${auth}/`);
  await tab.goto(reset);
  await tab.fill('#password', NEW_PASSWORD);
  await tab.getByRole('button', { name: 'Set the password' }).click();
  await tab.getByText('Your new password is set').waitFor();
  await tab.goto(verify);
  await tab.getByRole('button', { name: 'Confirm address' }).click();
  await tab.waitForURL(article);
});
