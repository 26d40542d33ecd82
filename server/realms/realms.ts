// Realms: a publisher's group of sites that share one set of users and one sign-in, and the domains that belong to it.
// The request's host decides the realm, never a parameter. Look-ups are kept in memory for at most 5 s, and dropped at once
// on every node when an operator changes something (reliability R-22).

import type { Database, Queryable } from '../db/database.ts';
import type { Notifications } from '../db/notify.ts';
import type { Brand } from '../http/brand.ts';
import { createCipher } from '../lib/cipher.ts';
import type { Host, RealmId } from '../lib/ids.ts';
import { createShortMemory } from '../lib/short_memory.ts';
import { isLoopbackHost } from '../lib/url.ts';
import { brandSchema, type PartialBrand, type RealmBrand, type RealmSettings, settingsSchema } from './settings.ts';
import * as store from './store.ts';
import { encryptUpstreams, type StoredUpstream, type UpstreamDraft } from './upstreams.ts';

export type { OldSession } from './old_session.ts';
export {
  brandSchema,
  type CredentialCheck,
  clientBrandSchema,
  type PartialBrand,
  type RealmBrand,
  type RealmSettings,
  settingSeconds,
  settingsSchema,
} from './settings.ts';
export {
  encryptSecret,
  isSameSecret,
  type SecretDraft,
  type StoredSecret,
  type StoredUpstream,
  type UpstreamDraft,
} from './upstreams.ts';
export { faultOfVerification, type Reaches } from './verification.ts';

export type Realm = {
  id: RealmId;
  slug: string;
  /** Own sign-in page of the realm; null for the hosted one. */
  authenticationUrl: string | null;
  settings: RealmSettings;
  brand: RealmBrand;
  /** Other providers with which readers may sign in, in the order of the buttons. */
  upstreams: readonly StoredUpstream[];
  authHost: Host;
  /** Origin of the auth domain, the issuer. */
  authOrigin: string;
  /** A password hash as the accounts have that were imported, of nobody in particular; null where none were. */
  foreignHash: string | null;
};

export type Domain = { host: Host; origin: string; role: 'auth' | 'client' };

/** Where a request arrived: a domain and its realm. */
export type Site = { realm: Realm; domain: Domain };

export type RealmDraft = {
  slug: string;
  authenticationUrl: string | null;
  settings: Record<string, unknown>;
  brand: Record<string, unknown>;
  upstreams: readonly UpstreamDraft[];
};
export type StoredRealm = Omit<RealmDraft, 'upstreams'> & {
  id: RealmId;
  foreignHash: string | null;
  upstreams: readonly StoredUpstream[];
};

/** Channel on which a changed configuration is announced to every node. */
export const CONFIGURATION_CHANNEL = 'causeway_configuration';

export type Realms = ReturnType<typeof createRealms>;

