// Table audit_events.

import type { Queryable } from '../db/database.ts';
import { writeStatement } from '../db/statement.ts';
import type { AccountId } from '../lib/ids.ts';
import type { Event, EventType } from './audit.ts';

const INSERT = writeStatement(
  'audit.insert',
  `insert into audit_events (type, realm_id, account_id, session_id, client_id, address, detail)
   values ($1, $2, $3, $4, $5, $6, $7)`,
);

export async function insertEvent(q: Queryable, event: Event): Promise<void> {
  await q.run(INSERT, [
    event.type,
    event.realmId,
    event.accountId ?? null,
    event.sessionId ?? null,
    event.clientId ?? null,
    event.address ?? null,
    JSON.stringify(event.detail ?? {}),
  ]);
}

export type LoggedEvent = {
  at: Date;
  type: EventType;
  session_id: string | null;
  client_id: string | null;
  address: string | null;
  detail: Record<string, unknown>;
};

export async function listEventsOf(
  q: Queryable,
  accountId: AccountId,
  { limit }: { limit: number },
): Promise<LoggedEvent[]> {
  return q
    .builder('audit_events')
    .select('at', 'type', 'session_id', 'client_id', 'address', 'detail')
    .where({ account_id: accountId })
    .orderBy('id', 'desc')
    .limit(limit);
}

export async function hasEvent(q: Queryable, accountId: AccountId, type: EventType): Promise<boolean> {
  return (await q.builder('audit_events').first('id').where({ account_id: accountId, type })) !== undefined;
}
