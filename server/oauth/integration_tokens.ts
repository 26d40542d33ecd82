// Tokens of the session-sharing API for integrations. The one for a reader is signed under the secret that the integration
// shares with us (HS256), which it checks alone. The one for an integration itself is signed by the realm's own key, for the
// publisher's APIs to check against the key set; nothing of this server opens with it.

import { createSecretKey } from 'node:crypto';
import type { Audit } from '../audit/audit.ts';
import type { Client, Clients } from '../clients/clients.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../http/errors.ts';
import type { Keys } from '../keys/keys.ts';
import { signCompact } from '../lib/compact.ts';
import { createUuid } from '../lib/random.ts';
import type { Realm } from '../realms/realms.ts';
import { basicHeaders, isSecretOf, parseBasic } from './client_authentication.ts';

/** An integration asks anew on every page: five minutes is more than a page needs to load. */
export const INTEGRATION_TOKEN_SECONDS = 300;
const ADMIN_TOKEN_SECONDS = 600;
export const ADMIN_TOKEN_TYP = 'causeway-admin+jwt';

export type IntegrationTokens = ReturnType<typeof createIntegrationTokens>;

export function createIntegrationTokens(options: { db: Database; audit: Audit; clients: Clients; keys: Keys }) {
  const { db, audit, clients, keys } = options;

  /** A token that tells an integration who is signed in. @throws AppError not_found unless the client was given a secret */
  async function signForReader(realm: Realm, id: string, claims: Record<string, unknown>): Promise<string> {
    const client = await clients.find(realm.id, id);
    const secret = client && (await clients.revealIntegrationSecret(client));
    if (!secret) throw unknown();
    const now = Math.floor(Date.now() / 1000);
    const payload = { ...claims, iat: now, exp: now + INTEGRATION_TOKEN_SECONDS };
    return signCompact({ alg: 'HS256', typ: 'JWT' }, payload, createSecretKey(secret, 'utf8'));
  }

  /** The client that an admin request names and proves to be. @throws AppError not_found, invalid_client */
  async function authenticate(
    realm: Realm,
    id: string,
    given: { authorization: string; secret: string | undefined },
  ): Promise<Client> {
    const client = await clients.find(realm.id, id);
    const basic = parseBasic(given.authorization);
    const secret = basic === null ? given.secret : basic !== 'malformed' && basic.clientId === id ? basic.secret : '';
    // Compared for clients that there are not too.
    const own = client?.integrationSecret ? [Buffer.from(client.integrationSecret.sha256, 'hex')] : [];
    const isRight = isSecretOf([...(client?.secretHashes ?? []), ...own], secret ?? '');
    if (!client || client.secretHashes.length + own.length === 0) throw unknown();
    if (isRight) return client;
    throw new AppError('invalid_client', { headers: basicHeaders(given.authorization), detail: { client: id } });
  }

  /** A token with which an integration shows the publisher's own APIs that it holds its secret. */
  async function signForAdmin(realm: Realm, client: Client, address: string | null): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: realm.authOrigin,
      // RFC 9068 §5: a client's own token must not look like an account's.
      sub: `client:${client.clientId}`,
      // Neither the client nor the issuer: so it is no ID token and no access token, whoever forgets to look at `typ`.
      aud: `${realm.authOrigin}/api/auth/v1/admin`,
      client_id: client.clientId,
      iat: now,
      exp: now + ADMIN_TOKEN_SECONDS,
      jti: createUuid(),
    };
    const token = await keys.sign(realm.id, 'RS256', claims, { typ: ADMIN_TOKEN_TYP });
    await audit.record(db, { type: 'admin-token.issued', realmId: realm.id, clientId: client.clientId, address });
    return token;
  }

  return { signForReader, authenticate, signForAdmin };
}

const unknown = () => new AppError('not_found', { description: 'This realm has no integration with that id.' });
