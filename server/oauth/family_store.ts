// Table token_families, for an operator: what was granted before a moment, ended in batches.

import type { Queryable } from '../db/database.ts';
import type { RealmId } from '../lib/ids.ts';

/** Ends one batch of a realm's families that began before a moment, with every token of them. @returns how many */
export async function deleteFamiliesBefore(
  q: Queryable,
  realmId: RealmId,
  { before, limit }: { before: Date; limit: number },
): Promise<number> {
  const batch = q
    .builder('token_families')
    .select('id')
    .where({ realm_id: realmId })
    .where('created_at', '<', before)
    .orderBy('id')
    .limit(limit);
  return q.builder('token_families').whereIn('id', batch).delete();
}
