// The end of one session, with all that follows from it, in one statement: what open tabs hear, the line of the audit log, a
// receipt for every client that has to know, and the jobs that tell them.

import type { Queryable } from '../db/database.ts';
import { ADD_JOB_SQL } from '../db/outbox.ts';
import { writeStatement } from '../db/statement.ts';
import type { AccountId, RealmId, SessionId } from '../lib/ids.ts';
import { RECEIPT_STATE_SQL } from './store.ts';

// What the function returns was read once the session was locked (migrations/20261126202100_sessions_end.ts).
const END = writeStatement(
  'oidc.end_session',
  `with gone as materialized (select session_id, hosts, client_row_ids from causeway_end_session($1)),
   noted as (
     insert into audit_events (type, realm_id, account_id, session_id, address, detail)
     select 'session.revoked', $2, $3, $1, $4, jsonb_build_object('reason', $5::text) from gone),
   visited as (
     select unnest(client_row_ids) as client_row_id from gone
     union
     select c.id from gone join clients c on c.domain = any(gone.hosts) where c.realm_id = $2),
   made as (
     insert into logout_receipts (id, realm_id, session_id, account_id, account_sub, client_row_id, state)
     select gen_random_uuid(), $2, $1, a.id, a.sub, c.id, ${RECEIPT_STATE_SQL}
       from visited v join clients c on c.id = v.client_row_id join accounts a on a.id = $3
     on conflict do nothing
     returning id, client_row_id, state),
   queued as (
     select ${ADD_JOB_SQL({ task: '$6', tries: '$7', payload: "json_build_object('receipt', id)", key: '$8 || id', target: "'client:' || client_row_id" })} as job
       from made where state = 'pending')
   select count(*)::integer as ended, (select count(job) from queued) as queued from gone`,
);

/** Ends a session. @returns false when it had ended already */
export async function endSession(
  q: Queryable,
  session: { id: SessionId; realmId: RealmId; accountId: AccountId },
  why: { reason: string; address: string | null },
  task: { name: string; mostTries: number; keyPrefix: string },
): Promise<boolean> {
  const [row] = await q.run(END, [
    session.id,
    session.realmId,
    session.accountId,
    why.address,
    why.reason,
    task.name,
    task.mostTries,
    task.keyPrefix,
  ]);
  return row?.['ended'] === 1;
}
