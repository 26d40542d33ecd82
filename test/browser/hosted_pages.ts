// Every hosted page in every state that a reader can bring it to, for the tests that look at all of them.

import type { Page } from 'playwright-core';
import { codeOf } from '../mfa/setup.ts';
import { postJson } from '../support/raw.ts';
import { PASSWORD } from '../support/server.ts';
import { ACCOUNT_PAGES } from './account_pages.ts';
import { LETTER_PAGES } from './letter_pages.ts';
import { API, fillIn, type Stack } from './stack.ts';
import { addAuthenticator } from './virtual_authenticator.ts';

type Visit = { tab: Page; stack: Stack; account: { email: string } };
export type HostedPage = { name: string; heading: string; open(visit: Visit): Promise<unknown> };

/** `settings` of the realm under which all of them can be reached. */
export const HOSTED_PAGES_SETTINGS =
  'sign_in_per_account: 2/15m, sessions_max: 2, sessions_over: ask, verification: before-session, sign_in_methods: [password, code, link], ' +
  'messages_per_address: 1000/1h, messages_per_recipient: 100/1h';

/** What a console said of a breach of the page's policy. */
export const ofPolicy = (complaints: readonly string[]) =>
  complaints.filter((text) => /content.security.policy|violates|refused to/i.test(text));

/** Requests to hosts that are none of ours. */
export const foreignTo = (stack: Stack, urls: readonly string[]) => {
  const own = [...stack.origins, stack.auth.replace('auth.', 'nobody.')];
  return urls.filter((url) => !url.startsWith('data:') && !own.includes(new URL(url).origin));
};

const authorize = (stack: Stack, more: Record<string, string> = {}) => {
  const query = {
    client_id: 'news',
    redirect_uri: `${stack.news}${API}/oauth/token`,
    callback_uri: stack.article,
    response_type: 'code',
    ...more,
  };
  return `${stack.auth}${API}/oauth/authorize?${new URLSearchParams(query)}`;
};
const submitUnchecked = (tab: Page) =>
  tab.evaluate('document.forms[0].noValidate = true; document.forms[0].requestSubmit()');

async function signIn({ tab, stack, account }: Visit) {
  await tab.goto(`${stack.auth}/login`);
  await fillIn(tab, account);
  await tab.waitForURL(`${stack.auth}/`);
}

/** Sets two-step sign-in up on its page; ends on the recovery codes. */
async function setUpTwoStep(visit: Visit) {
  const { tab, stack } = visit;
  await signIn(visit);
  await tab.goto(`${stack.auth}/account/two-step`);
  const secret = String(await tab.textContent('[data-secret]')).replaceAll(' ', '');
  await tab.fill('#code', codeOf(secret));
  await tab.click('button[type=submit]');
  await tab.waitForSelector('.recovery-codes');
}

/** Adds a passkey on its page; ends on the recovery codes. */
async function addPasskey(visit: Visit) {
  const { tab, stack } = visit;
  await addAuthenticator(tab);
  await tab.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
  await signIn(visit);
  await tab.goto(`${stack.auth}/account/passkeys`);
  await tab.click('form[data-passkey=add] button');
  await tab.waitForSelector('[name=saved]', { state: 'attached' });
}

/** A reader who has just passed the first factor. */
async function passFirst(visit: Visit) {
  const { tab, stack, account } = visit;
  await setUpTwoStep(visit);
  await tab.context().clearCookies();
  await tab.goto(`${stack.auth}/login`);
  await fillIn(tab, account);
  await tab.waitForURL('**/login/second-factor');
}

