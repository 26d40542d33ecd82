// Every way from a site over our pages and back, in real Chromium: a form whose redirects end on another origin gets there only
// if the policy of its page names that origin (content security policy, form-action). None may complain on the way.

import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { freshEmail, NO_LIMITS } from '../challenges/setup.ts';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { startMailbox } from '../support/mailbox.ts';
import { PASSWORD } from '../support/server.ts';
import { CLIENT_ID, CLIENT_SECRET, startFakeProvider } from '../support/upstream_provider.ts';
import { ofPolicy } from './hosted_pages.ts';
import { fillIn, isShown, startStack, whoIs } from './stack.ts';
import { addAuthenticator } from './virtual_authenticator.ts';

const idp = await startFakeProvider();
const mailbox = await startMailbox();
const stack = await startStack({
  mailbox,
  settings: `${NO_LIMITS}, verification: before-session, sign_in_methods: [password, code, link]`,
});
await stack.server.apply(
  `
realms:
  - slug: harbour
    auth_domain: "${stack.auth}"
    upstream:
      - { provider: oidc, id: corp, name: Corp, issuer: "${idp.issuer}", client_id: ${CLIENT_ID}, client_secret: "\${IDP}" }
`,
  { IDP: CLIENT_SECRET },
);
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
test.after.always(() => idp.close());
const { auth, news, article } = stack;
const NEW_PASSWORD = 'another long password';

/** A reader on the sign-in page, come from the article. `arrives`: is back there, signed in, and no page complained. */
async function atSignIn(t: ExecutionContext, script = '') {
  const context = await newReader(t, chromium);
  if (script !== '') await context.addInitScript(script);
  const { complaints } = record(context);
  const tab = await context.newPage();
  const arrives = async (email: string, back: Page = tab) => {
    await back.waitForURL(article);
    await isShown(back, 'signed-in');
    t.is(await whoIs(stack, context, news), email);
    t.deepEqual(ofPolicy(complaints), []);
  };
  await signIn(tab);
  return { context, tab, arrives };
}

async function signIn(tab: Page) {
  await tab.goto(article, { waitUntil: 'commit' });
  await tab.click('[data-sign-in]');
  await tab.waitForURL(`${auth}/login**`);
}
const press = (tab: Page, name: string) => tab.getByRole('button', { name }).click();

async function signUp(tab: Page, email: string) {
  await tab.getByRole('link', { name: 'Create an account' }).click();
  await tab.fill('#name', 'Una Neu');
  await tab.fill('#email', email);
  await tab.fill('#password', PASSWORD);
  await tab.click('button[type=submit]');
  await tab.getByRole('heading', { name: 'Check your mail' }).waitFor();
  return mailbox.next(email);
}

async function forgot(tab: Page, email: string) {
  await tab.getByRole('link', { name: 'Forgot your password?' }).click();
  await tab.fill('#email', email);
  await press(tab, 'Send');
  return mailbox.next(email);
}

test.serial('security 65: a new account that confirms its address by the code', async (t) => {
  const { tab, arrives } = await atSignIn(t);
  const email = freshEmail();
  await tab.fill('#code', String((await signUp(tab, email)).code));
  await press(tab, 'Confirm address');
  await arrives(email);
});

test.serial('security 65: a new account that confirms its address by the link, in the same browser', async (t) => {
  const { context, tab, arrives } = await atSignIn(t);
  const email = freshEmail();
  const { link } = await signUp(tab, email);
  const mail = await context.newPage();
  await mail.goto(String(link));
  await press(mail, 'Confirm address');
  await arrives(email, mail);
});

test.serial('security 65: a forgotten password by the code', async (t) => {
  const account = await stack.makeAccount();
  const { tab, arrives } = await atSignIn(t);
  await tab.fill('#code', String((await forgot(tab, account.email)).code));
  await press(tab, 'Continue');
  await tab.fill('#password', NEW_PASSWORD);
  await press(tab, 'Set the password');
  await tab.getByText('Your new password is set').waitFor();
  await fillIn(tab, account, NEW_PASSWORD);
  await arrives(account.email);
});

test.serial('security 65: a forgotten password by the link, in another browser', async (t) => {
  const account = await stack.makeAccount();
  const first = await atSignIn(t);
  const { link } = await forgot(first.tab, account.email);
  const { context, tab, arrives } = await atSignIn(t);
  await context.clearCookies();
  await tab.goto(String(link));
  await tab.fill('#password', NEW_PASSWORD);
  await press(tab, 'Set the password');
  await tab.getByText('Your new password is set').waitFor();
  await fillIn(tab, account, NEW_PASSWORD);
  await arrives(account.email);
});

/** A letter with a link to sign in, asked for on the sign-in page. */
async function linkFor(tab: Page, email: string) {
  await tab.fill('#identifier', email);
  await press(tab, 'Send me a link instead');
  await tab.getByRole('heading', { name: 'Check your mail' }).waitFor();
  return String((await mailbox.next(email)).link);
}

test.serial('security 65: a sign-in by a link, in the same browser', async (t) => {
  const account = await stack.makeAccount();
  const { context, tab, arrives } = await atSignIn(t);
  const mail = await context.newPage();
  await mail.goto(await linkFor(tab, account.email));
  await press(mail, 'Sign in');
  await arrives(account.email, mail);
});

test.serial('security 65: a sign-in by the code that the link shows in another browser', async (t) => {
  const account = await stack.makeAccount();
  const { tab, arrives } = await atSignIn(t);
  const phone = await (await newReader(t, chromium)).newPage();
  await phone.goto(await linkFor(tab, account.email));
  await tab.fill('#code', await phone.innerText('.big-code'));
  await press(tab, 'Sign in');
  await arrives(account.email);
});

test.serial(
  'security 65: another provider, an account that is there, its password, then the connected site',
  async (t) => {
    const account = await stack.makeAccount();
    idp.reset({ email: account.email });
    const { tab, arrives } = await atSignIn(t);
    await tab.getByRole('link', { name: 'Continue with Corp' }).click();
    await tab.getByRole('heading', { name: 'You already have an account' }).waitFor();
    await tab.getByRole('link', { name: 'Sign in with password' }).click();
    await fillIn(tab, account);
    await arrives(account.email);
  },
);

test.serial('security 65: a passkey alone, and a passkey after the password', async (t) => {
  const account = await stack.makeAccount();
  // The authenticator touches itself: the list under the field would sign in before anybody could press the button.
  const noList = 'PublicKeyCredential.isConditionalMediationAvailable = async () => false';
  const { context, tab, arrives } = await atSignIn(t, noList);
  await addAuthenticator(tab);
  await fillIn(tab, account);
  await arrives(account.email);
  await tab.goto(`${auth}/account/passkeys`);
  await tab.getByLabel('Name of the passkey').fill('Desk');
  await press(tab, 'Add a passkey');
  await tab.getByRole('heading', { name: 'Save your recovery codes' }).waitFor();
  await press(tab, 'I have saved them');
  await tab.getByText('Desk', { exact: true }).waitFor();

  await context.clearCookies();
  await signIn(tab);
  await press(tab, 'Sign in with a passkey');
  await arrives(account.email);

  await context.clearCookies();
  await signIn(tab);
  await fillIn(tab, account);
  await tab.getByRole('heading', { name: 'Confirm with your passkey' }).waitFor();
  await press(tab, 'Use your passkey');
  await arrives(account.email);
});
