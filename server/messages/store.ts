// Table outgoing_messages.

import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { asRealmId, type RealmId } from '../lib/ids.ts';

export type StoredMessage = {
  id: string;
  realmId: RealmId;
  channel: string;
  template: string;
  sealed: string;
  attempts: number;
  isExpired: boolean;
  ageSeconds: number;
};

const INSERT = writeStatement(
  'messages.insert',
  `insert into outgoing_messages (id, realm_id, channel, template, sealed, expires_at)
   values ($1, $2, $3, $4, $5, causeway_now() + make_interval(secs => $6))`,
);
const FIND = readStatement(
  'messages.find',
  `select id, realm_id, channel, template, sealed, attempts, coalesce(expires_at <= causeway_now(), false) as is_expired,
          extract(epoch from causeway_now() - created_at)::float8 as age
     from outgoing_messages where id = $1`,
);
const NOTE_ATTEMPT = writeStatement(
  'messages.note_attempt',
  'update outgoing_messages set attempts = attempts + 1, last_status = $2 where id = $1',
);
const DELETE = writeStatement('messages.delete', 'delete from outgoing_messages where id = $1');

/** @param message expiresInSeconds: null for one that is worth sending however late */
export async function insertMessage(
  q: Queryable,
  message: {
    id: string;
    realmId: RealmId;
    channel: string;
    template: string;
    sealed: string;
    expiresInSeconds: number | null;
  },
): Promise<void> {
  const { id, realmId, channel, template, sealed, expiresInSeconds } = message;
  await q.run(INSERT, [id, realmId, channel, template, sealed, expiresInSeconds]);
}

/** A message that is still to be sent; null when it was, or its realm is gone. */
export async function findMessage(q: Queryable, id: string): Promise<StoredMessage | null> {
  const [row] = await q.run(FIND, [id]);
  return row ? toMessage(row) : null;
}

export async function noteAttempt(q: Queryable, id: string, status: number | null): Promise<void> {
  await q.run(NOTE_ATTEMPT, [id, status]);
}

export async function deleteMessage(q: Queryable, id: string): Promise<void> {
  await q.run(DELETE, [id]);
}

/** Messages without a job that will still be tried: errors of ours used up its tries. @param jobs the view of the outbox's jobs */
export async function listOrphans(
  q: Queryable,
  jobs: string,
  keyPrefix: string,
): Promise<{ id: string; channel: string }[]> {
  const { rows } = await q.builder.raw<{ rows: Row[] }>(
    `select m.id, m.channel from outgoing_messages m
      where m.created_at < causeway_now() - interval '1 minute'
        and not exists (select from ${jobs} j where j.key = ? || m.id::text and j.attempts < j.max_attempts)
      order by m.created_at limit 500`,
    [keyPrefix],
  );
  return rows.map((row) => ({ id: String(row['id']), channel: String(row['channel']) }));
}

function toMessage(row: Row): StoredMessage {
  return {
    id: String(row['id']),
    realmId: asRealmId(String(row['realm_id'])),
    channel: String(row['channel']),
    template: String(row['template']),
    sealed: String(row['sealed']),
    attempts: Number(row['attempts']),
    isExpired: row['is_expired'] === true,
    ageSeconds: Number(row['age']),
  };
}
