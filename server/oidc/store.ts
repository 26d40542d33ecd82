// Tables session_clients (which clients a session gave tokens to) and logout_receipts (what each site was told of its end).

import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { type AccountId, asRealmId, asSessionId, type ClientRowId, type RealmId, type SessionId } from '../lib/ids.ts';
import type { RevokedSession } from '../sessions/sessions.ts';

/**
 * What became of telling a site. `ended`: a domain, signed out by the same commit; `untold`: a client without an endpoint;
 * `pending`, `retrying`: still under way; `acknowledged`, `refused`, `gave-up`: final.
 */
export type ReceiptState = 'ended' | 'untold' | 'pending' | 'acknowledged' | 'retrying' | 'refused' | 'gave-up';
export type Receipt = {
  id: string;
  sessionId: SessionId;
  clientId: string;
  name: string;
  state: ReceiptState;
  attempts: number;
  lastStatus: number | null;
  lastError: string | null;
  createdAt: Date;
  triedAt: Date | null;
};
/** What a try needs to know. */
export type Delivery = {
  id: string;
  realmId: RealmId;
  sessionId: SessionId;
  sub: string;
  clientRowId: ClientRowId;
  clientId: string;
  issuer: string;
};
export type Attempt = { state: ReceiptState; status: number | null; error: string | null };

/** Channel on which every try is announced, as `<session id>:<client row id>`. */
export const RECEIPTS_CHANNEL = 'causeway_receipts';
const OPEN = "('pending', 'retrying')";

const NOTE_CLIENT = writeStatement(
  'oidc.note_client',
  `insert into session_clients (session_id, client_row_id, realm_id, account_sub)
   select $1, $2, $3, $4 where exists (select from sessions s where s.id = $1) on conflict do nothing`,
);
/** State of a new receipt, by its client `c`. */
export const RECEIPT_STATE_SQL = `case when c.disabled_at is null and c.protocol ->> 'backchannel_logout_uri' is not null then 'pending'
               when c.domain is not null then 'ended' else 'untold' end`;
// A client that got tokens, and the client of every host with a domain session; each once.
const INSERT_RECEIPTS = writeStatement(
  'oidc.insert_receipts',
  `with noted as (delete from session_clients where session_id = $1 returning client_row_id),
   visited as (
     select client_row_id from noted
     union
     select c.id from clients c where c.realm_id = $2 and c.domain = any($4::text[]))
   insert into logout_receipts (id, realm_id, session_id, account_id, account_sub, client_row_id, state)
   select gen_random_uuid(), $2, $1, a.id, a.sub, c.id,
          ${RECEIPT_STATE_SQL}
     from visited v join clients c on c.id = v.client_row_id join accounts a on a.id = $3
   on conflict do nothing
   returning id, client_row_id, state`,
);
const FIND_DELIVERY = readStatement(
  'oidc.find_delivery',
  `select l.id, l.realm_id, l.session_id, l.account_sub, l.client_row_id, c.client_id, d.origin
     from logout_receipts l join clients c on c.id = l.client_row_id
     join domains d on d.realm_id = l.realm_id and d.role = 'auth'
    where l.id = $1 and l.state in ${OPEN}`,
);
const NOTE_ATTEMPT = writeStatement(
  'oidc.note_attempt',
  `with tried as (
     update logout_receipts set state = $2, attempts = attempts + 1, last_status = $3, last_error = $4, tried_at = causeway_now()
      where id = $1 and state in ${OPEN} returning session_id, client_row_id)
   select pg_notify('${RECEIPTS_CHANNEL}', session_id || ':' || client_row_id) from tried`,
);
const IS_UNTRIED = readStatement(
  'oidc.is_untried',
  "select 1 from logout_receipts where session_id = $1 and client_row_id = $2 and state = 'pending'",
);

/** Notes that a client got tokens in a session, in the transaction that makes them; nothing when the session has ended. */
export async function noteClient(
  q: Queryable,
  visit: { sessionId: string; clientRowId: ClientRowId; realmId: RealmId; sub: string },
): Promise<void> {
  await q.run(NOTE_CLIENT, [visit.sessionId, visit.clientRowId, visit.realmId, visit.sub]);
}

