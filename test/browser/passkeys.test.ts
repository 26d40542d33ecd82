// Passkeys in Chromium with its virtual authenticator: made on the auth domain, used there alone and as a second factor, and
// used from the pages of two other sites (related origins).

import { connect } from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { makeTestCa } from '../support/test_ca.ts';
import { ofPolicy } from './hosted_pages.ts';
import { API, fillIn, startStack } from './stack.ts';
import { addAuthenticator } from './virtual_authenticator.ts';

const stack = await startStack();
const wellKnown = await serveWellKnown();
const chromium = await launchChromium({
  // Browsers ask for the list of sites at https and the default port, whatever port a page of loopback has.
  args: [`--host-resolver-rules=MAP auth.localhost:443 127.0.0.1:${wellKnown.port}`, '--ignore-certificate-errors'],
});
test.after.always(async () => {
  await chromium.close();
  wellKnown.close();
  await stack.close();
});

/** The auth domain at its default port over TLS, as it is in production. */
async function serveWellKnown() {
  const { cert, key } = makeTestCa(['auth.localhost']);
  const asked: string[] = [];
  const server = tls.createServer({ cert, key }, (socket) => {
    const upstream = connect(stack.server.port, '127.0.0.1');
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
    socket.once('data', (head) => {
      asked.push(head.toString().split('\r\n')[0] ?? '');
      upstream.write(head.toString().replace(/^host: .*$/im, `Host: ${new URL(stack.auth).host}`));
      socket.pipe(upstream).pipe(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: (server.address() as { port: number }).port, asked, close: () => server.close() };
}

async function signInByPassword(tab: Page, account: { email: string }) {
  await tab.goto(`${stack.auth}/login`);
  await fillIn(tab, account);
}

/** A reader who adds a passkey on the page of the account, in a tab that has an authenticator. */
async function readerWithPasskey(t: ExecutionContext, more: { isVerifying?: boolean; hasList?: boolean } = {}) {
  const account = await stack.makeAccount();
  const context = await newReader(t, chromium);
  // The authenticator touches itself: the list under the field would sign in before anybody could press the button.
  if (!more.hasList)
    await context.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
  const { complaints } = record(context);
  const tab = await context.newPage();
  const authenticator = await addAuthenticator(tab, more);
  await signInByPassword(tab, account);
  await tab.waitForURL(`${stack.auth}/`);
  await tab.goto(`${stack.auth}/account/passkeys`);
  await tab.getByLabel('Name of the passkey').fill('Desk');
  await tab.getByRole('button', { name: 'Add a passkey' }).click();
  await tab.getByRole('heading', { name: 'Save your recovery codes' }).waitFor();
  await tab.getByRole('button', { name: 'I have saved them' }).click();
  await tab.getByText('Desk', { exact: true }).waitFor();
  return { account, context, tab, authenticator, complaints };
}

/** Who is signed in on the site that a tab shows. */
async function signedInAs(tab: Page): Promise<string | null> {
  const other = await tab.context().newPage();
  const answer = await other.goto(`${new URL(tab.url()).origin}${API}/users/me`);
  const email = answer?.ok() ? (await answer.json()).user.email : null;
  await other.close();
  return email;
}

test('a passkey is added, signs in without a password, is renamed and removed', async (t) => {
  const { account, context, tab, authenticator, complaints } = await readerWithPasskey(t);
  const [credential] = await authenticator.list();
  t.is(credential?.rpId, 'auth.localhost');
  await context.clearCookies();
  await tab.goto(`${stack.auth}/login`);
  await tab.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await tab.waitForURL(`${stack.auth}/`);
  t.is(await signedInAs(tab), account.email);

  await tab.goto(`${stack.auth}/account/passkeys`);
  await tab.getByText('Rename Desk').click();
  await tab.locator('details').getByLabel('Name of the passkey').fill('Kitchen');
  await tab.getByRole('button', { name: 'Rename', exact: true }).click();
  await tab.getByText('The passkey has its new name.').waitFor();
  await tab.getByRole('button', { name: 'Remove Kitchen' }).click();
  await tab.getByText('You have no passkeys yet.').waitFor();
  t.deepEqual(ofPolicy(complaints), []);
});

test('a sign-in that a site asked for ends on the site, signed in by a passkey', async (t) => {
  const { account, context, tab } = await readerWithPasskey(t);
  await context.clearCookies();
  const query = {
    client_id: 'news',
    redirect_uri: `${stack.news}${API}/oauth/token`,
    callback_uri: stack.article,
    response_type: 'code',
  };
  await tab.goto(`${stack.news}${API}/oauth/authorize?${new URLSearchParams(query)}`);
  await tab.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await tab.waitForURL(stack.article);
  t.is(await signedInAs(tab), account.email);
});

test("the browser's own list under the field for the user name signs in", async (t) => {
  const { account, context, tab } = await readerWithPasskey(t, { hasList: true });
  await context.clearCookies();
  await tab.goto(`${stack.auth}/login`);
  await tab.waitForURL(`${stack.auth}/`);
  t.is(await signedInAs(tab), account.email);
});

test('a security key without PIN is a second factor after the password, and no sign-in of its own', async (t) => {
  const { account, context, tab } = await readerWithPasskey(t, { isVerifying: false });
  await context.clearCookies();
  await tab.goto(`${stack.auth}/login`);
  await tab.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await tab.getByText('The passkey was not used.').waitFor();
  t.is(await signedInAs(tab), null);
  await fillIn(tab, account);
  await tab.getByRole('heading', { name: 'Confirm with your passkey' }).waitFor();
  t.is(await signedInAs(tab), null);
  await tab.getByRole('button', { name: 'Use your passkey' }).click();
  await tab.waitForURL(`${stack.auth}/`);
  t.is(await signedInAs(tab), account.email);
});

test('WebAuthn L3 §5.11: the passkey of the auth domain signs in on the pages of two other sites', async (t) => {
  const { account, context, tab, authenticator } = await readerWithPasskey(t);
  for (const site of [stack.news, stack.sports]) {
    await context.clearCookies();
    await tab.goto(`${site}/`);
    t.is(await signedInAs(tab), null);
    const outcome = await tab.evaluate('causeway.signInWithPasskey().then((user) => user && user.email, String)');
    t.is(outcome, account.email, `${site}: ${outcome}`);
    t.is(await signedInAs(tab), account.email);
  }
  t.true(wellKnown.asked.some((line) => line.startsWith('GET /.well-known/webauthn ')));
  t.is((await authenticator.list()).length, 1, 'one passkey for all of them');
});
