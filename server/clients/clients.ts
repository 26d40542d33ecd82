// Registered clients (RFC 6749 §2). A first-party client stands for one client domain and needs no consent; a third-party
// client is a product. Everything about redirect URIs is decided here.

import type { Database, Queryable } from '../db/database.ts';
import type { Notifications } from '../db/notify.ts';
import { isCleanText } from '../http/text.ts';
import { createCipher } from '../lib/cipher.ts';
import type { ClientId, ClientRowId, Host, RealmId, RedirectUri, TokenHash } from '../lib/ids.ts';
import { createShortMemory } from '../lib/short_memory.ts';
import { hashToken } from '../lib/token.ts';
import {
  CONFIGURATION_CHANNEL,
  encryptSecret,
  type PartialBrand,
  type SecretDraft,
  type StoredSecret,
} from '../realms/realms.ts';
import type { Protocol } from './protocol.ts';
import * as store from './store.ts';

export {
  AUTHENTICATION_METHODS,
  type AuthenticationMethod,
  DEFAULT_VERIFICATION_RESPONSE,
  GRANT_TYPES,
  type GrantType,
  type Protocol,
  PUSHBACK_FIELDS,
  type Pushback,
  type PushbackField,
  protocolSchema,
  SIGNING_ALGS,
  STANDARD_SCOPES,
  type Verification,
} from './protocol.ts';
export { findEndpointFault, findRedirectUriFault, findUrlFault, LOOPBACK_REFUSED } from './registered_url.ts';

export type Client = {
  id: ClientRowId;
  realmId: RealmId;
  clientId: ClientId;
  kind: 'first-party' | 'third-party';
  name: string;
  /** Host and origin of the client domain; null for a third-party client. */
  domain: { host: Host; origin: string } | null;
  redirectUris: readonly string[];
  /** SHA-256 of the secrets that are valid now: one, or two while one replaces the other. */
  secretHashes: readonly Buffer[];
  /** SHA-256 of the API key with which the backend of a site redeems codes; null where it may not. */
  apiKeyHash: Buffer | null;
  /** What it shares with us to check integration tokens; null where it gets none. */
  integrationSecret: StoredSecret | null;
  protocol: Protocol;
  /** How pages and letters look to who comes for it; the rest is the realm's. */
  brand: PartialBrand;
  isDisabled: boolean;
};

export type ClientDraft = {
  clientId: string;
  kind: Client['kind'];
  name: string;
  domain: Host | null;
  redirectUris: readonly string[];
  /** Plain secrets to set; null leaves what is stored. */
  secret: string | null;
  proxySecret: string | null;
  integrationSecret: SecretDraft | null;
  /** What a file says of a third-party client's protocol, as written. */
  protocol: Record<string, unknown>;
  brand: Record<string, unknown>;
  isDisabled: boolean;
};
export type StoredClient = Omit<ClientDraft, 'secret' | 'proxySecret' | 'integrationSecret'> & {
  id: ClientRowId;
  hasApiKey: boolean;
  integrationSecret: StoredSecret | null;
  secretHashes: readonly Buffer[];
  proxySecretHash: Buffer | null;
};

/** Path at which a first-party client's codes arrive; its redirect URI is this on its own origin. */
export const LANDING_PATH = '/api/auth/v1/oauth/token';

export type Clients = ReturnType<typeof createClients>;

