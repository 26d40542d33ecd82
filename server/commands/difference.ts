// What has to be done so that a realm becomes what a file says: pure, from what is stored and what is wanted to a list of
// acts and the lines that tell an operator about them. Secrets never appear in a line.

import { isDeepStrictEqual } from 'node:util';
import type { ClientDraft, StoredClient } from '../clients/clients.ts';
import type { Host } from '../lib/ids.ts';
import { hashToken, isSameHash } from '../lib/token.ts';
import { brandSchema, type Domain, isSameSecret, type RealmDraft, settingsSchema } from '../realms/realms.ts';
import { present } from './present_value.ts';
import type { StoredState } from './realm_checks.ts';
import { compareUpstreams } from './upstream_difference.ts';
import type { WantedRealm } from './wanted_realm.ts';

/** The acts in the order in which they must be done; those of all realms before the next kind (see apply.ts). */
export type RealmDifference = {
  slug: string;
  stored: StoredState | null;
  /** One line for each change, without the name of the realm. */
  lines: string[];
  removeClients: StoredClient[];
  /** Clients that must let go of their host before it can be given to another. */
  vacate: StoredClient[];
  /** Hosts to remove, with every session on them. */
  removeHosts: Host[];
  putRealm: RealmDraft | null;
  putDomains: Domain[];
  putClients: ClientDraft[];
  /** Hosts that stay while their client is switched off, gone or another: every session on them ends. */
  endSessionsOn: Host[];
};

/** Compares a realm as stored (null: not there) with the one that is wanted. */
export function compareRealm(
  stored: StoredState | null,
  wanted: WantedRealm,
  options: { isPrune: boolean },
): RealmDifference {
  const { isPrune } = options;
  const before = stored?.clients ?? [];
  const removeClients = isPrune
    ? before.filter(
        ({ clientId, protocol }) =>
          protocol['is_dynamic'] !== true && !wanted.clients.some(({ draft }) => draft.clientId === clientId),
      )
    : [];
  const pairs = wanted.clients.map(({ draft }) => ({
    draft,
    was: before.find(({ clientId }) => clientId === draft.clientId) ?? null,
  }));
  const changed = pairs
    .map((pair) => ({ ...pair, lines: compareClient(pair.was, pair.draft) }))
    .filter(({ lines }) => lines.length > 0);
  const domains = compareDomains(stored, wanted, isPrune);
  const realm = compareValues(stored, wanted, isPrune);
  const vacate = pairs.flatMap(({ was, draft }) => (was?.domain && was.domain !== draft.domain ? [was] : []));
  return {
    slug: wanted.slug,
    stored,
    lines: [
      ...realm.lines,
      ...domains.lines,
      ...removeClients.map(({ clientId, kind }) => `- client ${clientId} (${kind})`),
      ...changed.flatMap(({ lines }) => lines),
    ],
    removeClients,
    vacate,
    removeHosts: domains.remove,
    putRealm: realm.draft,
    putDomains: domains.put,
    putClients: changed.map(({ draft }) => draft),
    endSessionsOn: [
      ...changed.flatMap(({ draft, was }) =>
        draft.isDisabled && !was?.isDisabled && draft.domain ? [draft.domain] : [],
      ),
      ...[...removeClients, ...vacate].flatMap(({ domain }) =>
        domain && !domains.remove.includes(domain) ? [domain] : [],
      ),
    ],
  };
}

// ------------------------------------------------------------------------------------------------ realm

function compareValues(
  stored: StoredState | null,
  wanted: WantedRealm,
  isPrune: boolean,
): { draft: RealmDraft | null; lines: string[] } {
  const was = stored?.realm;
  const left = isPrune ? undefined : was;
  const page = wanted.authenticationUrl === undefined ? (left?.authenticationUrl ?? null) : wanted.authenticationUrl;
  const settings = { ...left?.settings, ...wanted.settings };
  const brand = { ...left?.brand, ...wanted.brand };
  const upstreams = compareUpstreams(was?.upstreams ?? [], wanted.upstreams, { isPrune });
  const draft = { slug: wanted.slug, authenticationUrl: page, settings, brand, upstreams: upstreams.drafts };
  if (!was) return { draft, lines: [`+ realm ${wanted.slug}`, ...upstreams.lines] };
  const lines = [
    ...compareKeys('settings', settingsSchema.parse(was.settings), settingsSchema.parse(settings)),
    ...compareKeys('brand', brandSchema.parse(was.brand), brandSchema.parse(brand)),
    ...upstreams.lines,
    ...(was.authenticationUrl === page
      ? []
      : [`~ authentication_url: ${was.authenticationUrl ?? 'hosted page'} → ${page ?? 'hosted page'}`]),
  ];
  return { draft: lines.length > 0 ? draft : null, lines };
}

