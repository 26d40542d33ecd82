// Table signing_keys.

import type { JWK } from 'jose';
import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import type { RealmId } from '../lib/ids.ts';
import type { Alg, KeyTimes } from './rotation.ts';

export type StoredKey = KeyTimes & { publicJwk: JWK; privateJwe: string };

const LIST = readStatement(
  'keys.list',
  `select kid, alg, public_jwk, private_jwe, created_at, activates_at, superseded_at, causeway_now() as now
     from signing_keys where realm_id = $1 order by activates_at, kid`,
);
const NOW = readStatement('keys.now', 'select causeway_now() as now');
const LOCK = writeStatement('keys.lock', 'select pg_advisory_xact_lock(427034, $1::integer)');
const NOTIFY = writeStatement('keys.notify', 'select pg_notify($1, $2)');

/** The keys of a realm and the database's time, by which their states are decided on every node alike. */
export async function listKeys(q: Queryable, realmId: RealmId): Promise<{ keys: StoredKey[]; now: Date }> {
  const rows = await q.run(LIST, [realmId]);
  const now = (rows[0] ?? (await q.run(NOW, []))[0])?.['now'] as Date;
  return { keys: rows.map(toKey), now };
}

/** Holds every other node off the keys of this realm until the transaction ends. */
export async function lockKeys(q: Queryable, realmId: RealmId): Promise<void> {
  await q.run(LOCK, [Number(BigInt(realmId) % 2_147_483_647n)]);
}

export async function insertKey(
  q: Queryable,
  realmId: RealmId,
  key: { kid: string; alg: Alg; publicJwk: JWK; privateJwe: string; activatesAt: Date },
): Promise<void> {
  await q.builder('signing_keys').insert({
    kid: key.kid,
    realm_id: realmId,
    alg: key.alg,
    public_jwk: JSON.stringify(key.publicJwk),
    private_jwe: key.privateJwe,
    activates_at: key.activatesAt,
  });
}

export async function supersedeKey(q: Queryable, kid: string, at: Date): Promise<void> {
  await q.builder('signing_keys').where({ kid }).whereNull('superseded_at').update({ superseded_at: at });
}

export async function activateNow(q: Queryable, realmId: RealmId): Promise<void> {
  const now = q.builder.raw('causeway_now()');
  await q
    .builder('signing_keys')
    .where({ realm_id: realmId })
    .where('activates_at', '>', now)
    .update({ activates_at: now });
}

export async function deleteKey(q: Queryable, kid: string): Promise<number> {
  return q.builder('signing_keys').where({ kid }).delete();
}

export async function notifyKeys(q: Queryable, channel: string, realmId: RealmId): Promise<void> {
  await q.run(NOTIFY, [channel, realmId]);
}

function toKey(row: Row): StoredKey {
  return {
    kid: String(row['kid']),
    alg: row['alg'] as Alg,
    publicJwk: row['public_jwk'] as JWK,
    privateJwe: String(row['private_jwe']),
    createdAt: row['created_at'] as Date,
    activatesAt: row['activates_at'] as Date,
    supersededAt: row['superseded_at'] as Date | null,
  };
}
