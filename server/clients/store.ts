// Table clients.

import type { Queryable, Row } from '../db/database.ts';
import { readStatement } from '../db/statement.ts';
import {
  asClientId,
  asClientRowId,
  asHost,
  asRealmId,
  type ClientRowId,
  type Host,
  type RealmId,
  type TokenHash,
} from '../lib/ids.ts';
import { hashToken } from '../lib/token.ts';
import { clientBrandSchema, type StoredSecret } from '../realms/realms.ts';
import type { Client, ClientDraft, StoredClient } from './clients.ts';
import { protocolSchema } from './protocol.ts';

const COLUMNS = `c.id, c.realm_id, c.client_id, c.kind, c.name, c.domain, d.origin, c.redirect_uris, c.secret_hashes, c.api_key_hash, c.integration_secret, c.protocol, c.brand, c.disabled_at is not null as is_disabled
     from clients c left join domains d on d.host = c.domain`;
const FIND_BY_CLIENT_ID = readStatement(
  'clients.find_by_client_id',
  `select ${COLUMNS} where c.realm_id = $1 and c.client_id = $2`,
);
const FIND_BY_ROW_ID = readStatement('clients.find_by_row_id', `select ${COLUMNS} where c.id = $1`);
const FIND_BY_HOST = readStatement('clients.find_by_host', `select ${COLUMNS} where c.domain = $1`);
const FIND_BY_PROXY_SECRET = readStatement(
  'clients.find_by_proxy_secret',
  'select domain from clients where proxy_secret_hash = $1 and disabled_at is null and domain is not null',
);

export async function findByClientId(q: Queryable, realmId: RealmId, clientId: string): Promise<Client | null> {
  const [row] = await q.run(FIND_BY_CLIENT_ID, [realmId, clientId]);
  return row ? toClient(row) : null;
}

export async function findByRowId(q: Queryable, id: ClientRowId): Promise<Client | null> {
  const [row] = await q.run(FIND_BY_ROW_ID, [id]);
  return row ? toClient(row) : null;
}

export async function findByHost(q: Queryable, host: Host): Promise<Client | null> {
  const [row] = await q.run(FIND_BY_HOST, [host]);
  return row ? toClient(row) : null;
}

export async function findHostByProxySecret(q: Queryable, hash: TokenHash): Promise<Host | null> {
  const [row] = await q.run(FIND_BY_PROXY_SECRET, [hash]);
  return row ? asHost(String(row['domain'])) : null;
}

export async function listSites(q: Queryable, realmId: RealmId): Promise<{ name: string; origin: string }[]> {
  return q
    .builder('clients as c')
    .join('domains as d', 'd.host', 'c.domain')
    .select('c.name', 'd.origin')
    .where('c.realm_id', realmId)
    .whereNull('c.disabled_at')
    .orderBy('c.name');
}

/** The redirect URIs of the enabled public clients of a realm. */
export async function listPublicRedirectUris(q: Queryable, realmId: RealmId): Promise<string[]> {
  const rows = await q
    .builder('clients')
    .select('redirect_uris')
    .where({ realm_id: realmId, kind: 'third-party' })
    .whereNull('disabled_at')
    .whereRaw(`protocol->>'token_endpoint_auth_method' = 'none'`);
  return rows.flatMap((row) => row.redirect_uris as string[]);
}

export async function listClients(q: Queryable, realmId: RealmId): Promise<StoredClient[]> {
  const rows = await q
    .builder('clients')
    .select(
      'id',
      'client_id',
      'kind',
      'name',
      'domain',
      'redirect_uris',
      'secret_hashes',
      'proxy_secret_hash',
      'api_key_hash',
      'integration_secret',
      'protocol',
      'brand',
      'disabled_at',
    )
    .where({ realm_id: realmId })
    .orderBy('client_id');
  return rows.map((row) => ({
    id: asClientRowId(String(row.id)),
    clientId: row.client_id,
    kind: row.kind,
    name: row.name,
    domain: row.domain,
    redirectUris: row.redirect_uris,
    secretHashes: row.secret_hashes,
    proxySecretHash: row.proxy_secret_hash,
    hasApiKey: row.api_key_hash !== null,
    integrationSecret: row.integration_secret,
    protocol: row.protocol,
    brand: row.brand,
    isDisabled: row.disabled_at !== null,
  }));
}

