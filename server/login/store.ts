// Table adopted_sessions.

import type { Queryable } from '../db/database.ts';
import { writeStatement } from '../db/statement.ts';
import type { RealmId } from '../lib/ids.ts';

// Single use is one statement: of two browsers that hold the same value one gets a row back.
const TAKE_OLD_SESSION = writeStatement(
  'login.take_old_session',
  `insert into adopted_sessions (realm_id, value_hash) values ($1, $2) on conflict do nothing returning adopted_at`,
);

/** Takes a value for adoption; false when it was taken before. */
export async function takeOldSession(q: Queryable, realmId: RealmId, valueHash: Buffer): Promise<boolean> {
  return (await q.run(TAKE_OLD_SESSION, [realmId, valueHash])).length === 1;
}
