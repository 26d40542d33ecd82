import test from 'ava';
import { isWholeBrowser, launchChromium, launchProfile, newReader, record } from '../support/chromium.ts';
import { API, fillIn, isShown, signInFrom, startStack, visit, whoIs } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium({ args: ['--test-third-party-cookie-phaseout'] });
test.after.always(() => chromium.close());
test.after.always(() => stack.close());
const { auth, news, sports, article } = stack;
const report = `${sports}/reports/derby-late-goal`;
const REFUSED = 2;

test.serial('reliability R-92: the journey needs no third-party cookie, in a browser that blocks them', async (t) => {
  const account = await stack.makeAccount();
  const reader = await newReader(t, chromium, { isPerson: true });
  const tab = await reader.newPage();
  await signInFrom(tab, article, account);
  const second = await reader.newPage();
  await visit(second, report);
  await isShown(second, 'signed-in');
  await second.click('[data-sign-out]');
  await isShown(tab, 'anonymous');
  t.is(await whoIs(stack, reader, auth), null);
});

test.serial(
  'reliability R-93: a browser that refuses all cookies is told so after a sign-in, without a loop',
  async (t) => {
    if (!(await isWholeBrowser(t))) return;
    const account = await stack.makeAccount();
    const reader = await launchProfile(t, {
      preferences: { profile: { default_content_setting_values: { cookies: REFUSED } } },
    });
    const { urls } = record(reader);
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account);
    await tab.getByRole('alert').waitFor();
    await fillIn(tab, account);
    await tab.getByRole('heading', { name: 'Your browser did not keep our cookie' }).waitFor();
    t.true(redirects(urls).length <= 10, urls.join('\n'));
    t.is((await reader.cookies()).length, 0, 'cookies were indeed refused');
  },
);

test.serial(
  'reliability R-93: cookies refused on the site alone: one restart, then the page that says so, without a loop',
  async (t) => {
    if (!(await isWholeBrowser(t))) return;
    const account = await stack.makeAccount();
    const exceptions = { cookies: { [`${news},*`]: { setting: REFUSED } } };
    const reader = await launchProfile(t, { preferences: { profile: { content_settings: { exceptions } } } });
    const { urls } = record(reader);
    const tab = await reader.newPage();
    await tab.goto(article);
    await tab.click('[data-sign-in]');
    await fillIn(tab, account);
    await tab.getByRole('heading', { name: 'Your browser did not keep our cookie' }).waitFor();
    t.is(await tab.getByRole('link', { name: 'Try again' }).getAttribute('href'), article);
    t.is(urls.filter((url) => url.startsWith(`${news}${API}/oauth/token`)).length, 2);
    t.true(redirects(urls).length <= 10, urls.join('\n'));
    t.is(await whoIs(stack, reader, auth), account.email, 'the auth domain’s cookies were kept');
  },
);

test.serial('reliability R-93: automatic sign-in with cookies refused leaves the page as it is', async (t) => {
  if (!(await isWholeBrowser(t))) return;
  const exceptions = { cookies: { [`${news},*`]: { setting: REFUSED } } };
  const reader = await launchProfile(t, { preferences: { profile: { content_settings: { exceptions } } } });
  await reader.addInitScript(`Object.defineProperty(navigator, 'webdriver', { get: () => false })`);
  const { urls } = record(reader);
  const tab = await reader.newPage();
  await tab.goto(article);
  await tab.evaluate('new Promise((resolve) => causeway.onChange(resolve))');
  t.is(tab.url(), article);
  t.deepEqual(
    urls.filter((url) => url.includes('/oauth/')),
    [],
  );
  // Nor does the server send a browser round that is asked to go: one hop there, one back.
  const query = `client_id=news&redirect_uri=${news}${API}/oauth/token&callback_uri=${article}&response_type=code`;
  await tab.goto(`${news}${API}/oauth/auto-sso/authorize?${query}`);
  t.true(urls.includes(`${article}?logged_in=false`));
  t.is(urls.filter((url) => url.includes('/oauth/')).length, 2);
});

test.serial(
  'reliability R-94: with the auth domain’s cookies deleted a site stays signed in, the next one asks and returns',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    const tab = await reader.newPage();
    await signInFrom(tab, article, account);
    await reader.clearCookies({ domain: 'auth.localhost' });
    await tab.reload();
    await isShown(tab, 'signed-in');
    const second = await reader.newPage();
    await second.goto(report);
    await second.click('[data-sign-in]');
    await fillIn(second, account);
    await second.waitForURL(report);
    await isShown(second, 'signed-in');
    t.is(await whoIs(stack, reader, news), account.email);
  },
);

for (const persisted of [true, false]) {
  test.serial(
    `reliability R-95: after the sign-out, Back shows no personal data${persisted ? '' : ', also where the page is made anew'}`,
    async (t) => {
      const account = await stack.makeAccount('Bea Fcache');
      const reader = await newReader(t, chromium, { javaScriptEnabled: persisted });
      const tab = await reader.newPage();
      await signInFrom(tab, article, account);
      await tab.goto(`${auth}/`);
      t.true((await tab.content()).includes('Bea Fcache'));
      await tab.getByRole('button', { name: 'Sign out' }).click();
      await tab.waitForURL(`${auth}/signed-out`);
      await tab.goBack();
      await tab.getByRole('heading', { name: 'Welcome' }).waitFor();
      t.false((await tab.content()).includes('Bea Fcache'), 'the auth domain');
      await tab.goBack();
      await tab.waitForURL(article);
      await isShown(tab, 'anonymous');
      t.false((await tab.content()).includes('Bea Fcache'), 'the site');
    },
  );
}

/** Page changes, without the pictures, scripts and questions of the pages. */
const redirects = (urls: readonly string[]) => urls.filter((url) => /\/oauth\/|\/login|\/articles\//.test(url));
