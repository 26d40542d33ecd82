import test from 'ava';
import { codeOf } from '../mfa/setup.ts';
import { launchChromium, newReader } from '../support/chromium.ts';
import { fillIn, startStack, whoIs } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, article } = stack;

test.serial(
  'without JavaScript: two-step sign-in is set up from the page, then a site is reached with password and code, and with a recovery code',
  async (t) => {
    const account = await stack.makeAccount('Toni Zwei');
    const reader = await newReader(t, chromium, { javaScriptEnabled: false });
    const tab = await reader.newPage();
    await tab.goto(`${auth}/login`);
    await fillIn(tab, account);
    await tab.goto(`${auth}/account/two-step`);
    const secret = String(await tab.textContent('[data-secret]')).replaceAll(' ', '');
    await tab.fill('#code', codeOf(secret));
    await tab.getByRole('button', { name: 'Confirm' }).click();
    const codes = await tab.locator('.recovery-codes li').allTextContents();
    t.is(codes.length, 10);
    await tab.getByRole('button', { name: 'I have saved them' }).click();
    await tab.getByText('10 recovery codes').waitFor();

    const signOut = async () => {
      await tab.goto(`${auth}/`);
      await tab.getByRole('button', { name: 'Sign out' }).click();
      await tab.waitForURL(`${auth}/signed-out`);
    };
    await signOut();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account);
    await tab.waitForURL(`${auth}/login/second-factor**`);
    t.is(await whoIs(stack, reader, news), null);
    await tab.fill('#code', '12345');
    await tab.getByRole('button', { name: 'Continue' }).click();
    await tab.getByRole('alert').waitFor();
    await tab.fill('#code', codeOf(secret, { steps: 1 }));
    await tab.getByRole('button', { name: 'Continue' }).click();
    await tab.waitForURL(article);
    t.is(await tab.textContent('[data-account-name]'), 'Toni Zwei');

    await signOut();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account);
    await tab.getByRole('link', { name: 'Use a recovery code instead' }).click();
    await tab.fill('#code', String(codes[2]));
    await tab.getByRole('button', { name: 'Continue' }).click();
    await tab.waitForURL(article);
    t.is(await tab.textContent('[data-account-name]'), 'Toni Zwei');
  },
);
