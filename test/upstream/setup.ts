// A server whose realm signs in with fakes on loopback, and a browser that walks through both.

import type { Answer, Browser } from '../support/browser.ts';
import { createBrowser } from '../support/browser.ts';
import type { Mailbox } from '../support/mailbox.ts';
import { HOSTS, originOf, startTestServer, type TestServer } from '../support/server.ts';
import { CLIENT_ID, CLIENT_SECRET, type FakeProvider, startFakeProvider } from '../support/upstream_provider.ts';

export const AUTH = originOf('auth');
export const NEWS = originOf('news');
export const API = '/api/auth/v1';
export const ENVIRONMENT = { IDP_SECRET: CLIENT_SECRET };

/** The realm file of the tests. @param upstream entries in YAML, one a line; settings: more of them */
export const realmYaml = (upstream: readonly string[], settings = '') => `
realms:
  - slug: test
    auth_domain: ${HOSTS.auth}
    settings: { signup: open, sign_in_per_address: 100000/1m, sign_up_per_address: 100000/1m${settings} }
    brand: { name: Test Group }
    upstream:
${upstream.map((entry) => `      - ${entry}`).join('\n')}
    clients:
      - { id: news, kind: first-party, name: The News, domain: ${HOSTS.news} }
      - { id: sports, kind: first-party, name: The Sports, domain: ${HOSTS.sports} }
`;

/** Other settings for the realm; all else stays. */
export const settingsYaml = (settings: string) =>
  `realms: [{ slug: test, auth_domain: ${HOSTS.auth}, settings: { ${settings} } }]`;

export const entryOf = (idp: FakeProvider, id: string, more = 'trusted_email_domains: [trusted.example]') =>
  `{ provider: oidc, id: ${id}, name: Corp ${id}, issuer: "${idp.issuer}", client_id: ${CLIENT_ID}, client_secret: "\${IDP_SECRET}"${more && `, ${more}`} }`;

/** A server, and the provider `corp` of its realm. */
export async function startWithProvider(
  more: { upstream?: (idp: FakeProvider) => string[]; settings?: string; mailbox?: Mailbox } = {},
) {
  const idp = await startFakeProvider();
  const server = await startTestServer(more.mailbox ? { mailbox: more.mailbox } : {});
  await server.apply(realmYaml(more.upstream?.(idp) ?? [entryOf(idp, 'corp')], more.settings), ENVIRONMENT);
  const browser = () => browserOf(server, [idp]);
  async function close() {
    await server.close();
    await idp.close();
  }
  return { idp, server, browser, close };
}

/** A browser that reaches the server and the fakes. */
export function browserOf(server: TestServer, idps: readonly FakeProvider[]): Browser {
  const portOf = (url: string) => {
    const { port } = new URL(url);
    return idps.find((idp) => String(idp.port) === port)?.port ?? server.port;
  };
  return createBrowser({ ports: [server.port], portOf });
}

/** The link of a site that begins a sign-in. */
export const loginUrl = (site: string, provider: string, redirectUrl?: string) =>
  `${site}${API}/login?${new URLSearchParams({ 'auth-provider': provider, ...(redirectUrl && { 'redirect-url': redirectUrl }) })}`;

/** Walks from the sign-in page's button to the provider, and stops with the address to which its answer goes. */
export async function walkToAnswer(
  browser: Browser,
  provider = 'corp',
  start = `${AUTH}/login/with/${provider}`,
): Promise<string> {
  const begun = await browser.navigate(start, { from: AUTH });
  if (!begun.location?.includes('/authorize')) throw new Error(`not begun: ${begun.status} ${begun.location}`);
  const answered = await browser.navigate(begun.location, { from: AUTH });
  return answered.location ?? '';
}

/** Signs in with the provider, as its present person, and ends on the auth domain. */
export const signIn = (browser: Browser, provider = 'corp'): Promise<Answer & { hops: string[] }> =>
  browser.follow(`${AUTH}/login/with/${provider}`, { from: AUTH });

/** Who is signed in on a site; null for nobody. */
export async function whoIs(browser: Browser, site = AUTH): Promise<Record<string, unknown> | null> {
  const answer = await browser.me(site);
  return answer.status === 200 ? (answer.json() as { user: Record<string, unknown> }).user : null;
}

/** What the page says. */
export const headingOf = (answer: Answer) => /<h1>([^<]*)<\/h1>/.exec(answer.text)?.[1]?.trim() ?? null;
