// Which sessions a realm has, for the operator who ends them; table sessions belongs to the folder of that name.

import type { Queryable } from '../db/database.ts';
import { type AccountId, asAccountId, asRealmId, asSessionId, type RealmId, type SessionId } from '../lib/ids.ts';

export type SessionOfRealm = { id: SessionId; realmId: RealmId; accountId: AccountId };

/** Some sessions of a realm, the oldest ids first, live or not. @param limit most that are returned */
export async function listSessionsIn(q: Queryable, realmId: RealmId, limit: number): Promise<SessionOfRealm[]> {
  const rows = await q
    .builder('sessions')
    .select('id', 'realm_id', 'account_id')
    .where({ realm_id: realmId })
    .orderBy('id')
    .limit(limit);
  return rows.map(toSession);
}

/** The session of a realm with that id; null when there is none. */
export async function findSessionIn(q: Queryable, realmId: RealmId, id: string): Promise<SessionOfRealm | null> {
  const row = await q.builder('sessions').first('id', 'realm_id', 'account_id').where({ realm_id: realmId, id });
  return row ? toSession(row) : null;
}

function toSession(row: { id: string; realm_id: string; account_id: string }): SessionOfRealm {
  return {
    id: asSessionId(row.id),
    realmId: asRealmId(String(row.realm_id)),
    accountId: asAccountId(String(row.account_id)),
  };
}