/** Makes the receipts of an ended session. @returns those that are to be delivered */
export async function insertReceipts(
  q: Queryable,
  ended: RevokedSession,
): Promise<{ id: string; clientRowId: string }[]> {
  const rows = await q.run(INSERT_RECEIPTS, [ended.sessionId, ended.realmId, ended.accountId, ended.hosts]);
  return rows.flatMap((row) =>
    row['state'] === 'pending' ? [{ id: String(row['id']), clientRowId: String(row['client_row_id']) }] : [],
  );
}

/** What is still to be delivered under a receipt; null when it is done or gone. */
export async function findDelivery(q: Queryable, id: string): Promise<Delivery | null> {
  const [row] = await q.run(FIND_DELIVERY, [id]);
  if (!row) return null;
  return {
    id,
    realmId: asRealmId(String(row['realm_id'])),
    sessionId: asSessionId(String(row['session_id'])),
    sub: String(row['account_sub']),
    clientRowId: String(row['client_row_id']) as ClientRowId,
    clientId: String(row['client_id']),
    issuer: String(row['origin']),
  };
}

export async function noteAttempt(q: Queryable, id: string, attempt: Attempt): Promise<void> {
  await q.run(NOTE_ATTEMPT, [id, attempt.state, attempt.status, attempt.error]);
}

/** Whether a client is still to be told of a session's end for the first time. */
export async function isUntried(q: Queryable, sessionId: SessionId, clientRowId: ClientRowId): Promise<boolean> {
  return (await q.run(IS_UNTRIED, [sessionId, clientRowId])).length > 0;
}

/** Receipts of a realm, latest first, the names of one session in order. @param limit most that are returned */
export async function listReceipts(
  q: Queryable,
  realmId: RealmId,
  of: { sessionId?: string; accountId?: AccountId; limit: number },
): Promise<Receipt[]> {
  const rows = await q
    .builder('logout_receipts as l')
    .join('clients as c', 'c.id', 'l.client_row_id')
    .select(
      'l.id',
      'l.session_id',
      'c.client_id',
      'c.name',
      'l.state',
      'l.attempts',
      'l.last_status',
      'l.last_error',
      'l.created_at',
      'l.tried_at',
    )
    .where({
      'l.realm_id': realmId,
      ...(of.sessionId !== undefined && { 'l.session_id': of.sessionId }),
      ...(of.accountId !== undefined && { 'l.account_id': of.accountId }),
    })
    .orderBy([{ column: 'l.created_at', order: 'desc' }, 'l.session_id', 'c.name', 'c.id'])
    .limit(of.limit);
  return rows.map(toReceipt);
}

function toReceipt(row: Row): Receipt {
  return {
    id: String(row['id']),
    sessionId: asSessionId(String(row['session_id'])),
    clientId: String(row['client_id']),
    name: String(row['name']),
    state: row['state'] as ReceiptState,
    attempts: Number(row['attempts']),
    lastStatus: row['last_status'] as number | null,
    lastError: row['last_error'] as string | null,
    createdAt: row['created_at'] as Date,
    triedAt: row['tried_at'] as Date | null,
  };
}

/** Ends receipts whose job is used up without a word, as when the node died in its last try. @param jobs table of the outbox's jobs */
export async function giveUpOrphans(q: Queryable, jobs: string, keyPrefix: string): Promise<void> {
  await q.builder.raw(
    `update logout_receipts l set state = 'gave-up', last_error = coalesce(last_error, 'the tries were used up')
      where l.state in ${OPEN} and l.created_at < causeway_now() - interval '1 hour'
        and not exists (select from ${jobs} j where j.key = :prefix || cast(l.id as text) and (j.attempts < j.max_attempts or j.locked_at is not null))`,
    { prefix: keyPrefix },
  );
}

/** Removes notes on sessions that expired, and old receipts, 1,000 of each at most. True when more may be waiting. */
export async function deleteOld(q: Queryable, keepDays: number): Promise<boolean> {
  const { rowCount: notes } = await q.builder.raw(
    `delete from session_clients where ctid in (
       select n.ctid from session_clients n where not exists (select from sessions s where s.id = n.session_id) limit 1000)`,
  );
  const { rowCount: receipts } = await q.builder.raw(
    `delete from logout_receipts where id in (
       select id from logout_receipts where created_at < causeway_now() - make_interval(days => ?) limit 1000)`,
    [keepDays],
  );
  return notes === 1000 || receipts === 1000;
}
