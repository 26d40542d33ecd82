// Codes of the session-sharing flow that a site's own backend redeems, host to host. Its codes are those that went to a page of
// the backend, never those of the landing page: whether a code needs a browser's flow cookie or the client's secret and API
// key follows from where it was sent, so neither way in opens the codes of the other (security 7, 204). Which browser started
// the flow is the backend's to check, by `state` (RFC 6749 §10.12).

import type { Audit } from '../audit/audit.ts';
import { type Client, type Clients, isLandingUri } from '../clients/clients.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { RealmId } from '../lib/ids.ts';
import { hashToken, parseToken } from '../lib/token.ts';
import type { Credential, Sessions } from '../sessions/sessions.ts';
import { isSecretOf } from './client_authentication.ts';
import { oauthError } from './oauth_error.ts';
import * as store from './store.ts';

/** A first-party client, so one with a host of its own. */
type Site = Client & { domain: NonNullable<Client['domain']> };
export type HostToken = { credential: Credential; remainingSeconds: number };

export type HostTokens = ReturnType<typeof createHostTokens>;

export function createHostTokens(options: { db: Database; audit: Audit; clients: Clients; sessions: Sessions }) {
  const { db, audit, clients, sessions } = options;

  /**
   * The site behind a request: secret and API key must both be those of the client that it names (security 204).
   * @throws OAuth error invalid_client, which tells nobody what was wrong
   */
  async function authenticate(
    realmId: RealmId,
    given: { clientId: string | undefined; clientSecret: string | undefined; apiKey: string },
  ): Promise<Site> {
    const client = given.clientId === undefined ? null : await clients.find(realmId, given.clientId);
    // Both are always looked at, so that the time does not tell which one was right.
    const hasSecret = isSecretOf(client?.secretHashes ?? [], given.clientSecret ?? '');
    const hasKey = isSecretOf(client?.apiKeyHash ? [client.apiKeyHash] : [], given.apiKey);
    if (client?.domain && hasSecret && hasKey) return { ...client, domain: client.domain };
    throw oauthError('invalid_client', { detail: { client: given.clientId ?? null } });
  }

  /** Uses a code up and makes the session that it stands for. @throws OAuth error invalid_grant */
  async function redeem(
    client: Site,
    given: { code: string | undefined; redirectUri: string | undefined; address: string | null },
  ): Promise<HostToken> {
    const code = parseToken(given.code);
    if (given.code === undefined) throw oauthError('invalid_request', { description: 'Send code.' });
    const made = code && (await db.transaction((q) => use(q, client, { ...given, codeHash: hashToken(code) })));
    if (!made) throw oauthError('invalid_grant');
    return made;
  }

  async function use(
    q: Queryable,
    client: Site,
    given: { codeHash: ReturnType<typeof hashToken>; redirectUri: string | undefined; address: string | null },
  ): Promise<HostToken | null> {
    // RFC 6749 §4.1.2: one use, decided by one statement; whatever is wrong from here on, the code is dead.
    const consumed = await store.consumeCode(q, given.codeHash);
    const code = consumed ?? (await store.findCode(q, given.codeHash));
    // RFC 6749 §4.1.3: issued to this client, for that redirect URI.
    const isForBackend =
      code?.kind === 'session' && code.clientRowId === client.id && !isLandingUri(client, code.redirectUri);
    if (!code || !isForBackend) return null;
    if (given.redirectUri !== undefined && given.redirectUri !== code.redirectUri) return null;
    const event = {
      realmId: client.realmId,
      sessionId: code.sessionId,
      clientId: client.clientId,
      address: given.address,
      detail: { host: client.domain.host },
    };
    if (!consumed) {
      // RFC 6749 §4.1.2: used more than once, it MUST be denied, and what it made SHOULD be revoked.
      await audit.record(q, { type: 'code.replayed', ...event });
      await store.lockCode(q, given.codeHash);
      const latest = await store.findCode(q, given.codeHash);
      if (latest?.domainSessionId) await sessions.removeDomain(q, latest.domainSessionId);
      return null;
    }
    if (code.isExpired) return null;
    const made = await sessions.addDomain(q, code.sessionId, client.domain.host);
    if (!made) return null;
    await store.noteDomainSession(q, given.codeHash, made.id);
    await audit.record(q, { type: 'domain-session.created', ...event });
    return { credential: made.credential, remainingSeconds: made.remainingSeconds };
  }

  return { authenticate, redeem };
}