/** The clients of this server. @param options secrets: key material, newest first; asked for when an integration's secret is used */
export function createClients(options: {
  db: Database;
  notifications: Notifications | null;
  secrets: () => readonly string[];
}) {
  const cipher = createCipher({ secrets: options.secrets, purpose: 'integration-secrets' });
  const memory = createShortMemory<string, { client: Client | null }>({
    most: 10_000,
    read: async (key) => {
      const [kind, realmId, value = ''] = key.split('\n');
      if (kind === 'host') return { client: await store.findByHost(options.db, value as Host) };
      if (kind === 'row') return { client: await store.findByRowId(options.db, value as ClientRowId) };
      return { client: await store.findByClientId(options.db, realmId as RealmId, value) };
    },
  });
  /** Origins of public clients by realm: every call of a page of theirs asks for them. */
  const publicOrigins = createShortMemory<RealmId, ReadonlySet<string>>({
    most: 1000,
    read: async (realmId) => new Set(originsOf(await store.listPublicRedirectUris(options.db, realmId))),
  });
  const proxies = createShortMemory<string, { host: Host | null }>({
    most: 1000,
    read: async (hash) => ({
      host: await store.findHostByProxySecret(options.db, Buffer.from(hash, 'base64') as TokenHash),
    }),
  });
  const forget = () => {
    proxies.clear();
    memory.clear();
    publicOrigins.clear();
  };
  options.notifications?.listen(CONFIGURATION_CHANNEL, { onMessage: forget, onGap: forget });

  /** The enabled client with that `client_id` in a realm; null when there is none. */
  async function find(realmId: RealmId, clientId: string): Promise<Client | null> {
    // Security 181: it may come out of base64 or a JWT, which nobody has looked into before.
    if (!isNameable(clientId) || !isCleanText(clientId)) return null;
    return enabled((await memory.fetch(`id\n${realmId}\n${clientId}`))?.client);
  }

  /** The enabled client of that row; null when it is gone. */
  async function findByRowId(id: ClientRowId): Promise<Client | null> {
    return enabled((await memory.fetch(`row\n\n${id}`))?.client);
  }

  /** Whether an enabled public client of the realm has a redirect URI on that origin, so that its pages may call us. */
  const isPublicOrigin = async (realmId: RealmId, origin: string): Promise<boolean> =>
    (await publicOrigins.fetch(realmId))?.has(origin) ?? false;

  /** The enabled first-party client of a client domain; null when it has none. */
  async function findForHost(host: Host): Promise<Client | null> {
    return enabled((await memory.fetch(`host\n\n${host}`))?.client);
  }

  /** The sites of a realm that readers may visit: name and origin of every enabled first-party client. */
  const listSites = (realmId: RealmId): Promise<{ name: string; origin: string }[]> =>
    store.listSites(options.db, realmId);

  /** The host whose publisher's proxy holds this secret; null when nobody does. */
  const findHostOfProxySecret = async (secret: string): Promise<Host | null> =>
    (await proxies.fetch(hashToken(secret).toString('base64')))?.host ?? null;

  /** The same, and the client of a host, if they are in memory. */
  const peekHostOfProxySecret = (secret: string): Host | null =>
    proxies.get(hashToken(secret).toString('base64'))?.host ?? null;
  const peekForHost = (host: Host): Client | null => enabled(memory.get(`host\n\n${host}`)?.client);

  /** The client with that `client_id`, if it is in memory. */
  const peek = (realmId: RealmId, clientId: string): Client | null =>
    isNameable(clientId) ? enabled(memory.get(`id\n${realmId}\n${clientId}`)?.client) : null;

  /** The client of a row, if it is in memory. */
  const peekByRowId = (id: ClientRowId): Client | null => enabled(memory.get(`row\n\n${id}`)?.client);

  /** Every client of a realm as stored, by client_id; for the operator's commands. */
  const listStored = (q: Queryable, realmId: RealmId): Promise<StoredClient[]> => store.listClients(q, realmId);

  /** Inserts or updates a client as a file describes it. */
  const put = async (q: Queryable, realmId: RealmId, draft: ClientDraft): Promise<void> =>
    store.putClient(q, realmId, {
      ...draft,
      integrationSecret: draft.integrationSecret && encryptSecret(cipher, draft.integrationSecret),
    });

  /** The secret that an integration shares with us, to be used; null when it was given none. @throws Error when CAUSEWAY_SECRET does not open it */
  const revealIntegrationSecret = async ({ integrationSecret }: Client): Promise<string | null> =>
    integrationSecret && cipher.decrypt(integrationSecret.encrypted);

  /** Replaces the API key of a client, or takes it away. False when there is no such client. */
  const setApiKey = (q: Queryable, realmId: RealmId, clientId: string, hash: TokenHash | null): Promise<boolean> =>
    store.setApiKey(q, realmId, clientId, hash);

  /**
   * Adds a secret beside the one that is valid, or (`finish`) leaves only the newest valid.
   * @returns false when there is no such client, or it has two secrets already (or, to finish, only one)
   */
  const changeSecrets = (
    q: Queryable,
    realmId: RealmId,
    clientId: string,
    change: { add: string } | { finish: true },
  ): Promise<boolean> =>
    'add' in change
      ? store.addSecret(q, realmId, clientId, hashToken(change.add))
      : store.keepNewestSecret(q, realmId, clientId);

  /** Switches a client off or on. False when there is none, or it is so already. */
  const setDisabled = (q: Queryable, realmId: RealmId, clientId: string, isDisabled: boolean): Promise<boolean> =>
    store.setDisabled(q, realmId, clientId, isDisabled);

  /** Removes a client; its codes go with it. */
  const remove = (q: Queryable, realmId: RealmId, clientId: string): Promise<void> =>
    store.deleteClient(q, realmId, clientId);

  return {
    find,
    findByRowId,
    isPublicOrigin,
    findForHost,
    listSites,
    findHostOfProxySecret,
    peekHostOfProxySecret,
    peekForHost,
    peek,
    peekByRowId,
    listStored,
    put,
    revealIntegrationSecret,
    setApiKey,
    changeSecrets,
    setDisabled,
    remove,
  };
}

