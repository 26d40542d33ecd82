// The hosted pages around letters, for the tests that look at every page: asking for one, its code, its link. In any language,
// so nothing is found by its words.

import { PASSWORD } from '../support/server.ts';
import type { HostedPage } from './hosted_pages.ts';

type Visit = Parameters<HostedPage['open']>[0];

/** The next letter to somebody. */
async function letterTo({ stack }: Visit, email: string) {
  if (!stack.mailbox) throw new Error('this page needs a mailbox');
  const { link, code } = await stack.mailbox.next(email);
  return { link: String(link), code: String(code) };
}

async function forgot({ tab, stack, account }: Visit) {
  await tab.goto(`${stack.auth}/forgot-password`);
  await tab.fill('#email', account.email);
  await tab.click('button[type=submit]');
  await tab.locator('#code').waitFor();
}

async function askForLink({ tab, stack, account }: Visit) {
  await tab.goto(`${stack.auth}/login`);
  await tab.fill('#identifier', account.email);
  await tab.click('button[name=way]');
  await tab.locator('#code').waitFor();
}

/** Signs up; the new address. */
async function signUp({ tab, stack }: Visit): Promise<string> {
  const email = `una-${Date.now()}@example.com`;
  await tab.goto(`${stack.auth}/signup`);
  await tab.fill('#name', 'Una Neu');
  await tab.fill('#email', email);
  await tab.fill('#password', PASSWORD);
  await tab.click('button[type=submit]');
  await tab.locator('#code').waitFor();
  return email;
}

async function enterCode({ tab }: Visit, code: string) {
  await tab.fill('#code', code);
  await tab.click('button[type=submit]');
}

/** Opens the link to a new address. */
async function openChange(visit: Visit): Promise<void> {
  const { stack, account, tab } = visit;
  const { services } = stack.server;
  const address = `new-${account.email}`;
  const row = await services.db.builder('accounts').where({ email: account.email }).first('id', 'realm_id');
  await services.letters.enqueue(
    services.db,
    row['realm_id'],
    { kind: 'email', address, canonical: address as never },
    { purpose: 'change-email', accountId: row['id'] },
    { address: null, locale: 'en', browserHash: null },
  );
  await tab.goto((await letterTo(visit, address)).link);
}

async function openUndo(visit: Visit): Promise<void> {
  await openChange(visit);
  await visit.tab.click('button[type=submit]');
  await visit.tab.locator('.actions a').first().waitFor();
  await visit.tab.goto((await letterTo(visit, visit.account.email)).link);
}

export const LETTER_PAGES: readonly HostedPage[] = [
  {
    name: 'forgot-password',
    heading: 'Forgot your password?',
    open: ({ tab, stack }) => tab.goto(`${stack.auth}/forgot-password`),
  },
  {
    name: 'forgot-password-invalid',
    heading: 'Forgot your password?',
    async open({ tab, stack }) {
      await tab.goto(`${stack.auth}/forgot-password`);
      await tab.evaluate('document.forms[0].noValidate = true; document.forms[0].requestSubmit()');
      await tab.locator('.field-error').waitFor();
    },
  },
  { name: 'reset-code', heading: 'Check your mail', open: forgot },
  {
    name: 'reset-code-wrong',
    heading: 'Check your mail',
    async open(visit) {
      await forgot(visit);
      const { code } = await letterTo(visit, visit.account.email);
      await enterCode(visit, code === '123456' ? '654321' : '123456');
      await visit.tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'new-password',
    heading: 'Choose a new password',
    async open(visit) {
      await forgot(visit);
      await enterCode(visit, (await letterTo(visit, visit.account.email)).code);
      await visit.tab.locator('#password').waitFor();
    },
  },
  {
    name: 'sign-in-password-changed',
    heading: 'Sign in',
    async open(visit) {
      await forgot(visit);
      await visit.tab.goto((await letterTo(visit, visit.account.email)).link);
      await visit.tab.fill('#password', 'another long password');
      await visit.tab.click('button[type=submit]');
      await visit.tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'reset-over',
    heading: 'This does not work any more',
    open: ({ tab, stack }) => tab.goto(`${stack.auth}/reset-password?token=x`),
  },
  { name: 'sign-in-link-sent', heading: 'Check your mail', open: askForLink },
  {
    name: 'sign-in-link',
    heading: 'Sign in',
    async open(visit) {
      await askForLink(visit);
      await visit.tab.goto((await letterTo(visit, visit.account.email)).link);
    },
  },
  {
    name: 'sign-in-link-elsewhere',
    heading: 'Enter this code where you are signing in',
    async open(visit) {
      await askForLink(visit);
      await visit.tab.context().clearCookies();
      await visit.tab.goto((await letterTo(visit, visit.account.email)).link);
    },
  },
  { name: 'sign-up-code', heading: 'Check your mail', open: signUp },
  {
    name: 'sign-up-code-not-yet',
    heading: 'Check your mail',
    async open(visit) {
      await signUp(visit);
      await visit.tab.click('button[value=go-on]');
      await visit.tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'verify-link',
    heading: 'Confirm your email address',
    async open(visit) {
      const email = await signUp(visit);
      await visit.tab.goto((await letterTo(visit, email)).link);
    },
  },
  {
    name: 'verify-link-done-elsewhere',
    heading: 'Address confirmed',
    async open(visit) {
      const email = await signUp(visit);
      await visit.tab.context().clearCookies();
      await visit.tab.goto((await letterTo(visit, email)).link);
      await visit.tab.click('button[type=submit]');
      await visit.tab.locator('.actions a').first().waitFor();
    },
  },
  {
    name: 'verify-link-unknown',
    heading: 'This link does not work',
    open: ({ tab, stack }) => tab.goto(`${stack.auth}/verify-email?token=x`),
  },
  { name: 'change-email-link', heading: 'Use this email address?', open: openChange },
  { name: 'undo-email-change-link', heading: 'Was that not you?', open: openUndo },
  {
    name: 'undo-email-change-done',
    heading: 'Your old address is back',
    async open(visit) {
      await openUndo(visit);
      await visit.tab.click('button[type=submit]');
      await visit.tab.locator('.actions a').first().waitFor();
    },
  },
];
