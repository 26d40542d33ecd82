// Table imports.

import type { Queryable } from '../db/database.ts';
import type { RealmId } from '../lib/ids.ts';
import type { Counts, StoredImport } from './imports.ts';

const COLUMNS = ['id', 'records', 'inserted', 'updated', 'skipped', 'rejected', 'rejects_bytes', 'finished_at'];

/** The import of that file and that reading of it; made when there is none. */
export async function putImport(
  q: Queryable,
  one: { realmId: RealmId; fingerprint: Buffer; fileName: string },
): Promise<StoredImport> {
  const key = { realm_id: one.realmId, fingerprint: one.fingerprint };
  await q
    .builder('imports')
    .insert({ ...key, file_name: one.fileName })
    .onConflict(['realm_id', 'fingerprint'])
    .ignore();
  const row = await q.builder('imports').where(key).first(COLUMNS);
  return {
    id: String(row.id),
    finishedAt: row.finished_at as Date | null,
    rejectsBytes: Number(row.rejects_bytes),
    counts: {
      records: Number(row.records),
      inserted: Number(row.inserted),
      updated: Number(row.updated),
      skipped: Number(row.skipped),
      rejected: Number(row.rejected),
    },
  };
}

/** Forgets an import that came to its end. */
export async function deleteFinished(q: Queryable, one: { realmId: RealmId; fingerprint: Buffer }): Promise<void> {
  const key = { realm_id: one.realmId, fingerprint: one.fingerprint };
  await q.builder('imports').where(key).whereNotNull('finished_at').delete();
}

/** Moves an import on from where the caller knows it. False when somebody else has moved it. */
export async function advanceImport(
  q: Queryable,
  id: string,
  to: { from: number; counts: Counts; rejectsBytes: number; isFinished: boolean },
): Promise<boolean> {
  const { counts } = to;
  const changed = await q
    .builder('imports')
    .where({ id, records: to.from })
    .whereNull('finished_at')
    .update({
      ...counts,
      rejects_bytes: to.rejectsBytes,
      ...(to.isFinished && { finished_at: q.builder.raw('causeway_now()') }),
    });
  return changed === 1;
}
