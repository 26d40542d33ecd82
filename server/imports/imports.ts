// Bringing people over from another system: a file is read piece by piece, its records become accounts batch by batch, and how
// far it has come is written in the transaction of each batch. An import that was killed goes on after its last batch.

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type AccountDraft, importAccounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import { type HashParameters, standInFor } from '../passwords/passwords.ts';
import type { Realm, Realms } from '../realms/realms.ts';
import { type FieldMap, FORMATS, type FormatName, isFields } from './formats.ts';
import { draftAccount } from './person.ts';
import { type FileRecord, UnreadableFile } from './read.ts';
import { openRejects, type Reject, type Rejects } from './rejects.ts';
import * as store from './store.ts';

export { hashParametersSchema } from '../passwords/passwords.ts';
export { FIELD_NAMES, FORMATS, type FormatName, isFieldName } from './formats.ts';
export { UnreadableFile } from './read.ts';

export type Counts = { records: number; inserted: number; updated: number; skipped: number; rejected: number };
export type StoredImport = { id: string; finishedAt: Date | null; rejectsBytes: number; counts: Counts };
export type { HashParameters } from '../passwords/passwords.ts';
export type ImportOrder = {
  realm: Realm;
  path: string;
  format: FormatName;
  map: FieldMap;
  hashParameters: HashParameters | null;
  onConflict: 'skip' | 'update' | 'fail';
  isDryRun: boolean;
  /** Also where the file was imported to its end before. */
  isAgain: boolean;
};
export type Progress = { counts: Counts; bytesRead: number; bytes: number; isGoingOn: boolean };
export type Imported =
  | { kind: 'done' | 'done-before'; counts: Counts; rejectsPath: string; finishedAt: Date | null }
  /** With `onConflict: 'fail'`: nothing of its batch was kept. */
  | { kind: 'conflict'; line: number; reason: string; counts: Counts };

/** One transaction each; large enough that a commit to disk hardly counts, small enough for the time limit of a statement. */
const BATCH = 1000;
const FIRST_BYTES = 65_536;
const CHUNK_BYTES = 262_144;

class Conflict extends Error {
  readonly reject: Reject;
  constructor(reject: Reject) {
    super(reject.reason);
    this.reject = reject;
  }
}
/** Ends the transaction of a dry run. */
class Undo extends Error {}

export type Imports = ReturnType<typeof createImports>;

