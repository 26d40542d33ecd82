// A realm with a sign-in page of its own (authentication_url): what the page is handed, and the ways back from it.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { landingOf, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { AUTH, isReader, NEWS, onAuth } from './flow.ts';

const PAGE = `${originOf('shop')}/sign-in?brand=x`;
const server = await startTestServer({
  yaml: REALM_YAML.replace('    settings:', `    authentication_url: ${PAGE}\n    settings:`),
});
test.after.always(() => server.close());

/** A reader who has come to the realm's own page from the news, and what that page was handed. */
async function comesToThePage() {
  const account = await server.makeAccount();
  const browser = server.browser();
  const arrived = await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/story?x=1#y`, { state: 's1' }), {
    from: `${NEWS}/`,
  });
  const page = new URL(arrived.hops.at(-1) ?? '');
  return { account, browser, page, given: Object.fromEntries(page.searchParams) };
}
/** What the page does: it signs in by script on the auth domain. */
const signIn = async ({ browser, account }: Awaited<ReturnType<typeof comesToThePage>>) =>
  browser.post(`${AUTH}/api/auth/v1/login`, { email: account.email, password: PASSWORD });

test('contract §3.1: the own sign-in page gets client_id, redirect_uri, callback_uri, response_type, state and a request handle', async (t) => {
  const { page, given } = await comesToThePage();
  t.is(`${page.origin}${page.pathname}`, `${originOf('shop')}/sign-in`);
  const { request_handle: handle, ...rest } = given;
  t.deepEqual(rest, {
    brand: 'x',
    client_id: 'news',
    redirect_uri: landingOf('news'),
    callback_uri: `${NEWS}/story?x=1#y`,
    response_type: 'code',
    state: 's1',
  });
  t.regex(String(handle), /^[\w-]+\.[\w-]+\.[\w-]+$/);
});

test('contract §3.1: a page that hands the request handle back brings its reader to his page without a restart', async (t) => {
  const at = await comesToThePage();
  t.is((await signIn(at)).status, 200);
  const { brand: _, ...given } = at.given;
  const asked = await at.browser.fetch(onAuth('news', { ...given, allow_ajax: 'true' }));
  t.is(asked.status, 200);
  const { redirect_uri: url } = asked.json();
  t.is(new URL(url).searchParams.get('state'), 's1');
  const arrived = await at.browser.follow(url, { from: AUTH });
  t.is(arrived.hops.at(-1), `${NEWS}/story?x=1#y`);
  t.is(arrived.hops.filter((hop) => hop.startsWith(landingOf('news'))).length, 1);
  await isReader(t, at.browser, NEWS, at.account);
});

test('contract §3.2: a page that knows no request handle, as published ones, brings its reader to his page after one restart', async (t) => {
  const at = await comesToThePage();
  await signIn(at);
  const asked = await at.browser.fetch(onAuth('news', { callback_uri: `${NEWS}/story?x=1#y`, allow_ajax: 'true' }));
  const arrived = await at.browser.follow(asked.json().redirect_uri, { from: AUTH });
  t.is(arrived.hops.at(-1), `${NEWS}/story?x=1#y`);
  t.is(arrived.hops.filter((hop) => hop.startsWith(landingOf('news'))).length, 2);
  t.true(arrived.hops.length <= 8);
  await isReader(t, at.browser, NEWS, at.account);
});

test('contract §3.1: a page may as well navigate to authorize again', async (t) => {
  const at = await comesToThePage();
  await signIn(at);
  const { brand: _, ...given } = at.given;
  const arrived = await at.browser.follow(onAuth('news', given), { from: at.page.href });
  t.is(arrived.hops.at(-1), `${NEWS}/story?x=1#y`);
  await isReader(t, at.browser, NEWS, at.account);
});

test('contract §3.1: asked by script while nobody is signed in, the answer names the own page, with the flow kept', async (t) => {
  const at = await comesToThePage();
  const { brand: _, ...given } = at.given;
  const asked = await at.browser.fetch(onAuth('news', { ...given, allow_ajax: 'true' }));
  const again = new URL(asked.json().redirect_uri);
  t.is(`${again.origin}${again.pathname}`, `${originOf('shop')}/sign-in`);
  t.is(again.searchParams.get('state'), 's1');
  await signIn(at);
  const query = { ...given, request_handle: String(again.searchParams.get('request_handle')), allow_ajax: 'true' };
  const url = (await at.browser.fetch(onAuth('news', query))).json().redirect_uri;
  const arrived = await at.browser.follow(url, { from: AUTH });
  t.is(arrived.hops.filter((hop) => hop.startsWith(landingOf('news'))).length, 1, 'no restart');
});

test('security 14: on the way back from the own page every parameter is checked again, handle or not', async (t) => {
  const at = await comesToThePage();
  await signIn(at);
  const { brand: _, ...given } = at.given;
  for (const bad of [
    { redirect_uri: 'https://evil.test/' },
    { callback_uri: 'https://evil.test/' },
    { client_id: 'sports' },
    { response_type: 'token' },
  ]) {
    const answer = await at.browser.fetch(onAuth('news', { ...given, ...bad, allow_ajax: 'true' }));
    t.is(answer.status, 400, JSON.stringify(bad));
    t.false('redirect_uri' in answer.json());
  }
});
