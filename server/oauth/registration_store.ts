// Table initial_access_tokens; and the count of a realm's clients that registered themselves, with the lock that keeps it.

import type { Queryable } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import type { RealmId, TokenHash } from '../lib/ids.ts';

const IS_USABLE = 'token_hash = $1 and realm_id = $2 and uses_left > 0 and expires_at > causeway_now()';
const INSERT = writeStatement(
  'oauth.insert_initial_token',
  `insert into initial_access_tokens (token_hash, realm_id, uses_left, expires_at)
   values ($1, $2, $3, causeway_now() + make_interval(secs => $4::integer))`,
);
const FIND = readStatement(
  'oauth.find_initial_token',
  `select 1 as found from initial_access_tokens where ${IS_USABLE}`,
);
const ISSUED_AT = readStatement(
  'oauth.registered_at',
  'select created_at from clients where realm_id = $1 and client_id = $2',
);
const USE = writeStatement(
  'oauth.use_initial_token',
  `update initial_access_tokens set uses_left = uses_left - 1 where ${IS_USABLE} returning uses_left`,
);
// One registration of a realm at a time, so that two cannot both be the last; readers and foreign keys do not wait for it.
const LOCK = writeStatement('oauth.lock_registrations', 'select id from realms where id = $1 for no key update');
const COUNT = readStatement(
  'oauth.count_dynamic_clients',
  `select count(*)::integer as count from clients where realm_id = $1 and protocol -> 'is_dynamic' = 'true'`,
);

export async function insertInitialToken(
  q: Queryable,
  draft: { hash: TokenHash; realmId: RealmId; uses: number; ttlSeconds: number },
): Promise<void> {
  await q.run(INSERT, [draft.hash, draft.realmId, draft.uses, draft.ttlSeconds]);
}

export async function isInitialTokenUsable(q: Queryable, hash: TokenHash, realmId: RealmId): Promise<boolean> {
  return (await q.run(FIND, [hash, realmId])).length === 1;
}

/** Takes one use; false when there is none left. Decided by one statement, so that parallel calls cannot share a use. */
export async function useInitialToken(q: Queryable, hash: TokenHash, realmId: RealmId): Promise<boolean> {
  return (await q.run(USE, [hash, realmId])).length === 1;
}

/** How many clients of the realm registered themselves; no other registration there until the transaction ends. */
export async function countDynamicClients(q: Queryable, realmId: RealmId): Promise<number> {
  await q.run(LOCK, [realmId]);
  const [row] = await q.run(COUNT, [realmId]);
  return Number(row?.['count'] ?? 0);
}

/** When a client was registered, by the database's clock. */
export async function readIssuedAt(q: Queryable, realmId: RealmId, clientId: string): Promise<Date> {
  const [row] = await q.run(ISSUED_AT, [realmId, clientId]);
  return row?.['created_at'] as Date;
}

/** One batch of tokens that have expired; true when there may be more. */
export async function deleteExpiredInitialTokens(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from initial_access_tokens where token_hash in (
       select token_hash from initial_access_tokens where expires_at <= causeway_now() limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}