export async function putClient(
  q: Queryable,
  realmId: RealmId,
  draft: ClientDraft & { integrationSecret: StoredSecret | null },
): Promise<void> {
  const now = q.builder.raw('causeway_now()');
  const values = {
    kind: draft.kind,
    name: draft.name,
    domain: draft.domain,
    redirect_uris: [...draft.redirectUris],
    protocol: JSON.stringify(draft.protocol),
    brand: JSON.stringify(draft.brand),
    disabled_at: draft.isDisabled ? now : null,
    updated_at: now,
    ...(draft.secret !== null && { secret_hashes: newSecrets(q, hashToken(draft.secret)) }),
    ...(draft.integrationSecret !== null && { integration_secret: JSON.stringify(draft.integrationSecret) }),
    ...(draft.proxySecret !== null && { proxy_secret_hash: hashToken(draft.proxySecret) }),
  };
  const changed = await q.builder('clients').where({ realm_id: realmId, client_id: draft.clientId }).update(values);
  if (changed > 0) return;
  const secrets = draft.secret === null ? [] : [hashToken(draft.secret)];
  await q
    .builder('clients')
    .insert({ ...values, secret_hashes: secrets, realm_id: realmId, client_id: draft.clientId });
}

/** A secret that is valid already stays beside the other one of a rotation that goes on. */
function newSecrets(q: Queryable, hash: TokenHash) {
  return q.builder.raw('case when ?::bytea = any(secret_hashes) then secret_hashes else array[?::bytea] end', [
    hash,
    hash,
  ]);
}

/** The newest secret stands first. */
export async function addSecret(q: Queryable, realmId: RealmId, clientId: string, hash: TokenHash): Promise<boolean> {
  const secrets = q.builder.raw('array_prepend(?::bytea, secret_hashes)', [hash]);
  return (
    (await oneClient(q, realmId, clientId)
      .whereRaw('cardinality(secret_hashes) < 2')
      .update({ secret_hashes: secrets, updated_at: q.builder.raw('causeway_now()') })) === 1
  );
}

export async function keepNewestSecret(q: Queryable, realmId: RealmId, clientId: string): Promise<boolean> {
  const newest = q.builder.raw('secret_hashes[1:1]');
  return (
    (await oneClient(q, realmId, clientId)
      .whereRaw('cardinality(secret_hashes) > 1')
      .update({ secret_hashes: newest, updated_at: q.builder.raw('causeway_now()') })) === 1
  );
}

export async function setDisabled(
  q: Queryable,
  realmId: RealmId,
  clientId: string,
  isDisabled: boolean,
): Promise<boolean> {
  const now = q.builder.raw('causeway_now()');
  const clients = oneClient(q, realmId, clientId);
  const matching = isDisabled ? clients.whereNull('disabled_at') : clients.whereNotNull('disabled_at');
  return (await matching.update({ disabled_at: isDisabled ? now : null, updated_at: now })) === 1;
}

export async function setApiKey(
  q: Queryable,
  realmId: RealmId,
  clientId: string,
  hash: TokenHash | null,
): Promise<boolean> {
  const now = q.builder.raw('causeway_now()');
  return (await oneClient(q, realmId, clientId).update({ api_key_hash: hash, updated_at: now })) === 1;
}

const oneClient = (q: Queryable, realmId: RealmId, clientId: string) =>
  q.builder('clients').where({ realm_id: realmId, client_id: clientId });

export async function deleteClient(q: Queryable, realmId: RealmId, clientId: string): Promise<void> {
  await q.builder('clients').where({ realm_id: realmId, client_id: clientId }).delete();
}

function toClient(row: Row): Client {
  const domain = row['domain'] as string | null;
  return {
    id: asClientRowId(String(row['id'])),
    realmId: asRealmId(String(row['realm_id'])),
    clientId: asClientId(String(row['client_id'])),
    kind: row['kind'] as Client['kind'],
    name: String(row['name']),
    domain: domain === null ? null : { host: asHost(domain), origin: String(row['origin']) },
    redirectUris: row['redirect_uris'] as string[],
    secretHashes: row['secret_hashes'] as Buffer[],
    apiKeyHash: row['api_key_hash'] as Buffer | null,
    integrationSecret: row['integration_secret'] as StoredSecret | null,
    protocol: protocolSchema.parse(row['protocol']),
    brand: clientBrandSchema.parse(row['brand']),
    isDisabled: row['is_disabled'] as boolean,
  };
}
