// A sign-in of more than one page, from a site to its article, in real Chromium: each page's policy lets the redirect after its
// form reach the site (content security policy, form-action), and nobody is signed in anywhere before the last page.

import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { codeOf, enrol } from '../mfa/setup.ts';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { CLIENT_ID, CLIENT_SECRET, startFakeProvider } from '../support/upstream_provider.ts';
import { ofPolicy } from './hosted_pages.ts';
import { fillIn, isShown, startStack, whoIs } from './stack.ts';

const idp = await startFakeProvider();
const stack = await startStack({ settings: 'sessions_max: 2, sessions_over: ask' });
const strict = await startStack({ settings: 'second_factor: required' });
for (const { server, auth } of [stack, strict])
  await server.apply(
    `
realms:
  - slug: harbour
    auth_domain: "${auth}"
    upstream:
      - { provider: oidc, id: corp, name: Corp, issuer: "${idp.issuer}", client_id: ${CLIENT_ID}, client_secret: "\${IDP}", trusted_email_domains: ["*"] }
`,
    { IDP: CLIENT_SECRET },
  );
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
test.after.always(() => strict.close());
test.after.always(() => idp.close());

/** A reader on the sign-in page, come from the article, and what the console says from then on. */
async function atSignIn(t: ExecutionContext, of: typeof stack = stack) {
  const context = await newReader(t, chromium);
  const { complaints } = record(context);
  const tab = await context.newPage();
  await tab.goto(of.article, { waitUntil: 'commit' });
  await tab.click('[data-sign-in]');
  await tab.waitForURL(`${of.auth}/login**`);
  const arrives = async (email: string) => {
    await tab.waitForURL(of.article);
    await isShown(tab, 'signed-in');
    t.is(await whoIs(of, context, of.news), email);
    t.deepEqual(ofPolicy(complaints), []);
  };
  return { context, tab, complaints, arrives };
}
const byProvider = (tab: Page) => tab.getByRole('link', { name: 'Continue with Corp' }).click();
const press = (tab: Page, name: string) => tab.getByRole('button', { name }).click();

/** An account of a person at the provider, who has signed in with it before. */
async function connectedAccount(t: ExecutionContext) {
  const { email } = idp.reset();
  const { tab, context, arrives } = await atSignIn(t);
  await byProvider(tab);
  await arrives(String(email));
  await context.clearCookies();
  const { accounts, db } = stack.server.services;
  const found = await accounts.findByEmail(db, (await stack.server.realm('harbour')).id, String(email));
  const account = found && (await accounts.findById(db, found.id));
  if (!account) throw new Error('no account');
  const { sessions } = stack.server.services;
  const of = { realmId: account.realmId, accountId: account.id };
  await db.transaction((q) => sessions.revokeAllOf(q, of, { reason: 'signed-out', address: null }));
  return { account, email: String(email) };
}

/** Two browsers that are signed in on a site with the account: as many as the realm allows. */
async function twoOthers(t: ExecutionContext, account: { email: string }) {
  const others: (() => Promise<string | null>)[] = [];
  for (const _ of [1, 2]) {
    const { context, tab, arrives } = await atSignIn(t);
    await fillIn(tab, account);
    await arrives(account.email);
    others.push(() => whoIs(stack, context, stack.news));
  }
  return () => Promise.all(others.map((ask) => ask()));
}

test.serial('security 65: from a site with password and second factor to the article', async (t) => {
  const account = await stack.makeAccount();
  const { secret } = await enrol(stack.server, account);
  const { context, tab, arrives } = await atSignIn(t);
  await fillIn(tab, account);
  await tab.waitForURL(`${stack.auth}/login/second-factor**`);
  t.is(await whoIs(stack, context, stack.auth), null);
  await tab.fill('#code', codeOf(secret));
  await press(tab, 'Continue');
  await arrives(account.email);
});

test.serial('security 65: from a site over setting up the second factor that the realm asks for', async (t) => {
  const account = await strict.makeAccount();
  const { tab, arrives } = await atSignIn(t, strict);
  await fillIn(tab, account);
  const secret = String(await tab.textContent('[data-secret]')).replaceAll(' ', '');
  await tab.fill('#code', codeOf(secret));
  await press(tab, 'Confirm');
  t.is(await tab.locator('.recovery-codes li').count(), 10);
  await press(tab, 'I have saved them');
  await arrives(account.email);
});

test.serial(
  'security 65, 163: another provider vouches, the second factor is asked for all the same, then the article',
  async (t) => {
    const { account, email } = await connectedAccount(t);
    const { secret } = await enrol(stack.server, account);
    const { context, tab, arrives } = await atSignIn(t);
    await byProvider(tab);
    await tab.waitForURL(`${stack.auth}/login/second-factor**`);
    t.is(await whoIs(stack, context, stack.auth), null);
    // Whoever leaves the page is asked to sign in, and gets no code.
    const second = await context.newPage();
    await second.goto(`${stack.sports}/`, { waitUntil: 'commit' });
    await second.click('[data-sign-in]');
    await second.waitForURL(`${stack.auth}/login**`);
    t.is(await whoIs(stack, context, stack.sports), null);
    await tab.bringToFront();
    await tab.fill('#code', codeOf(secret));
    await press(tab, 'Continue');
    await arrives(email);
  },
);

test.serial(
  'security 65: one session too many with password: the others are signed out by the button, then the article',
  async (t) => {
    const account = await stack.makeAccount();
    const others = await twoOthers(t, account);
    const { context, tab, arrives } = await atSignIn(t);
    await fillIn(tab, account);
    await tab.waitForURL(`${stack.auth}/login/sessions**`);
    t.is(await whoIs(stack, context, stack.auth), null);
    t.deepEqual(await others(), [account.email, account.email]);
    await press(tab, 'Sign out the others and continue');
    await arrives(account.email);
    t.deepEqual(await others(), [null, null]);
  },
);

test.serial('security 65: the same after another provider and a second factor', async (t) => {
  const { account, email } = await connectedAccount(t);
  const { secret } = await enrol(stack.server, account);
  for (const steps of [-1, 0]) {
    const { tab, arrives } = await atSignIn(t);
    await byProvider(tab);
    await tab.fill('#code', codeOf(secret, { steps }));
    await press(tab, 'Continue');
    await arrives(email);
  }
  const { tab, arrives } = await atSignIn(t);
  await byProvider(tab);
  await tab.fill('#code', codeOf(secret, { steps: 1 }));
  await press(tab, 'Continue');
  await tab.waitForURL(`${stack.auth}/login/sessions**`);
  await press(tab, 'Sign out the others and continue');
  await arrives(email);
});

test.serial('one session too many, cancelled: the sign-in that waited is gone, the others stay', async (t) => {
  const account = await stack.makeAccount();
  const others = await twoOthers(t, account);
  const { context, tab, complaints } = await atSignIn(t);
  await fillIn(tab, account);
  await tab.waitForURL(`${stack.auth}/login/sessions**`);
  await press(tab, 'Cancel');
  await tab.waitForURL(`${stack.auth}/login?**`);
  t.is(await whoIs(stack, context, stack.auth), null);
  t.deepEqual(await others(), [account.email, account.email]);
  const rows = await stack.server.services.db.builder('sessions').where({ account_id: account.id });
  t.is(rows.length, 2);
  await tab.goto(`${stack.auth}/login/sessions`);
  t.is(new URL(tab.url()).pathname, '/', 'the page has nothing to ask any more');
  t.deepEqual(ofPolicy(complaints), []);
});
