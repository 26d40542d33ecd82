// Readers with passkeys, made through the doors that everybody uses.

import { createKey, type Key, type Twist, useKey } from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { originOf, PASSWORD, type SiteName, type TestServer } from '../support/server.ts';
import { API } from './setup.ts';

export const PASSKEYS = `${API}/passkeys`;
export type Ceremony = 'sign-in' | 'second-factor' | 're-authenticate';

/** Options of a ceremony. @param path after /passkeys/, empty for adding one */
export async function begin(browser: Browser, path: '' | Ceremony, site: SiteName = 'news') {
  const answer = await browser.post(`${originOf(site)}${PASSKEYS}${path && `/${path}`}/options`, {});
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.json();
}

/** A new account with a password, signed in by it in a browser of its own. */
export async function signedInReader(server: TestServer, site: SiteName = 'news') {
  const account = await server.makeAccount();
  const browser = server.browser();
  const answer = await browser.post(`${originOf(site)}${API}/login`, { email: account.email, password: PASSWORD });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return { account, browser };
}

/** Adds a passkey to the account of a signed-in browser. */
export async function addPasskey(
  browser: Browser,
  more: { site?: SiteName; name?: string } & Parameters<typeof createKey>[2] = {},
): Promise<{ key: Key; answer: { id: number; 'recovery-codes'?: string[] } }> {
  const { site = 'news', name = 'My key', ...twist } = more;
  const { ceremony, options } = await begin(browser, '', site);
  const { key, response } = createKey(options, originOf(site), twist);
  const answer = await browser.post(`${originOf(site)}${PASSKEYS}`, { ceremony, response, name });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return { key, answer: answer.json() };
}

/** An account with a passkey, and the browser that added it. */
export async function passkeyReader(server: TestServer, more: Parameters<typeof addPasskey>[1] = {}) {
  const { account, browser } = await signedInReader(server, more?.site);
  const { key, answer } = await addPasskey(browser, more);
  return { account, browser, key, added: answer };
}

/** A whole ceremony with a passkey. */
export async function prove(
  browser: Browser,
  key: Key,
  {
    site = 'news' as SiteName,
    path = 'sign-in' as Ceremony,
    ...twist
  }: Twist & { site?: SiteName; path?: Ceremony } = {},
) {
  const { ceremony, options } = await begin(browser, path, site);
  const response = useKey(key, options, originOf(site), twist);
  return browser.post(`${originOf(site)}${PASSKEYS}/${path}`, { ceremony, response });
}
