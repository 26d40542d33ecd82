// The session-sharing flow step by step, and what every refusal in it has in common (contract §3, security.md section 0).

import type { ExecutionContext } from 'ava';
import { asHost, type CallbackUri, type PlainToken, type RedirectUri } from '../../server/lib/ids.ts';
import { createToken, hashToken } from '../../server/lib/token.ts';
import type { LiveSession } from '../../server/sessions/sessions.ts';
import { type Answer, authorizeUrl, type Browser } from '../support/browser.ts';
import { HOSTS, landingOf, originOf, type SiteName, type TestServer } from '../support/server.ts';
import type { DirectSession } from '../support/signed_in.ts';

export const NEWS = originOf('news');
export const SPORTS = originOf('sports');
export const AUTH = originOf('auth');
export const EVIL = 'https://evil.test';
export const AUTHORIZE = '/api/auth/v1/oauth/authorize';
export const AUTO_SSO = '/api/auth/v1/oauth/auto-sso/authorize';
export const FLOW = '__Host-qt-flow-';

/** The address with which the client of a site is asked for on the auth domain. */
export function onAuth(site: SiteName = 'news', more: Record<string, string> = {}, path = AUTHORIZE): string {
  const origin = originOf(site);
  const query = {
    client_id: site,
    redirect_uri: landingOf(site),
    callback_uri: `${origin}/page`,
    response_type: 'code',
  };
  return `${AUTH}${path}?${new URLSearchParams({ ...query, ...more })}`;
}

/** Runs a flow in a signed-in browser up to the redirect with the code, and does not follow that one. */
export async function reachCode(browser: Browser, site: SiteName = 'news', callback = `${originOf(site)}/page`) {
  const start = await browser.navigate(authorizeUrl(originOf(site), site, callback), { from: `${originOf(site)}/` });
  const issued = await browser.navigate(String(start.location), { from: originOf(site) });
  const landing = String(issued.location);
  return { start, issued, landing, code: new URL(landing).searchParams.get('code') ?? '' };
}

/** The address at which a code arrives. */
export const landingWith = (code: string, site: SiteName = 'news', callback = `${originOf(site)}/page`): string =>
  `${landingOf(site)}?${new URLSearchParams({ code, callback_uri: callback })}`;

/** Follows redirects like `follow`, while the browser never keeps a flow cookie. */
export async function followWithoutFlows(browser: Browser, url: string): Promise<Answer & { hops: string[] }> {
  const hops = [url];
  let answer = await browser.navigate(url);
  while (answer.location && hops.length < 15) {
    forgetFlows(browser);
    const next = answer.location;
    hops.push(next);
    if (!next.includes('/api/auth/')) break;
    answer = await browser.navigate(next, { from: AUTH });
  }
  return { ...answer, hops };
}

/** Drops the flow cookies of every host. */
export function forgetFlows(browser: Browser): void {
  for (const jar of browser.jars.values()) {
    for (const name of [...jar.keys()]) if (name.startsWith(FLOW)) jar.delete(name);
  }
}

export const flowsOf = (browser: Browser, site: SiteName = 'news'): string[] =>
  [...browser.jarOf(HOSTS[site]).keys()].filter((name) => name.startsWith(FLOW));

/** Whether an answer gives the browser a credential. */
export const setsSession = (answer: Answer): boolean =>
  answer.cookies.some((line) => /^(?:__Host-)?qt-auth=[^;]/.test(line));

/** A refusal: 4xx, no way on, not to be stored, no credential. */
export function isRefused(t: ExecutionContext, answer: Answer, status = 400, says = answer.url): void {
  t.is(answer.status, status, says);
  t.is(answer.location, null, says);
  t.is(answer.headers['cache-control'], 'no-store', says);
  t.false(setsSession(answer), says);
}

/** Asserts who is signed in on a site in a browser; null for nobody. */
export async function isReader(
  t: ExecutionContext,
  browser: Browser,
  site: string,
  account: { email: string } | null,
): Promise<void> {
  const me = await browser.me(site);
  t.is(me.status, account ? 200 : 401, site);
  if (account) t.is(me.json().user.email, account.email);
}

/** The live SSO session behind a session that was made directly. */
export async function liveSession(server: TestServer, session: DirectSession): Promise<LiveSession> {
  const [site, credential] = Object.entries(session.credentials)[0] ?? [];
  if (!site || !credential) throw new Error('a session without a credential');
  const host = asHost(HOSTS[site as SiteName]);
  const found = await server.services.accounts.findSignedIn({ kind: 'cookie', ...credential }, host);
  if (!found) throw new Error('the session is not live');
  return found.session;
}

/** Issues a code without requests, and gives the flow cookie of the browser that it is bound to. */
export async function issueDirectly(
  server: TestServer,
  session: LiveSession,
  site: SiteName = 'news',
): Promise<{ code: PlainToken; flowCookie: string }> {
  const client = await server.services.clients.findForHost(asHost(HOSTS[site]));
  if (!client) throw new Error(`no client on ${site}`);
  const secret = createToken();
  const code = await server.services.oauth.issueCode(session, {
    kind: 'session',
    client,
    redirectUri: landingOf(site) as RedirectUri,
    callbackUri: `${originOf(site)}/page` as CallbackUri,
    state: null,
    flowHash: hashToken(secret),
    isRestart: false,
    isSilent: false,
  });
  if (!code) throw new Error('the session is not live');
  return { code, flowCookie: `${FLOW}direct=${secret}` };
}