export const HOSTED_PAGES: readonly HostedPage[] = [
  { name: 'sign-in', heading: 'Sign in', open: ({ tab, stack }) => tab.goto(`${stack.auth}/login`) },
  { name: 'sign-in-for-site', heading: 'Sign in', open: ({ tab, stack }) => tab.goto(authorize(stack)) },
  {
    name: 'sign-in-wrong',
    heading: 'Sign in',
    async open({ tab, stack, account }) {
      await tab.goto(authorize(stack));
      await fillIn(tab, account, 'not the password');
      await tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'sign-in-missing',
    heading: 'Sign in',
    async open({ tab, stack }) {
      await tab.goto(`${stack.auth}/login`);
      await submitUnchecked(tab);
      await tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'sign-in-renewed',
    heading: 'Sign in',
    async open({ tab, stack, account }) {
      await tab.goto(authorize(stack));
      await tab.context().clearCookies();
      await fillIn(tab, account);
      await tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'sign-in-throttled',
    heading: 'Sign in',
    async open({ tab, stack, account }) {
      await tab.goto(authorize(stack));
      for (const _ of [1, 2, 3]) {
        await fillIn(tab, account, 'not the password');
        await tab.getByRole('alert').waitFor();
      }
    },
  },
  { name: 'sign-up', heading: 'Create an account', open: ({ tab, stack }) => tab.goto(`${stack.auth}/signup`) },
  {
    name: 'sign-up-strength',
    heading: 'Create an account',
    async open({ tab, stack }) {
      await tab.goto(`${stack.auth}/signup`);
      await tab.fill('#password', 'sunshine99');
      await tab.waitForSelector('.strength p:not(:empty)');
      await tab.click('button.reveal');
    },
  },
  {
    name: 'sign-up-missing',
    heading: 'Create an account',
    async open({ tab, stack }) {
      await tab.goto(`${stack.auth}/signup`);
      await submitUnchecked(tab);
      await tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'sign-up-taken',
    heading: 'Create an account',
    async open({ tab, stack, account }) {
      await tab.goto(`${stack.auth}/signup`);
      await tab.fill('#name', 'Second Reader');
      await tab.fill('#email', account.email);
      await tab.fill('#password', 'a long enough password');
      await tab.click('button[type=submit]');
      await tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'sign-up-renewed',
    heading: 'Create an account',
    async open({ tab, stack }) {
      await tab.goto(`${stack.auth}/signup`);
      await tab.context().clearCookies();
      await submitUnchecked(tab);
      await tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'two-step-set-up',
    heading: 'Set up two-step sign-in',
    async open(visit) {
      await signIn(visit);
      await visit.tab.goto(`${visit.stack.auth}/account/two-step`);
    },
  },
  { name: 'two-step-recovery-codes', heading: 'Save your recovery codes', open: setUpTwoStep },
  {
    name: 'two-step',
    heading: 'Two-step sign-in',
    async open(visit) {
      await setUpTwoStep(visit);
      await visit.tab.goto(`${visit.stack.auth}/account/two-step`);
    },
  },
  { name: 'second-factor', heading: 'Enter your code', open: passFirst },
  {
    name: 'passkeys-none',
    heading: 'Passkeys',
    async open(visit) {
      await signIn(visit);
      await visit.tab.goto(`${visit.stack.auth}/account/passkeys`);
      await visit.tab.waitForSelector('form[data-passkey=add] button');
    },
  },
  {
    name: 'passkeys',
    heading: 'Passkeys',
    async open(visit) {
      await addPasskey(visit);
      await visit.tab.goto(`${visit.stack.auth}/account/passkeys?done=added`);
      await visit.tab.click('.passkeys summary');
    },
  },
  {
    name: 'second-factor-passkey',
    heading: 'Confirm with your passkey',
    async open(visit) {
      await addPasskey(visit);
      await visit.tab.context().clearCookies();
      await visit.tab.goto(`${visit.stack.auth}/login`);
      await fillIn(visit.tab, visit.account);
      await visit.tab.waitForURL('**/login/second-factor');
      await visit.tab.waitForSelector('form[data-passkey=second-factor] button');
    },
  },
  {
    name: 'second-factor-wrong',
    heading: 'Enter your code',
    async open(visit) {
      await passFirst(visit);
      await visit.tab.fill('#code', '12345');
      await visit.tab.click('button[type=submit]');
      await visit.tab.getByRole('alert').waitFor();
    },
  },
  {
    name: 'second-factor-recovery',
    heading: 'Enter a recovery code',
    async open(visit) {
      await passFirst(visit);
      await visit.tab.click('a[href*="with=recovery"]');
      await visit.tab.waitForURL(/with=recovery/);
    },
  },
  {
    name: 'session-limit',
    heading: 'You are signed in elsewhere',
    async open({ tab, stack, account }) {
      const seen = [
        'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
        'HarbourPost/3.1 (app)',
      ];
      for (const agent of seen)
        await postJson(
          stack.server.port,
          `${stack.news}${API}/login`,
          { email: account.email, password: PASSWORD },
          { headers: { 'User-Agent': agent } },
        );
      await tab.goto(`${stack.auth}/login`);
      await fillIn(tab, account);
      await tab.waitForURL(`${stack.auth}/login/sessions`);
    },
  },
  { name: 'home-signed-out', heading: 'Welcome', open: ({ tab, stack }) => tab.goto(`${stack.auth}/`) },
  { name: 'home-signed-in', heading: 'You are signed in', open: signIn },
  {
    name: 'confirm-sign-out',
    heading: 'Sign out?',
    async open(visit) {
      await signIn(visit);
      await visit.tab.goto(`${visit.stack.auth}/logout`);
    },
  },
  {
    name: 'confirm-sign-out-on-site',
    heading: 'Sign out?',
    async open(visit) {
      await signIn(visit);
      await visit.tab.goto(authorize(visit.stack));
      await visit.tab.waitForURL(visit.stack.article);
      await visit.tab.goto(`${visit.stack.news}${API}/logout`);
    },
  },
  { name: 'signed-out', heading: 'You are signed out', open: ({ tab, stack }) => tab.goto(`${stack.auth}/signed-out`) },
  {
    name: 'signed-out-on-site',
    heading: 'You are signed out',
    async open(visit) {
      await signIn(visit);
      await visit.tab.goto(authorize(visit.stack));
      await visit.tab.waitForURL(visit.stack.article);
      await visit.tab.goto(`${visit.stack.news}${API}/logout`);
      await visit.tab.click('main button[type=submit]');
      await visit.tab.waitForURL(`${visit.stack.news}${API}/signed-out`);
    },
  },
  {
    name: 'error-unknown-client',
    heading: 'This site cannot offer sign-in yet',
    open: ({ tab, stack }) => tab.goto(authorize(stack, { client_id: 'nobody' })),
  },
  {
    name: 'error-redirect-uri',
    heading: 'We could not take you back safely',
    open: ({ tab, stack }) => tab.goto(authorize(stack, { redirect_uri: `${stack.news}/elsewhere` })),
  },
  {
    name: 'error-callback',
    heading: 'We could not take you back safely',
    open: ({ tab, stack }) => tab.goto(authorize(stack, { callback_uri: 'http://evil.localhost/' })),
  },
  {
    name: 'error-cookies-refused',
    heading: 'Your browser did not keep our cookie',
    async open(visit) {
      await signIn(visit);
      await visit.tab.goto(authorize(visit.stack, { restart: '1' }));
    },
  },
  {
    name: 'error-code-invalid',
    heading: 'This sign-in has already ended',
    open: ({ tab, stack }) => tab.goto(`${stack.news}${API}/oauth/token?code=of-long-ago`),
  },
  {
    name: 'error-not-found',
    heading: 'There is no page here',
    open: ({ tab, stack }) => tab.goto(`${stack.auth}/nowhere`),
  },
  {
    name: 'error-not-found-on-site',
    heading: 'There is no page here',
    open: ({ tab, stack }) => tab.goto(`${stack.news}${API}/nowhere`),
  },
  {
    name: 'error-unknown-host',
    heading: 'This address is not in use',
    open: ({ tab, stack }) => tab.goto(stack.auth.replace('auth.', 'nobody.')),
  },
  {
    name: 'error-method',
    heading: 'This page cannot be opened like this',
    async open({ tab, stack }) {
      await tab.goto(`${stack.auth}/login`);
      await tab.evaluate(
        `document.forms[0].action = '/signed-out'; document.forms[0].noValidate = true; document.forms[0].requestSubmit()`,
      );
      await tab.waitForURL(`${stack.auth}/signed-out`);
    },
  },
  ...LETTER_PAGES,
  ...ACCOUNT_PAGES,
];