/**
 * Proves a redirect URI of a request.
 * RFC 9700 §4.1.3: compared as exact strings with what is registered; no prefix, no pattern, no normalisation.
 */
export function matchRedirectUri(client: Client, sent: string | undefined): RedirectUri | null {
  return sent !== undefined && client.redirectUris.includes(sent) ? (sent as RedirectUri) : null;
}

/** Whether a redirect URI is the landing page of a site, where a code needs the flow cookie of the browser. */
export function isLandingUri(client: Client, uri: RedirectUri): boolean {
  return client.domain !== null && uri === landingUriOf(client.domain.origin);
}

/** The redirect URI of the landing page on an origin. */
export const landingUriOf = (origin: string): string => `${origin}${LANDING_PATH}`;

/** Origins on which a client's callbacks may lie. */
export function callbackOrigins(client: Client): readonly string[] {
  return client.domain ? [client.domain.origin] : [];
}

/** Whether somebody may have that `client_id`, and it is no other key of the memory. */
const isNameable = (clientId: string): boolean => clientId.length <= 255 && !clientId.includes('\n');

function enabled(client: Client | null | undefined): Client | null {
  return client && !client.isDisabled ? client : null;
}

/** Host that a client's readers know it by: where its first redirect URI leads; null when it has none. */
export function redirectHost(client: Client): string | null {
  const [uri] = client.redirectUris;
  return uri === undefined ? null : new URL(uri).host;
}

/** Web origins that the redirects after a form may reach; other schemes are not for a content security policy. */
export function redirectOrigins(client: Client): string[] {
  return originsOf(client.redirectUris);
}

/**
 * What forms of ours may lead to for a product, as sources of a policy (CSP Level 3 §2.3.1): schemes and not hosts, because a
 * product sends the reader on from its own page to wherever it likes, apps have schemes of their own, and Chromium holds every
 * redirect that follows a form to the policy of the page with the form (security 65).
 */
export function schemeSources(uris: readonly string[]): string[] {
  return [...new Set(uris.map((uri) => new URL(uri).protocol))];
}

function originsOf(uris: readonly string[]): string[] {
  return [...new Set(uris.map((uri) => new URL(uri).origin).filter((origin) => origin !== 'null'))];
}

/** Whether pages of an origin may read answers to this client: only a public client lives in pages. */
export function isReadableFrom(client: Client, origin: string): boolean {
  return client.protocol.token_endpoint_auth_method === 'none' && redirectOrigins(client).includes(origin);
}
