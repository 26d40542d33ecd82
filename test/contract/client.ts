// The published client `@quintype/bridgekeeper-js`, unchanged, in Node: its root-relative URLs go to the site that a reader is
// on, through the demo's reverse proxy, with the reader's cookies. (In a page: official_client_page.test.ts.)

import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import official from '@quintype/bridgekeeper-js';
import older from 'bridgekeeper-js-2.8.1';
import { createAuthProxy } from '../../demo/auth_proxy.ts';
import type { Browser } from '../support/browser.ts';
import { HOSTS, type SiteName, type TestServer } from '../support/server.ts';

type Body = Record<string, unknown>;

/** The functions of the package that have rows to talk to, as its documentation describes them. */
export type OfficialClient = {
  login(body: Body): Promise<Body>;
  register(body: Body): Promise<Body>;
  currentUser(): Promise<Body>;
  updateUserProfile(body: Body): Promise<Body>;
  /** 2.8.1 takes the e-mail address instead of a body. */
  sendOtp(data: Body | string): Promise<Body>;
  /** 2.8.1 sends `{"verification-status": "email"}` whatever it is given. */
  updateWithOtp(otp: string | number, user?: Body): Promise<Response>;
  forgotPassword(body: Body): Promise<Body>;
  resetPasswordWithToken(body: Body): Promise<Body>;
  resetPassword(body: Body): Promise<Body>;
  sendVerificationLink(email: string, redirectUrl: string): Promise<Body | Error>;
  oauthAuthorize(
    clientId: string | number,
    redirectUrl: string,
    callbackUrl: string,
    allowAjax?: boolean,
  ): Promise<Body | Error>;
  getOauthAuthorizeUrl(clientId: string | number, redirectUrl: string, callbackUrl: string): string;
  getAutoSSOUrl(clientId: string | number, redirectUrl: string, callbackUrl: string): string;
  logout(): Promise<Response>;
};

/** Both published versions. */
export const VERSIONS = { '2.8.2': official, '2.8.1': older };

type Reader = { browser: Browser; site: SiteName; front: string; sent: Sent[] };
/** Does something in the name of the reader, such as a function that the client gave back. */
type As = <T>(work: () => T) => T;
export type Sent = { method: string; path: string; status: number; contentType: string | null };

/** The file that a page loads. */
export const CLIENT_FILE = fileURLToPath(import.meta.resolve('@quintype/bridgekeeper-js'));
const reading = new AsyncLocalStorage<Reader>();
const realFetch = globalThis.fetch;

// The client looks `fetch` up at every call and knows no origin; the reader in whose name it is called says where it is.
globalThis.fetch = async (input, init = {}) => {
  const reader = reading.getStore();
  return reader && typeof input === 'string' ? fetchAs(reader, input, init) : realFetch(input, init);
};

async function fetchAs({ browser, site, front, sent }: Reader, path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const cookies = browser.cookieHeader(HOSTS[site]);
  if (cookies) headers.set('Cookie', cookies);
  // Followed by hand nowhere: in Node a redirect to another site would lead out of the test.
  const response = await realFetch(new URL(path, front), { ...init, headers, redirect: 'manual' });
  const jar = browser.jarOf(HOSTS[site]);
  for (const line of response.headers.getSetCookie()) {
    const pair = line.split(';', 1)[0] ?? '';
    const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    if (value === '' || /;\s*max-age=0/i.test(line)) jar.delete(name);
    else jar.set(name, value);
  }
  sent.push({
    method: init.method ?? 'GET',
    path,
    status: response.status,
    contentType: response.headers.get('content-type'),
  });
  return response;
}

/** Fronts of all sites, each of which sends the API on to the server as a publisher's own web server does. */
export async function startFronts(server: TestServer) {
  const toCauseway = createAuthProxy({ causeway: `http://127.0.0.1:${server.port}`, log: () => {} });
  const fronts = await Promise.all(
    (Object.keys(HOSTS) as SiteName[]).map(async (site) => {
      const listener = createServer((request, response) => {
        // fetch in Node may not set Host; the name of the site is the front's own.
        request.headers.host = HOSTS[site];
        toCauseway(request, response, () => response.writeHead(404).end());
      });
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      return { site, listener, origin: `http://127.0.0.1:${(listener.address() as AddressInfo).port}` };
    }),
  );

  /** The client in the hands of a reader on a site, and what it sent. */
  function clientOf(
    browser: Browser,
    site: SiteName,
    version: keyof typeof VERSIONS = '2.8.2',
  ): { client: OfficialClient; sent: Sent[]; as: As } {
    const front = fronts.find((one) => one.site === site)?.origin ?? '';
    const sent: Sent[] = [];
    const as: As = (work) => reading.run({ browser, site, front, sent }, work);
    const calls = Object.entries(VERSIONS[version]).map(([name, call]) => [
      name,
      (...values: unknown[]) => as(() => call(...values)),
    ]);
    return { client: Object.fromEntries(calls) as OfficialClient, sent, as };
  }

  async function close() {
    for (const { listener } of fronts) {
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    }
  }

  return { clientOf, close };
}
