// The published client in pages of real Chromium, as publishers load it: on a page of a client domain, and on a sign-in page
// of the auth domain that the publisher has written.

import { readFileSync } from 'node:fs';
import test from 'ava';
import type { BrowserContext, Page } from 'playwright-core';
import { createAuthProxy } from '../../demo/auth_proxy.ts';
import { startHandler } from '../browser/stack.ts';
import { launchChromium, newReader } from '../support/chromium.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { CLIENT_FILE } from './client.ts';

const PAGE = `<!doctype html><meta charset="utf-8"><title>A page</title>
<script>window.global = window; var module = { exports: {} }, exports = module.exports;</script>
<script src="/bk.js"></script>
<script>const bk = module.exports, query = new URLSearchParams(location.search);</script>`;
const SCRIPT = readFileSync(CLIENT_FILE);

const server = await startTestServer();
const toCauseway = createAuthProxy({ causeway: `http://127.0.0.1:${server.port}`, log: () => {} });
const [newsFront, authFront] = await Promise.all(['news.localhost', 'auth.localhost'].map(startSite));
const [news, auth] = [newsFront?.origin ?? '', authFront?.origin ?? ''];
await server.apply(`
realms:
  - slug: pages
    auth_domain: ${new URL(auth).host}
    authentication_url: ${auth}/our-sign-in
    settings: { signup: open }
    clients:
      - { id: news, kind: first-party, name: The News, domain: "${new URL(news).host}" }
`);
const chromium = await launchChromium();
test.after.always(async () => {
  await chromium.close();
  await Promise.all([newsFront?.close(), authFront?.close()]);
  await server.close();
});
const LANDING = `${news}/api/auth/v1/oauth/token`;
const STORY = `${news}/story?p=1`;

/** A publisher's host: the same page everywhere, the client's file, and the API handed on. */
function startSite(hostname: string) {
  return startHandler(hostname, (request, response) => {
    toCauseway(request, response, () => {
      const isScript = request.url === '/bk.js';
      response
        .writeHead(200, { 'Content-Type': isScript ? 'text/javascript' : 'text/html; charset=utf-8' })
        .end(isScript ? SCRIPT : PAGE);
    });
  });
}

type Answered = {
  user?: { email: string; 'phone-number': string | null };
  message?: string;
  error?: { message: string };
  redirect_uri?: string;
};

/** What an expression of the page's script comes to. */
const evaluate = <Result>(page: Page, expression: string): Promise<Result> =>
  page.evaluate(`(async () => ${expression})()`);
/** What a function of the client resolves to. */
const call = (page: Page, expression: string): Promise<Answered> => evaluate(page, `bk.${expression}`);
const emailOf = async (page: Page): Promise<string | null> => (await call(page, 'currentUser()')).user?.email ?? null;
const credentialsIn = (account: { email: string }, password = PASSWORD) =>
  JSON.stringify({ username: account.email, email: account.email, password });

async function openStory(reader: BrowserContext): Promise<Page> {
  const page = await reader.newPage();
  await page.goto(STORY);
  return page;
}

/** Sets `location.href`, a turn later, so that the page is still there to answer that it has been told. */
const leaveFor = (page: Page, expression: string): Promise<unknown> =>
  page.evaluate(`void setTimeout(() => { location.href = ${expression}; })`);

/** What a publisher's own sign-in page does once its form is sent. */
async function signInOnOwnPage(page: Page, account: { email: string }) {
  await page.waitForURL(`${auth}/our-sign-in?**`);
  const { user } = await call(page, `login(${credentialsIn(account)})`);
  if (user?.email !== account.email) throw new Error('the login on the sign-in page failed');
  const authorize = `oauthAuthorize('news', query.get('redirect_uri'), query.get('callback_uri'), true)`;
  await leaveFor(page, JSON.stringify((await call(page, authorize)).redirect_uri));
}

