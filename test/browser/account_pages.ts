// The pages of the account, for the tests that look at every page: as they are, and with what was refused.

import type { HostedPage } from './hosted_pages.ts';
import { fillIn } from './stack.ts';

type Visit = Parameters<HostedPage['open']>[0];

async function signIn({ tab, stack, account }: Visit) {
  await tab.goto(`${stack.auth}/login`);
  await fillIn(tab, account);
  await tab.waitForURL(`${stack.auth}/`);
}

export const ACCOUNT_PAGES: readonly HostedPage[] = [
  ...(
    [
      ['', 'Your account'],
      ['/profile', 'Profile'],
      ['/email', 'Email address'],
      ['/password', 'Change your password'],
      ['/devices', 'Devices'],
      ['/activity', 'Recent activity'],
      ['/connections', 'Connected sign-ins'],
      ['/data', 'Your data'],
      ['/delete', 'Delete the account'],
      ['/deleted', 'Your account is deleted'],
    ] as const
  ).map(([path, heading]) => ({
    name: `account${path.replace('/', '-')}`,
    heading,
    async open(visit: Visit) {
      await signIn(visit);
      await visit.tab.goto(`${visit.stack.auth}/account${path}`);
    },
  })),
  {
    name: 'sign-in-again',
    heading: 'Sign in',
    async open(visit) {
      await signIn(visit);
      await visit.stack.server.services.db.builder.raw(
        `update sessions set authenticated_at = authenticated_at - interval '1 hour'
          where account_id = (select id from accounts where email = ?)`,
        [visit.account.email],
      );
      await visit.tab.goto(`${visit.stack.auth}/account/passkeys`);
    },
  },
  {
    name: 'account-consents',
    heading: 'Products with access',
    async open(visit) {
      await signIn(visit);
      await visit.tab.goto(`${visit.stack.auth}/oauth/consents`);
    },
  },
  ...(
    [
      ['profile', 'Profile', { phone_number: '12', avatar_url: 'no address' }],
      ['email', 'Email address', { email: 'no address' }],
      ['password', 'Change your password', { current: 'not the password', password: 'x' }],
      ['delete', 'Delete the account', { confirmation: 'something else' }],
    ] as const
  ).map(([page, heading, fields]) => ({
    name: `account-${page}-refused`,
    heading,
    async open(visit: Visit) {
      await signIn(visit);
      await visit.tab.goto(`${visit.stack.auth}/account/${page}`);
      for (const [field, value] of Object.entries(fields)) await visit.tab.fill(`#${field}`, value);
      await visit.tab.evaluate(
        `{ const form = document.querySelector('form[action="/account/${page}"]'); form.noValidate = true; form.requestSubmit(); }`,
      );
      await visit.tab.locator('.field-error').first().waitFor();
    },
  })),
];
