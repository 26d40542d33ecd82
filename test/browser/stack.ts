// What a browser test runs against: the real server and the demo's three sites in front of it, each name with its port, and
// a host of somebody else. Free ports throughout, so files may run side by side.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrowserContext, Frame, Page } from 'playwright-core';
import { startDemoSites } from '../../demo/sites.ts';
import { send } from '../support/browser.ts';
import { until } from '../support/chromium.ts';
import type { Mailbox } from '../support/mailbox.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';

const REALM = 'harbour';
export const API = '/api/auth/v1';

export type Stack = Awaited<ReturnType<typeof startStack>>;

/** Starts all of it. `authOrigin` and `realmLines` are for a realm with a front or a sign-in page of its own. */
export async function startStack(
  options: { authOrigin?: string; realmLines?: string[]; settings?: string; mailbox?: Mailbox } = {},
) {
  const { mailbox } = options;
  const server = await startTestServer({ env: { CAUSEWAY_PROXIES: '127.0.0.1,::1' }, ...(mailbox && { mailbox }) });
  const causeway = `http://127.0.0.1:${server.port}`;
  const auth = options.authOrigin ?? `http://auth.localhost:${server.port}`;
  const sites = await startDemoSites({ port: 0, host: '127.0.0.1', causeway, authOrigin: auth, log: () => {} });
  const [news = '', sports = '', shop = ''] = sites.origins;
  const host = (origin: string) => new URL(origin).host;
  await server.apply(`
realms:
  - slug: ${REALM}
    auth_domain: ${host(auth)}
    settings: { signup: open${options.settings ? `, ${options.settings}` : ''} }
    brand: { name: Harbour Group, accent: "#0b5a73" }
    ${(options.realmLines ?? []).join('\n    ')}
    clients:
      - { id: news, kind: first-party, name: The Harbour Post, domain: "${host(news)}" }
      - { id: sports, kind: first-party, name: Touchline, domain: "${host(sports)}" }
      - { id: shop, kind: first-party, name: Quay Market, domain: "${host(shop)}" }
`);

  /** Where mail arrives, its address is proven. */
  async function makeAccount(name = 'Robin Reader') {
    const account = await server.makeAccount({ realm: REALM, name });
    if (mailbox)
      await server.services.db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
    return account;
  }

  async function close() {
    await sites.close();
    await server.close();
    await mailbox?.close();
  }

  const article = `${news}/articles/salt-meadow-plan`;
  return {
    server,
    mailbox,
    causeway,
    auth,
    news,
    sports,
    shop,
    origins: [auth, news, sports, shop],
    article,
    makeAccount,
    close,
  };
}

/** A host with pages of the test's own: path to HTML. */
export async function startPages(hostname: string, pages: Record<string, string | (() => string)>) {
  return startHandler(hostname, (request, response) => {
    const page = pages[new URL(request.url ?? '/', 'http://host').pathname];
    response.writeHead(page === undefined ? 404 : 200, { 'Content-Type': 'text/html; charset=utf-8' });
    response.end(typeof page === 'function' ? page() : page);
  });
}

export async function startHandler(
  hostname: string,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const listener = createServer(handle);
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  async function close() {
    listener.closeAllConnections();
    await new Promise((resolve) => listener.close(resolve));
  }
  return { origin: `http://${hostname}:${port}`, close };
}

/** Fills in the hosted sign-in page and sends it. */
export async function fillIn(page: Page, account: { email: string }, password = PASSWORD) {
  await page.fill('#identifier', account.email);
  await page.fill('#password', password);
  await page.click('button[type=submit]');
}

/** Opens a page that may leave by itself for its silent question before it has loaded. */
export async function visit(page: Page, url: string) {
  await page.goto(url, { waitUntil: 'commit' });
}

/** From a page of a site to its sign-in page and back, by the link in its header. */
export async function signInFrom(page: Page, url: string, account: { email: string }) {
  await visit(page, url);
  // A page that is about to leave by itself for its silent question must not be clicked on.
  if (!(await page.evaluate('navigator.webdriver'))) await isAsked(page);
  await page.click('[data-sign-in]');
  await fillIn(page, account);
  await page.waitForURL(url);
  await isShown(page, 'signed-in');
}

/** Waits until the header of a demo page says so. */
export async function isShown(page: Page, state: 'signed-in' | 'anonymous') {
  await page.locator(`[data-account-state="${state}"]`).waitFor();
}

/** Who the server says is signed in on a site, by the cookies of this browser; null for nobody. */
export async function whoIs(stack: Stack, context: BrowserContext, site: string): Promise<string | null> {
  const { hostname } = new URL(site);
  const cookies = (await context.cookies()).filter(({ domain }) => domain === hostname);
  const Cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  const answer = await send(stack.server.port, `${site}${API}/users/me`, { headers: { Cookie } });
  return answer.status === 200 ? answer.json().user.email : null;
}

/** The same for a sign-out elsewhere: only the stream is that quick, the server's own check of open streams takes 20 s. */
export async function turnsAnonymous(page: Page) {
  await page.locator('[data-account-state="anonymous"]').waitFor({ timeout: 5_000 });
}

/** Waits for an expression in a page. (Playwright's own way evaluates in the page, which these pages' policy forbids.) */
export async function comesTrue(page: Page | Frame, expression: string) {
  await until(
    expression,
    () => page.evaluate(`Promise.resolve(${expression}).then(Boolean)`).catch(() => false) as Promise<boolean>,
  );
}

/** Waits until the silent question of a page has been answered. */
export async function isAsked(page: Page) {
  await comesTrue(page, `sessionStorage.getItem('causeway.tab:answered') && !location.search.includes('logged_in')`);
}

/** From now on: waits until the server has answered a request of a route with that status. */
export function awaitLogged(stack: Stack, route: string, status: number): () => Promise<void> {
  const before = stack.server.lines.length;
  const isIt = (line: string) => line.includes(`"route":"${route}"`) && line.includes(`"status":${status},`);
  return () => until(`${route} ${status}`, () => stack.server.lines.slice(before).some(isIt));
}