function compareKeys(name: string, before: Record<string, unknown>, after: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = keys.filter((key) => !isDeepStrictEqual(before[key], after[key]));
  return changed.map((key) => `~ ${name}.${key}: ${present(before[key])} → ${present(after[key])}`);
}

// ------------------------------------------------------------------------------------------------ domains

function compareDomains(stored: StoredState | null, wanted: WantedRealm, isPrune: boolean) {
  const before = stored?.domains ?? [];
  const wantedDomains: Domain[] = [
    { ...wanted.auth, role: 'auth' },
    ...wanted.clients.flatMap(({ draft, origin }) =>
      draft.domain && origin ? [{ host: draft.domain, origin, role: 'client' as const }] : [],
    ),
  ];
  const findWanted = (host: Host) => wantedDomains.find((domain) => domain.host === host);
  const isLetGo = (host: Host) => {
    const owner = stored?.clients.find((client) => client.domain === host);
    return isPrune || (owner !== undefined && wanted.clients.some(({ draft }) => draft.clientId === owner.clientId));
  };
  // A host that changes its role is made anew: sessions of a site are no sign-ins of the auth domain, nor the reverse.
  const gone = before.filter((domain) => {
    const next = findWanted(domain.host);
    return next ? next.role !== domain.role : domain.role === 'auth' || isLetGo(domain.host);
  });
  const put = wantedDomains.filter(
    (domain) =>
      gone.some(({ host }) => host === domain.host) ||
      !isDeepStrictEqual(
        before.find(({ host }) => host === domain.host),
        domain,
      ),
  );
  return {
    remove: gone.map(({ host }) => host),
    put,
    lines: [
      ...gone.map(({ host, role }) => `- ${role} domain ${host}; every session on it ends`),
      ...put.map(({ host, origin, role }) => {
        const was = before.find((domain) => domain.host === host && domain.role === role);
        return was ? `~ ${role} domain ${host}: ${was.origin} → ${origin}` : `+ ${role} domain ${origin}`;
      }),
    ],
  };
}

// ------------------------------------------------------------------------------------------------ clients

function compareClient(was: StoredClient | null, draft: ClientDraft): string[] {
  const end = draft.isDisabled && draft.domain ? '; every session on its domain ends' : '';
  if (!was) return [`+ client ${draft.clientId} (${draft.kind}${draft.isDisabled ? ', disabled' : ''})`];
  const fields: [name: string, before: unknown, after: unknown][] = [
    ['kind', was.kind, draft.kind],
    ['name', was.name, draft.name],
    ['domain', was.domain ?? undefined, draft.domain ?? undefined],
    ...(draft.kind === 'third-party'
      ? [['redirect_uris', was.redirectUris, draft.redirectUris] as [string, unknown, unknown]]
      : []),
    ...[...new Set([...Object.keys(was.protocol), ...Object.keys(draft.protocol)])].map(
      (key) => [key, was.protocol[key], draft.protocol[key]] as [string, unknown, unknown],
    ),
    ...[...new Set([...Object.keys(was.brand), ...Object.keys(draft.brand)])].map(
      (key) => [`brand.${key}`, was.brand[key], draft.brand[key]] as [string, unknown, unknown],
    ),
  ];
  const changes = fields
    .filter(([, before, after]) => !isDeepStrictEqual(before, after))
    .map(([name, before, after]) => `${name}: ${present(before)} → ${present(after)}`);
  if (changes.length === 0 && !isDeepStrictEqual([...was.redirectUris], [...draft.redirectUris]))
    changes.push(`redirect_uris: ${present(was.redirectUris)} → ${present(draft.redirectUris)}`);
  if (draft.secret !== null && !was.secretHashes.some((hash) => isSameHash(hash, hashToken(draft.secret ?? ''))))
    changes.push('secret: replaced');
  if (
    draft.proxySecret !== null &&
    !(was.proxySecretHash && isSameHash(was.proxySecretHash, hashToken(draft.proxySecret)))
  )
    changes.push('proxy_secret: replaced');
  changes.push(...compareIntegrationSecret(was, draft));
  if (was.isDisabled !== draft.isDisabled) changes.push(draft.isDisabled ? `disabled${end}` : 'enabled');
  return changes.map((change) => `~ client ${draft.clientId}: ${change}`);
}

function compareIntegrationSecret(
  { integrationSecret: was }: StoredClient,
  { integrationSecret }: ClientDraft,
): string[] {
  if (integrationSecret === null) return [];
  if (!isSameSecret(was ?? undefined, integrationSecret)) return ['integration_secret: replaced'];
  const { variable } = integrationSecret;
  if (was?.variable === variable) return [];
  return [`integration_secret: from ${variable ? `the variable ${variable}` : 'the file itself'}`];
}
