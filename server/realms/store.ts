// Tables realms and domains.

import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { asHost, asRealmId, type Host, type RealmId } from '../lib/ids.ts';
import type { Domain, StoredRealm, StoredUpstream } from './realms.ts';

const FIND_SITE = readStatement(
  'realms.find_site',
  `select r.id, r.slug, r.authentication_url, r.settings, r.brand, r.upstreams, r.foreign_hash, d.host, d.origin, d.role,
          a.host as auth_host, a.origin as auth_origin
     from domains d
     join realms r on r.id = d.realm_id
     join domains a on a.realm_id = r.id and a.role = 'auth'
    where d.host = $1`,
);
const NOTIFY = writeStatement('realms.notify', "select pg_notify($1, '')");
// Readers and sign-ups go on: only those who ask for this lock wait for each other.
const LOCK_CONFIGURATION = writeStatement(
  'realms.lock_configuration',
  "select pg_advisory_xact_lock(hashtextextended('causeway.configuration', 0))",
);
const REALM_COLUMNS = ['id', 'slug', 'authentication_url', 'settings', 'brand', 'upstreams', 'foreign_hash'];

type Found = { realm: StoredRealm; auth: { host: Host; origin: string } };

export async function findSite(q: Queryable, host: Host): Promise<(Found & { domain: Domain }) | null> {
  const [row] = await q.run(FIND_SITE, [host]);
  return row ? { realm: toStored(row), auth: toAuth(row), domain: toDomain(row) } : null;
}

export async function findRealm(q: Queryable, by: { slug: string } | { id: RealmId }): Promise<Found | null> {
  const row = await q
    .builder('realms as r')
    .join('domains as a', (join) => join.on('a.realm_id', 'r.id').andOnVal('a.role', 'auth'))
    .where('id' in by ? { 'r.id': by.id } : { 'r.slug': by.slug })
    .first(...REALM_COLUMNS.map((column) => `r.${column}`), 'a.host as auth_host', 'a.origin as auth_origin');
  return row ? { realm: toStored(row), auth: toAuth(row) } : null;
}

export async function listRealms(q: Queryable): Promise<StoredRealm[]> {
  return (await q.builder('realms').select(REALM_COLUMNS).orderBy('slug')).map(toStored);
}

export async function putRealm(q: Queryable, draft: Omit<StoredRealm, 'id' | 'foreignHash'>): Promise<RealmId> {
  const columns = {
    authentication_url: draft.authenticationUrl,
    settings: JSON.stringify(draft.settings),
    brand: JSON.stringify(draft.brand),
    upstreams: JSON.stringify(draft.upstreams),
  };
  const [row] = await q
    .builder('realms')
    .insert({ slug: draft.slug, ...columns })
    .onConflict('slug')
    .merge({ ...columns, updated_at: q.builder.raw('causeway_now()') })
    .returning('id');
  return asRealmId(String(row.id));
}

export async function updateForeignHash(q: Queryable, id: RealmId, hash: string): Promise<void> {
  await q.builder('realms').where({ id }).update({ foreign_hash: hash });
}

export async function deleteRealm(q: Queryable, slug: string): Promise<void> {
  await q.builder('realms').where({ slug }).delete();
}

export async function listDomains(q: Queryable, realm: RealmId): Promise<Domain[]> {
  const rows = await q
    .builder('domains')
    .select('host', 'origin', 'role')
    .where({ realm_id: realm })
    .orderBy(['role', 'host']);
  return rows.map(toDomain);
}

export async function listAuthHosts(q: Queryable): Promise<Host[]> {
  return (await q.builder('domains').select('host').where({ role: 'auth' })).map((row) => asHost(row.host));
}

export async function putDomain(q: Queryable, realm: RealmId, domain: Domain): Promise<void> {
  const changed = await q
    .builder('domains')
    .where({ host: domain.host, realm_id: realm })
    .update({ origin: domain.origin, role: domain.role });
  if (changed === 0) await q.builder('domains').insert({ ...domain, realm_id: realm });
}

export async function deleteDomain(q: Queryable, host: Host): Promise<void> {
  await q.builder('domains').where({ host }).delete();
}

export async function lockConfiguration(q: Queryable): Promise<void> {
  await q.run(LOCK_CONFIGURATION, []);
}

export async function notifyChange(q: Queryable, channel: string): Promise<void> {
  await q.run(NOTIFY, [channel]);
}

function toStored(row: Row): StoredRealm {
  return {
    id: asRealmId(String(row['id'])),
    slug: String(row['slug']),
    authenticationUrl: row['authentication_url'] as string | null,
    settings: row['settings'] as Record<string, unknown>,
    brand: row['brand'] as Record<string, unknown>,
    foreignHash: row['foreign_hash'] as string | null,
    upstreams: row['upstreams'] as StoredUpstream[],
  };
}

function toAuth(row: Row) {
  return { host: asHost(String(row['auth_host'])), origin: String(row['auth_origin']) };
}

function toDomain(row: Row): Domain {
  return { host: asHost(String(row['host'])), origin: String(row['origin']), role: row['role'] as Domain['role'] };
}
