// Signed-in readers without the cost of a password: sessions made by the server's own use case, and what the database holds.

import type { Account } from '../../server/accounts/accounts.ts';
import { asHost, type SessionId } from '../../server/lib/ids.ts';
import type { Credential } from '../../server/sessions/sessions.ts';
import type { Browser } from './browser.ts';
import { HOSTS, type SiteName, type TestServer } from './server.ts';

export type DirectSession = { id: SessionId; credentials: Record<string, Credential>; cookies: Record<string, string> };

/** An SSO session of an account, signed in on the given sites, made without a request. */
export async function beginSession(
  server: TestServer,
  account: Account,
  sites: readonly SiteName[] = ['auth', 'news', 'sports'],
): Promise<DirectSession> {
  const { db, sessions } = server.services;
  const realm = await server.realm();
  const [first = 'auth', ...others] = sites;
  return db.transaction(async (q) => {
    const made = await sessions.create(q, realm, account.id, {
      host: asHost(HOSTS[first]),
      amr: ['pwd'],
      userAgent: 'Test',
      address: '127.0.0.1',
    });
    const credentials: Record<string, Credential> = { [first]: made.credential };
    for (const site of others) {
      const added = await sessions.addDomain(q, made.sessionId, asHost(HOSTS[site]));
      if (added) credentials[site] = added.credential;
    }
    const cookies = Object.fromEntries(
      Object.entries(credentials).map(([site, credential]) => [site, cookiesOf(credential)]),
    );
    return { id: made.sessionId, credentials, cookies };
  });
}

/** A Cookie header with a credential. */
export const cookiesOf = (credential: Credential): string =>
  `qt-auth=${credential.token}; __Host-qt-auth=${credential.companion}`;

/** Puts a session into a browser's jars, as if the reader had signed in there. */
export function keepIn(browser: Browser, session: DirectSession): void {
  for (const [site, credential] of Object.entries(session.credentials)) {
    browser
      .jarOf(HOSTS[site as SiteName])
      .set('qt-auth', credential.token)
      .set('__Host-qt-auth', credential.companion);
  }
}

/** A new account and its session in a new browser. */
export async function signedInBrowser(server: TestServer, sites?: readonly SiteName[], ports?: readonly number[]) {
  const account = await server.makeAccount();
  const session = await beginSession(server, account, sites);
  const browser = server.browser(ports);
  keepIn(browser, session);
  return { account, session, browser };
}

/** Rows of a table that match. */
export async function countRows(server: TestServer, table: string, where: Record<string, unknown>): Promise<number> {
  const [row] = await server.services.db.builder(table).where(where).count('* as count');
  return Number(row?.['count'] ?? 0);
}

/** Does `work` for 0 … count − 1, `width` at a time, so that no queue of the server is ever the reason for a failure. */
export async function inTurns(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