/** The realms of this server. @param options secrets: key material, newest first; asked for when a provider's secret is used */
export function createRealms(options: {
  db: Database;
  notifications: Notifications | null;
  secrets: () => readonly string[];
}) {
  const cipher = createCipher({ secrets: options.secrets, purpose: 'upstream-secrets' });
  const sites = createShortMemory<Host, { site: Site | null }>({
    most: 10_000,
    read: async (host) => ({ site: await readSite(host) }),
  });
  options.notifications?.listen(CONFIGURATION_CHANNEL, { onMessage: () => sites.clear(), onGap: () => sites.clear() });

  async function readSite(host: Host): Promise<Site | null> {
    const row = await store.findSite(options.db, host);
    return row && { realm: toRealm(row.realm, row.auth), domain: row.domain };
  }

  /** The site of a request host; null when no realm has it. */
  async function findSite(host: Host): Promise<Site | null> {
    return (await sites.fetch(host))?.site ?? null;
  }

  /** The same, if it is in memory. */
  const peekSite = (host: Host): Site | null => sites.get(host)?.site ?? null;

  /** The domains of a realm, auth domain first. */
  const listDomains = (realm: RealmId, q: Queryable = options.db): Promise<Domain[]> => store.listDomains(q, realm);

  /** Lets one operator's command at a time change realms and clients, until the end of its transaction. */
  const lock = (q: Queryable): Promise<void> => store.lockConfiguration(q);

  /** Every realm as stored, by slug; for the operator's commands. */
  const listStored = (q: Queryable) => store.listRealms(q);

  /** Inserts or updates a realm as a file describes it. */
  const put = async (q: Queryable, draft: RealmDraft): Promise<RealmId> =>
    store.putRealm(q, { ...draft, upstreams: encryptUpstreams(cipher, draft.upstreams) });

  /** A secret of a provider, to be used. @throws Error when there is none, or CAUSEWAY_SECRET does not open it */
  const revealSecret = async (upstream: StoredUpstream, name: string): Promise<string> => {
    const secret = upstream.secrets[name];
    if (!secret) throw new Error(`the provider ${upstream.id} has no ${name}`);
    return cipher.decrypt(secret.encrypted);
  };

  /** Deletes a realm with everything in it: domains, clients, accounts, sessions. */
  const remove = (q: Queryable, slug: string): Promise<void> => store.deleteRealm(q, slug);

  /** Adds or changes a domain. @throws on a host that belongs to another realm (unique violation) */
  const putDomain = (q: Queryable, realm: RealmId, domain: Domain): Promise<void> => store.putDomain(q, realm, domain);

  /** Removes a domain; its client and every session on it end. */
  const removeDomain = (q: Queryable, host: Host): Promise<void> => store.deleteDomain(q, host);

  /** Keeps what the hashes of imported accounts are like, so that a try at nobody's account takes as long (security 139). */
  const keepForeignHash = (q: Queryable, realm: RealmId, hash: string): Promise<void> =>
    store.updateForeignHash(q, realm, hash);

  /** Tells every node, at commit, that the configuration changed. */
  const announce = (q: Queryable): Promise<void> => store.notifyChange(q, CONFIGURATION_CHANNEL);

  /** The realm with that row id, complete; null when it was deleted. Reads the database every time. */
  async function findById(id: RealmId): Promise<Realm | null> {
    const row = await store.findRealm(options.db, { id });
    return row && toRealm(row.realm, row.auth);
  }

  /** The realm with that slug, complete; null when there is none. */
  async function findBySlug(slug: string): Promise<Realm | null> {
    const row = await store.findRealm(options.db, { slug });
    return row && toRealm(row.realm, row.auth);
  }

  /** Ids of all realms, for periodic work. */
  const listIds = async (): Promise<RealmId[]> => (await store.listRealms(options.db)).map((realm) => realm.id);

  /** Auth domains that are no loopback names; with any, http on loopback may not be allowed. */
  async function listPublicAuthDomains(): Promise<string[]> {
    return (await store.listAuthHosts(options.db)).filter((host) => !isLoopbackHost(host));
  }

  return {
    findSite,
    peekSite,
    listDomains,
    lock,
    listStored,
    put,
    revealSecret,
    remove,
    putDomain,
    removeDomain,
    keepForeignHash,
    announce,
    findById,
    findBySlug,
    listPublicAuthDomains,
    listIds,
  };
}

/**
 * How the pages and messages of a realm look, to who comes for a client: what the client leaves out is the realm's. The colour for
 * the dark goes with the accent, and the logo with the name: the realm's logo says the realm's name.
 */
export function brandOf(realm: Realm, client: PartialBrand = {}): Brand {
  const dark = client.accent === undefined ? (client.accent_dark ?? realm.brand.accent_dark) : client.accent_dark;
  return {
    name: client.name ?? realm.brand.name ?? realm.slug,
    logo: client.logo ?? (client.name === undefined ? realm.brand.logo : undefined) ?? null,
    accent: client.accent ?? realm.brand.accent,
    accentDark: dark ?? null,
  };
}

function toRealm(stored: StoredRealm, auth: { host: Host; origin: string }): Realm {
  return {
    id: stored.id,
    slug: stored.slug,
    authenticationUrl: stored.authenticationUrl,
    settings: settingsSchema.parse(stored.settings),
    brand: brandSchema.parse(stored.brand),
    upstreams: stored.upstreams,
    authHost: auth.host,
    authOrigin: auth.origin,
    foreignHash: stored.foreignHash,
  };
}
