import test from 'ava';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { PASSWORD } from '../support/server.ts';
import { foreignTo, ofPolicy } from './hosted_pages.ts';
import { fillIn, isShown, startStack, whoIs } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, sports, shop, article } = stack;

test.serial(
  'security 65: the cross-site redirect after the form post passes the policy of the form’s page (reliability R-96)',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const { urls, complaints } = record(reader);
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account, 'not the password');
    await tab.getByRole('alert').waitFor();
    await fillIn(tab, account);
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');
    await tab.goto(`${sports}/`);
    await tab.click('[data-sign-in]');
    await isShown(tab, 'signed-in');
    await tab.goto(`${shop}/`);
    await tab.click('[data-sign-in]');
    await tab.click('[data-sign-out]');
    await isShown(tab, 'anonymous');
    t.deepEqual(ofPolicy(complaints), []);
    t.deepEqual(foreignTo(stack, urls), []);
  },
);

test.serial('security 65: so does the one after making an account (reliability R-96)', async (t) => {
  const reader = await newReader(t, chromium);
  const { complaints } = record(reader);
  const tab = await reader.newPage();
  await tab.goto(article);
  await tab.click('[data-sign-in]');
  await tab.getByRole('link', { name: 'Create an account' }).click();
  await tab.fill('#name', 'Nora New');
  await tab.fill('#email', `nora-${Date.now()}@example.com`);
  await tab.fill('#password', PASSWORD);
  await tab.click('button[type=submit]');
  await tab.waitForURL(article);
  await isShown(tab, 'signed-in');
  t.deepEqual(ofPolicy(complaints), []);
});

test.serial(
  'security 65: a second tab’s stale form and the sign-out page’s button pass the policy too (reliability R-96)',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const { complaints } = record(reader);
    const [first, second] = [await reader.newPage(), await reader.newPage()];
    for (const tab of [first, second]) {
      await tab.goto(article);
      await tab.click('[data-sign-in]');
      await tab.locator('#identifier').waitFor();
    }
    for (const tab of [first, second]) {
      await fillIn(tab, account);
      await tab.waitForURL(article);
    }
    await first.goto(`${auth}/logout`);
    await first.getByRole('button', { name: 'Sign out' }).click();
    await first.waitForURL(`${auth}/signed-out`);
    t.is(await whoIs(stack, reader, news), null);
    t.deepEqual(ofPolicy(complaints), []);
  },
);

test.serial(
  'the collectors of this file do see a breach: script, style and picture put into a hosted page',
  async (t) => {
    const reader = await newReader(t, chromium);
    const { urls, complaints } = record(reader);
    const tab = await reader.newPage();
    await tab.goto(`${auth}/login`);
    await tab.evaluate(
      `document.body.insertAdjacentHTML('beforeend', '<style>h1 { color: red }</style><img src="http://evil.localhost/p.png"><p style="color: red">')`,
    );
    await tab.evaluate(
      `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hasRun = true' }))`,
    );
    t.is(await tab.evaluate('window.hasRun'), undefined);
    t.true(ofPolicy(complaints).length >= 4, complaints.join('\n'));
    await tab.goto('http://evil.localhost:1/').catch(() => null);
    t.deepEqual(foreignTo(stack, urls), ['http://evil.localhost/p.png', 'http://evil.localhost:1/']);
  },
);
