import test from 'ava';
import type { Page } from 'playwright-core';
import { createAuthProxy } from '../../demo/auth_proxy.ts';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { PASSWORD } from '../support/server.ts';
import { API, isShown, startHandler, startStack, whoIs } from './stack.ts';

// A realm's own page, driving the API as published clients do: values go into the query as they are, unencoded, and what
// authorize answers is assigned to location.href. Whether it passes the request handle on is up to the test.
const SIGN_IN_PAGE = `<!doctype html><meta charset="utf-8"><title>Our own sign-in</title>
<form><input id="identifier" name="email"><input id="password" type="password"><button type="submit">Go</button></form><p id="problem"></p>
<script>
  const query = new URLSearchParams(location.search);
  const names = ['client_id', 'redirect_uri', 'callback_uri', 'response_type', ...(window.passesHandle ? ['request_handle'] : [])];
  document.forms[0].onsubmit = async (event) => {
    event.preventDefault();
    const body = JSON.stringify({ email: identifier.value, password: password.value });
    const login = await fetch('${API}/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    const { user, message } = await login.json();
    if (!user) return void (problem.textContent = message);
    const answer = await fetch('${API}/oauth/authorize?' + names.map((name) => name + '=' + query.get(name)).join('&') + '&allow_ajax=true');
    location.href = (await answer.json()).redirect_uri;
  };
</script>`;

let toCauseway = createAuthProxy({ causeway: 'http://127.0.0.1:1', log: () => {} });
const front = await startHandler('auth.localhost', (request, response) => {
  toCauseway(request, response, () => {
    const isPage = request.url?.startsWith('/our-sign-in');
    response
      .writeHead(isPage ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' })
      .end(isPage ? SIGN_IN_PAGE : '');
  });
});
const stack = await startStack({
  authOrigin: front.origin,
  realmLines: [`authentication_url: ${front.origin}/our-sign-in`],
});
toCauseway = createAuthProxy({ causeway: stack.causeway, log: () => {} });
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => front.close());
test.after.always(() => stack.close());
const { news, sports, article } = stack;

for (const passesHandle of [true, false]) {
  test.serial(
    `a realm’s own sign-in page signs in by script, ${passesHandle ? 'with' : 'without'} the request handle, and later sites are silent`,
    async (t) => {
      const account = await stack.makeAccount();
      const reader = await newReader(t, chromium);
      await reader.addInitScript(`window.passesHandle = ${passesHandle}`);
      const { urls } = record(reader);
      const tab = await reader.newPage();
      await tab.goto(article);
      await tab.click('[data-sign-in]');
      t.true(tab.url().startsWith(`${front.origin}/our-sign-in?client_id=news&`));
      await fillInOwn(tab, account.email, 'not the password');
      await tab.locator('#problem:not(:empty)').waitFor();
      await fillInOwn(tab, account.email, PASSWORD);
      await tab.waitForURL(article);
      await isShown(tab, 'signed-in');
      const landings = urls.filter((url) => url.startsWith(`${news}${API}/oauth/token`)).length;
      t.is(
        landings,
        passesHandle ? 1 : 2,
        'without the handle the flow is bound to this browser by starting again, once',
      );

      await tab.goto(`${sports}/`);
      await tab.click('[data-sign-in]');
      await isShown(tab, 'signed-in');
      t.is(await whoIs(stack, reader, sports), account.email);
    },
  );
}

test.serial(
  'AJAX mode: a page script asks authorize, goes where it is told and comes back signed in; the next site without a page',
  async (t) => {
    const account = await stack.makeAccount();
    const reader = await newReader(t, chromium);
    await reader.addInitScript('window.passesHandle = true');
    const tab = await reader.newPage();
    await tab.goto(article);
    await askAndGo(tab, 'news', article);
    await tab.waitForURL(/our-sign-in/);
    await fillInOwn(tab, account.email, PASSWORD);
    await tab.waitForURL(article);
    await isShown(tab, 'signed-in');

    const { urls } = record(reader);
    await tab.goto(`${sports}/`);
    await askAndGo(tab, 'sports', `${sports}/reports/derby-late-goal`);
    await tab.waitForURL(`${sports}/reports/derby-late-goal`);
    await isShown(tab, 'signed-in');
    t.deepEqual(
      urls.filter((url) => url.includes('our-sign-in')),
      [],
    );
  },
);

test.serial('security 60: allow_ajax from a script of another origin is refused and tells it nothing', async (t) => {
  const account = await stack.makeAccount();
  const reader = await newReader(t, chromium, { bypassCSP: true });
  await reader.addInitScript('window.passesHandle = true');
  const tab = await reader.newPage();
  await tab.goto(article);
  await tab.click('[data-sign-in]');
  await fillInOwn(tab, account.email, PASSWORD);
  await tab.waitForURL(article);
  for (const target of [front.origin, sports]) {
    const url = `${target}${API}/oauth/authorize?${authorizeQuery('sports', sports, `${sports}/`)}`;
    const read = `fetch(${JSON.stringify(url)}, { credentials: 'include' }).then((r) => r.text(), (error) => error.name)`;
    t.is(await tab.evaluate(read), 'TypeError', target);
  }
});

async function fillInOwn(tab: Page, email: string, password: string) {
  await tab.fill('#identifier', email);
  await tab.fill('#password', password);
  await tab.click('button');
}

function authorizeQuery(clientId: string, site: string, callback: string) {
  return `client_id=${clientId}&redirect_uri=${site}${API}/oauth/token&callback_uri=${callback}&response_type=code&allow_ajax=true`;
}

/** What `oauthAuthorize` of the published client does, and the page around it. */
async function askAndGo(tab: Page, clientId: string, callback: string) {
  const url = `${API}/oauth/authorize?${authorizeQuery(clientId, new URL(callback).origin, callback)}`;
  await tab.evaluate(
    `fetch(${JSON.stringify(url)}).then((r) => r.json()).then(({ redirect_uri }) => { setTimeout(() => { location.href = redirect_uri; }); })`,
  );
}
