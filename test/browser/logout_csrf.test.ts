import test from 'ava';
import { isWholeBrowser, launchChromium, newReader } from '../support/chromium.ts';
import { API, awaitLogged, isShown, signInFrom, startPages, startStack, whoIs } from './stack.ts';

const stack = await startStack();
const { auth, news, sports, article } = stack;
const LOGOUTS = [`${news}${API}/logout`, `${auth}${API}/logout`];
const foreign = await startPages('evil.localhost', {
  '/': '<!doctype html><title>Foreign</title><p>Nice pictures',
  '/hop': hop,
});
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => foreign.close());
test.after.always(() => stack.close());

/** A foreign page that sends its visitor on at once. */
function hop() {
  return `<!doctype html><script>location.replace(${JSON.stringify(LOGOUTS[0])})</script>`;
}

const embed = (tag: string, address: string) => (url: string) =>
  `new Promise((resolve) => {
    const element = Object.assign(document.createElement('${tag}'), { onload: resolve, onerror: resolve, ${address}: ${JSON.stringify(url)} });
    if ('rel' in element) element.rel = 'stylesheet';
    document.body.append(element);
  })`;
const SUBRESOURCES: Record<string, (url: string) => string> = {
  img: embed('img', 'src'),
  script: embed('script', 'src'),
  iframe: embed('iframe', 'src'),
  stylesheet: embed('link', 'href'),
  video: embed('video', 'src'),
  object: embed('object', 'data'),
  'fetch no-cors': (url) =>
    `fetch(${JSON.stringify(url)}, { mode: 'no-cors', credentials: 'include' }).catch(() => null)`,
  'fetch cors': (url) => `fetch(${JSON.stringify(url)}, { credentials: 'include' }).catch(() => null)`,
  'fetch POST': (url) =>
    `fetch(${JSON.stringify(url)}, { method: 'POST', mode: 'no-cors', credentials: 'include', body: 'a=b' }).catch(() => null)`,
  beacon: (url) => `navigator.sendBeacon(${JSON.stringify(url)}, 'a=b')`,
};

test.serial(
  'security 67: no part of a foreign page signs a reader out: picture, script, frame, style, video, object, fetch, beacon',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    await signInFrom(await reader.newPage(), article, account);
    const tab = await reader.newPage();
    await tab.goto(foreign.origin);
    const isRefused = awaitLogged(stack, 'bridgekeeper.logout', 403);
    for (const [name, attack] of Object.entries(SUBRESOURCES)) {
      for (const url of LOGOUTS) await tab.evaluate(attack(url));
      t.is(await whoIs(stack, reader, news), account.email, name);
    }
    await isRefused();
    t.is(await whoIs(stack, reader, auth), account.email);
  },
);

for (const [how, open] of Object.entries({
  'a link': `document.body.innerHTML = '<a href=${LOGOUTS[0]}>Win a prize</a>'; document.links[0].click()`,
  'window.open': `window.open(${JSON.stringify(LOGOUTS[0])})`,
  'a form': `document.body.innerHTML = '<form action=${LOGOUTS[0]}></form>'; document.forms[0].submit()`,
  'a redirect by script': `location.assign('/hop')`,
})) {
  test.serial(
    `security 67: ${how} from a foreign page shows the page that asks; the session lives until its button is pressed`,
    async (t) => {
      const account = await stack.makeAccount('Vic Tim');
      const reader = await newReader(t, chromium);
      const own = await reader.newPage();
      await signInFrom(own, article, account);
      const tab = await reader.newPage();
      await tab.goto(foreign.origin);
      const opened = how === 'window.open' ? reader.waitForEvent('page') : Promise.resolve(tab);
      await tab.evaluate(open);
      const asking = await opened;
      await asking.getByRole('heading', { name: 'Sign out?' }).waitFor();
      t.is(await whoIs(stack, reader, news), account.email);
      await asking.getByRole('button', { name: 'Sign out' }).click();
      await asking.waitForURL(`${news}${API}/signed-out`);
      await asking.getByText('Signed out of ').waitFor();
      await asking.getByRole('link', { name: 'Continue' }).click();
      await asking.waitForURL(`${news}/`);
      await isShown(asking, 'anonymous');
      await isShown(own, 'anonymous');
      t.is(await whoIs(stack, reader, auth), null);
    },
  );
}

test.serial('security 67: a form post from a foreign page to the button’s address signs nobody out', async (t) => {
  const account = await stack.makeAccount();
  const reader = await newReader(t, chromium);
  await signInFrom(await reader.newPage(), article, account);
  const tab = await reader.newPage();
  for (const url of [...LOGOUTS, `${auth}/logout`]) {
    await tab.goto(foreign.origin);
    await tab.evaluate(
      `document.body.innerHTML = '<form method=post action=${url}><input name=csrf_token value=x></form>'; document.forms[0].submit()`,
    );
    await tab.waitForURL(url);
    t.is(await whoIs(stack, reader, news), account.email, url);
  }
});

test.serial(
  'security 67: a typed sign-out address asks, and “Stay signed in” leads back with the session alive',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    await signInFrom(await reader.newPage(), article, account);
    const tab = await reader.newPage();
    await tab.goto(LOGOUTS[0] as string);
    await tab.getByRole('link', { name: 'Stay signed in' }).click();
    await tab.waitForURL(`${news}/`);
    await isShown(tab, 'signed-in');
    t.is(await whoIs(stack, reader, auth), account.email);
  },
);

for (const action of ['prefetch', 'prerender']) {
  test.serial(
    `reliability R-97: a ${action} of sign-out, sign-in and landing addresses by speculation rules changes nothing`,
    async (t) => {
      if (action === 'prerender' && !(await isWholeBrowser(t))) return;
      const account = await stack.makeAccount();
      const reader = await newReader(t, chromium, { bypassCSP: true });
      const tab = await reader.newPage();
      await signInFrom(tab, article, account);
      const before = await reader.cookies();
      const query = `client_id=news&redirect_uri=${encodeURIComponent(`${news}${API}/oauth/token`)}&callback_uri=${encodeURIComponent(article)}&by=${action}`;
      const urls = [
        `${API}/logout`,
        `${API}/oauth/authorize?${query}`,
        `${API}/oauth/auto-sso/authorize?${query}`,
        `${API}/oauth/token?code=x`,
      ];
      const rules = JSON.stringify({ [action]: [{ source: 'list', urls, eagerness: 'immediate' }] });
      const isRefused = awaitLogged(stack, 'bridgekeeper.logout', 403);
      await tab.evaluate(
        `document.head.append(Object.assign(document.createElement('script'), { type: 'speculationrules', textContent: ${JSON.stringify(rules)} }))`,
      );
      await isRefused();
      t.is(await whoIs(stack, reader, news), account.email);
      t.deepEqual(await reader.cookies(), before);
      await tab.reload();
      await isShown(tab, 'signed-in');
    },
  );
}

test.serial(
  'reliability R-97: a foreign page that prefetches the sign-out address does not reach the session',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    await signInFrom(await reader.newPage(), `${sports}/`, account);
    const tab = await reader.newPage();
    await tab.goto(foreign.origin);
    for (const url of [`${sports}${API}/logout`, ...LOGOUTS]) {
      await tab.evaluate(
        `new Promise((resolve) => document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: ${JSON.stringify(url)}, onload: resolve, onerror: resolve })))`,
      );
    }
    t.is(await whoIs(stack, reader, sports), account.email);
  },
);