/** The imports of this server. */
export function createImports(options: { db: Database; audit: Audit; realms: Realms }) {
  const { db, audit, realms } = options;

  /**
   * Imports a file, or goes on with it. @param onProgress is told after every batch
   * @throws UnreadableFile with a message for the operator
   */
  async function run(order: ImportOrder, onProgress: (progress: Progress) => void): Promise<Imported> {
    const file = await openFile(order.path);
    const { size } = await file.stat();
    const firstLine = await readFirstLine(file);
    const stored = order.isDryRun ? null : await begin(order);
    const rejectsPath = `${order.path}${order.isDryRun ? '.dry-run' : ''}.rejects.jsonl`;
    if (stored?.finishedAt) {
      await file.close();
      return { kind: 'done-before', counts: stored.counts, rejectsPath, finishedAt: stored.finishedAt };
    }
    const rejects = await openRejects(rejectsPath, stored?.rejectsBytes ?? 0);
    const counts = stored?.counts ?? { records: 0, inserted: 0, updated: 0, skipped: 0, rejected: 0 };
    const state: Batch = { order, stored, rejects, counts };
    const before = counts.records;
    let read = 0;
    let isHashKept = false;
    const source = file.createReadStream({ start: 0, highWaterMark: CHUNK_BYTES });
    // While PostgreSQL works on one batch the next one is read.
    let working: Promise<void> = Promise.resolve();

    const hand = async (records: readonly FileRecord[], isLast: boolean) => {
      const judged = records.map((record) => judge(record, order));
      await working;
      working = commit(state, { judged, isLast, keepHash: !isHashKept }).then((isKept) => {
        isHashKept ||= isKept;
        onProgress({ counts: state.counts, bytesRead: source.bytesRead, bytes: size, isGoingOn: before > 0 });
      });
      // Its failure is thrown where it is waited for.
      working.catch(() => undefined);
    };

    try {
      let batch: FileRecord[] = [];
      for await (const records of FORMATS[order.format].read(source, firstLine)) {
        for (const record of records) {
          if (read++ < before) continue;
          batch.push(record);
          if (batch.length < BATCH) continue;
          await hand(batch, false);
          batch = [];
        }
      }
      await hand(batch, true);
      await working;
    } catch (error) {
      await working.catch(() => undefined);
      if (error instanceof Conflict)
        return { kind: 'conflict', line: error.reject.line, reason: error.reject.reason, counts: state.counts };
      throw error;
    } finally {
      await rejects.close();
      await file.close().catch(() => undefined);
    }
    return { kind: 'done', counts: state.counts, rejectsPath, finishedAt: null };
  }

  async function begin(order: ImportOrder): Promise<StoredImport> {
    const fingerprint = await fingerprintOf(order);
    const key = { realmId: order.realm.id, fingerprint };
    if (order.isAgain) await store.deleteFinished(db, key);
    return store.putImport(db, { ...key, fileName: order.path.slice(-255) });
  }

  /** One batch, all of it or nothing. @returns whether it held a foreign hash that is now known with the realm */
  async function commit(
    state: Batch,
    batch: { judged: readonly Judged[]; isLast: boolean; keepHash: boolean },
  ): Promise<boolean> {
    const { order, rejects } = state;
    const drafts = batch.judged.flatMap(({ draft }) => (draft ? [draft] : []));
    const foreign = batch.keepHash
      ? drafts.find(({ password_hash }) => password_hash !== null)?.password_hash
      : undefined;
    let counts = state.counts;
    let bytes = rejects.bytes();
    const work = async (q: Queryable) => {
      const outcomes = await importAccounts(q, order.realm.id, { drafts, mayUpdate: order.onConflict === 'update' });
      const kinds = new Map(drafts.map((draft, at) => [draft, outcomes[at]]));
      const refused: Reject[] = [];
      counts = { ...state.counts, records: state.counts.records + batch.judged.length };
      for (const { line, draft, fault } of batch.judged) {
        const outcome = draft ? kinds.get(draft) : undefined;
        if (!draft || !outcome || outcome.kind === 'refused') {
          counts.rejected++;
          refused.push({
            line,
            kind: 'rejected',
            reason: outcome && 'reason' in outcome ? outcome.reason : (fault ?? ''),
          });
        } else if (outcome.kind === 'exists') {
          if (order.onConflict === 'fail') throw new Conflict({ line, kind: 'skipped', reason: outcome.reason });
          counts.skipped++;
          refused.push({ line, kind: 'skipped', reason: outcome.reason });
        } else counts[outcome.kind]++;
      }
      bytes = await rejects.write(refused);
      if (order.isDryRun) throw new Undo();
      await note(q, state, { counts, bytes, isLast: batch.isLast });
      if (foreign) await realms.keepForeignHash(q, order.realm.id, standInFor(foreign));
      if (foreign) await realms.announce(q);
    };
    await db.transaction(work).catch((error) => {
      if (!(error instanceof Undo)) throw error;
    });
    rejects.keep(bytes);
    state.counts = counts;
    return foreign !== undefined;
  }

  async function note(
    q: Queryable,
    state: Batch,
    to: { counts: Counts; bytes: number; isLast: boolean },
  ): Promise<void> {
    const { order, stored } = state;
    const advanced =
      stored !== null &&
      (await store.advanceImport(q, stored.id, {
        from: state.counts.records,
        counts: to.counts,
        rejectsBytes: to.bytes,
        isFinished: to.isLast,
      }));
    if (!advanced) throw new UnreadableFile('Another process is importing this file. Nothing was done twice.');
    if (!to.isLast) return;
    const { records, inserted, updated, skipped, rejected } = to.counts;
    const detail = { format: order.format, records, inserted, updated, skipped, rejected };
    await audit.record(q, { type: 'accounts.imported', realmId: order.realm.id, detail });
  }

  return { run };
}

type Batch = { order: ImportOrder; stored: StoredImport | null; rejects: Rejects; counts: Counts };
type Judged = { line: number; draft: AccountDraft | null; fault: string | null };

function judge(record: FileRecord, order: ImportOrder): Judged {
  const { line } = record;
  if ('fault' in record) return { line, draft: null, fault: record.fault };
  if (!isFields(record.value)) return { line, draft: null, fault: 'the record is no object' };
  const reading = { hashParameters: order.hashParameters, country: order.realm.settings.default_country };
  const drafted = draftAccount(FORMATS[order.format].toPerson(record.value, order.map), reading);
  return drafted.ok ? { line, draft: drafted.draft, fault: null } : { line, draft: null, fault: drafted.reason };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    throw new UnreadableFile(`The file cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  throw new UnreadableFile(`${path} is not a file.`);
}

/** The first line, for what separates its columns. @throws UnreadableFile for an encoding in which nothing would be found */
async function readFirstLine(file: FileHandle): Promise<string> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
  const start = buffer.subarray(0, bytesRead);
  const isWide = bytesRead >= 2 && ['fffe', 'feff'].includes(start.toString('hex', 0, 2));
  if (isWide || start.includes(0))
    throw new UnreadableFile('The file is not UTF-8. Convert it first: iconv -f UTF-16 -t UTF-8 FILE > NEW');
  return start.toString('utf8').split(/\r?\n/, 1)[0] ?? '';
}

/** What makes two runs the same import: the bytes of the file and how they are read. */
async function fingerprintOf(order: ImportOrder): Promise<Buffer> {
  const { format, map, hashParameters, onConflict } = order;
  const hash = createHash('sha256').update(JSON.stringify({ format, map, hashParameters, onConflict }));
  const file = await open(order.path);
  for await (const chunk of file.createReadStream({ highWaterMark: 1_048_576 })) hash.update(chunk);
  return hash.digest();
}