test('official client in a page: the documented flow from step 1 to step 6 ends signed in where it began', async (t) => {
  const account = await server.makeAccount({ realm: 'pages' });
  const reader = await newReader(t, chromium);
  const page = await openStory(reader);
  t.regex((await call(page, 'currentUser()')).error?.message ?? '', /qt-auth/);
  await leaveFor(page, `bk.getOauthAuthorizeUrl('news', '${LANDING}', location.href)`);
  await signInOnOwnPage(page, account);
  await page.waitForURL(STORY);
  t.is(await emailOf(page), account.email);
  t.is(await evaluate(page, 'document.cookie'), '', 'no cookie is visible to script');
});

test('official client in a page: authorize by script gives an address that location.href may take, through the whole flow', async (t) => {
  const account = await server.makeAccount({ realm: 'pages' });
  const page = await openStory(await newReader(t, chromium));
  const answer = await call(page, `oauthAuthorize('news', '${LANDING}', location.href, true)`);
  t.true(answer.redirect_uri?.startsWith(`${auth}/api/auth/v1/oauth/authorize?`));
  await leaveFor(page, JSON.stringify(answer.redirect_uri));
  await signInOnOwnPage(page, account);
  await page.waitForURL(STORY);
  t.is(await emailOf(page), account.email);
});

test('official client in a page: login, profile and logout on the client domain itself, and register of a taken address', async (t) => {
  const account = await server.makeAccount({ realm: 'pages' });
  const page = await openStory(await newReader(t, chromium));
  t.regex((await call(page, `login(${credentialsIn(account, 'not the password')})`)).message ?? '', /do not match/);
  t.is(await emailOf(page), null);
  t.is((await call(page, `login(${credentialsIn(account)})`)).user?.email, account.email);
  t.is(await emailOf(page), account.email);
  const changed = await call(page, `updateUserProfile({ name: 'Ada', 'phone-number': 4915112345678 })`);
  t.is(changed.user?.['phone-number'], '4915112345678');
  const taken = await call(page, `register({ ...${credentialsIn(account)}, name: 'Eve', 'dont-login': false })`);
  t.is(taken.message, 'User Already exists');
  t.is(taken.user, undefined);
  t.is(await evaluate(page, 'bk.logout().then(({ status }) => status)'), 204);
  t.is(await emailOf(page), null);
});

test('official client in a page: automatic sign-in is silent both ways, and a logout ends it on the auth domain too', async (t) => {
  const account = await server.makeAccount({ realm: 'pages' });
  const reader = await newReader(t, chromium);
  const stranger = await openStory(reader);
  await leaveFor(stranger, `bk.getAutoSSOUrl('news', '${LANDING}', location.href)`);
  await stranger.waitForURL(`${STORY}&logged_in=false`);
  t.is(await emailOf(stranger), null);

  const second = await newReader(t, chromium);
  const atHome = await second.newPage();
  await atHome.goto(`${auth}/our-sign-in`);
  await call(atHome, `login(${credentialsIn(account)})`);
  const page = await second.newPage();
  await page.goto(`${news}/plain`);
  await leaveFor(page, `bk.getAutoSSOUrl('news', '${LANDING}', '${news}/arrived')`);
  await page.waitForURL(`${news}/arrived`);
  t.is(await emailOf(page), account.email);
  t.is(await evaluate(page, 'bk.logout().then(({ status }) => status)'), 204);
  t.is(await emailOf(atHome), null);
});

// Counts the codes of all readers, so it runs alone.
test.serial(
  'K7: authorize by fetch without allow_ajax ends as an Error object in a page, mints no code and ends no session',
  async (t) => {
    const account = await server.makeAccount({ realm: 'pages' });
    const reader = await newReader(t, chromium);
    const page = await openStory(reader);
    await leaveFor(page, `bk.getOauthAuthorizeUrl('news', '${LANDING}', location.href)`);
    await signInOnOwnPage(page, account);
    await page.waitForURL(STORY);
    const codes = () => countRows(server, 'authorization_codes', {});
    const before = await codes();
    const isError = `bk.oauthAuthorize('news', '${LANDING}', location.href).then((answer) => answer instanceof Error)`;
    t.is(await evaluate(page, isError), true);
    t.is(await codes(), before);
    t.is(await emailOf(page), account.email);
  },
);
