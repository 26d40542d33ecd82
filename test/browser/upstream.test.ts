// Sign-in with another provider in real Chromium; the provider is a second Causeway, which knows the first as a product.

import test from 'ava';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { reservePort } from '../support/real_ports.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';
import { ofPolicy } from './hosted_pages.ts';
import { isShown, startStack, whoIs } from './stack.ts';

const SECRET = 'the secret of the harbour group at the guild';
const stack = await startStack();
const port = await reservePort();
const guild = `http://auth.guild.localhost:${port}`;
const provider = await startTestServer({
  env: { PORT: String(port) },
  yaml: `
realms:
  - slug: guild
    auth_domain: "${guild}"
    brand: { name: Printers Guild, accent: "#7a1f3d" }
    clients:
      - id: harbour
        kind: third-party
        name: Harbour Group
        secret: ${SECRET}
        redirect_uris: ["${stack.auth}/api/auth/v1/oidc/guild/callback"]
        consent: implied
`,
});
await stack.server.apply(
  `
realms:
  - slug: harbour
    auth_domain: "${stack.auth}"
    upstream:
      - { provider: oidc, id: guild, name: Printers Guild, issuer: "${guild}", client_id: harbour, client_secret: "\${GUILD}" }
`,
  { GUILD: SECRET },
);
const browser = await launchChromium();
test.after.always(() => browser.close());
test.after.always(() => stack.close());
test.after.always(() => provider.close());

async function signInAtGuild(page: import('playwright-core').Page, email: string) {
  await page.waitForURL(`${guild}/**`);
  await page.fill('#identifier', email);
  await page.fill('#password', PASSWORD);
  await page.click('button[type=submit]');
}

for (const javaScriptEnabled of [true, false]) {
  test.serial(
    `security 65: a reader signs in on a site with a second Causeway, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`,
    async (t) => {
      const member = await provider.makeAccount({ realm: 'guild', name: 'Morgan Member' });
      const context = await newReader(t, browser, { javaScriptEnabled });
      const { complaints } = record(context);
      const page = await context.newPage();
      await page.goto(stack.article, { waitUntil: 'commit' });
      await page.click('[data-sign-in]');
      await page.getByRole('link', { name: 'Continue with Printers Guild' }).click();
      // The guild's form leads over three hosts: the guild, its product (our auth domain), and on to the site.
      await signInAtGuild(page, member.email);
      await page.waitForURL(stack.article);
      if (javaScriptEnabled) await isShown(page, 'signed-in');
      t.is(await whoIs(stack, context, stack.news), member.email);
      t.deepEqual(ofPolicy(complaints), []);
      // The other sites come without a page, as after any sign-in.
      await page.goto(`${stack.sports}/`, { waitUntil: 'commit' });
      await page.click('[data-sign-in]');
      await page.waitForURL(`${stack.sports}/`);
      t.is(await whoIs(stack, context, stack.sports), member.email);
    },
  );
}

test.serial(
  'a reader who is signed in connects the account, is sent to the provider by the form, and comes back',
  async (t) => {
    const account = await stack.makeAccount();
    const member = await provider.makeAccount({ realm: 'guild' });
    const context = await newReader(t, browser);
    const { complaints } = record(context);
    const page = await context.newPage();
    await page.goto(`${stack.auth}/login`);
    await page.fill('#identifier', account.email);
    await page.fill('#password', PASSWORD);
    await page.click('button[type=submit]');
    await page.waitForURL(`${stack.auth}/`);
    await page.goto(`${stack.auth}/account/connections`);
    await page.getByRole('button', { name: 'Connect Printers Guild' }).click();
    await signInAtGuild(page, member.email);
    await page.waitForURL(`${stack.auth}/account/connections`);
    await page.getByRole('button', { name: 'Disconnect Printers Guild' }).waitFor();
    t.deepEqual(ofPolicy(complaints), []);
    t.is(await whoIs(stack, context, stack.auth), account.email, 'and is still the same reader');
  },
);

test.serial(
  'an address that has an account here leads to the page that says what to do, and its button to the password',
  async (t) => {
    const account = await stack.makeAccount();
    await provider.makeAccount({ realm: 'guild', email: account.email });
    const context = await newReader(t, browser);
    const page = await context.newPage();
    await page.goto(`${stack.auth}/login`);
    await page.getByRole('link', { name: 'Continue with Printers Guild' }).click();
    await signInAtGuild(page, account.email);
    await page.getByRole('heading', { name: 'You already have an account' }).waitFor();
    t.is(await whoIs(stack, context, stack.auth), null);
    await page.getByRole('link', { name: 'Sign in with password' }).click();
    await page.waitForURL(`${stack.auth}/login`);
  },
);
