// Tables sessions and domain_sessions. Expiry is decided by the database's clock (reliability R-70).

import { type Database, isRetryable, type Queryable, type Row } from '../db/database.ts';
import { millisecondsOf, noteStatement, readStatement, writeStatement } from '../db/statement.ts';
import {
  type AccountId,
  asAccountId,
  asDomainSessionId,
  asHost,
  asRealmId,
  asSessionId,
  type DomainSessionId,
  type Host,
  type RealmId,
  type SessionId,
  type TokenHash,
} from '../lib/ids.ts';
import type { LiveSession, SessionSummary, SignInFacts } from './sessions.ts';

/** Whether a session `s` is live; the one definition of it. */
export const SESSION_IS_LIVE_SQL =
  's.expires_at > causeway_now() and s.idle_expires_at > causeway_now() and not s.is_held';

/** For how long what is read of a session `s` stays true by itself: until it is over, or to be noted as seen again. */
const TRUE_FOR_SECONDS_SQL = `extract(epoch from least(s.expires_at, s.idle_expires_at, s.last_seen_at + interval '1 minute') - causeway_now())::float8`;

/**
 * What makes a session live, for the statement of `accounts` that finds who is signed in with one round trip: values of
 * domain_sessions d and sessions s in the order of a LiveSession's fields, and how to come from one to the other.
 */
export const LIVE_SESSION_SQL = {
  values: [
    's.id',
    's.realm_id::text',
    's.account_id::text',
    'd.id',
    millisecondsOf('s.authenticated_at'),
    's.amr',
    'extract(epoch from causeway_now() - s.authenticated_at)::float8',
    "s.last_seen_at < causeway_now() - interval '1 minute'",
    TRUE_FOR_SECONDS_SQL,
    `(select count(*) from sessions o where o.account_id = s.account_id
        and o.expires_at > causeway_now() and o.idle_expires_at > causeway_now() and not o.is_held)`,
  ],
  join: 'join sessions s on s.id = d.session_id',
  where: SESSION_IS_LIVE_SQL,
} as const;

export function toLiveSession(row: Row): LiveSession {
  return {
    id: asSessionId(String(row['session_id'])),
    realmId: asRealmId(String(row['session_realm_id'])),
    accountId: asAccountId(String(row['account_id'])),
    domainSessionId: asDomainSessionId(String(row['domain_session_id'])),
    authenticatedAt: row['authenticated_at'] as Date,
    amr: row['amr'] as string[],
    ageSeconds: Number(row['age_seconds']),
    isSeenStale: row['is_seen_stale'] as boolean,
    trueForSeconds: Number(row['true_for_seconds']),
    activeCount: Number(row['active_count']),
  };
}

const INSERT_SESSION = writeStatement(
  'sessions.insert',
  `with session as (
     insert into sessions (id, realm_id, account_id, amr, last_seen_host, idle_seconds, idle_expires_at, expires_at, user_agent, address, is_held)
     values ($1, $2, $3, $4, $5, $6::integer, causeway_now() + make_interval(secs => $6::integer), causeway_now() + make_interval(secs => $7::integer), $8, $9, $13)
     returning id)
   insert into domain_sessions (id, session_id, host, token_hash, companion_hash) select $10, id, $5, $11, $12 from session`,
);
const INSERT_DOMAIN = writeStatement(
  'sessions.insert_domain',
  `insert into domain_sessions (id, session_id, host, token_hash, companion_hash)
   select $1, s.id, $3, $4, $5 from sessions s where s.id = $2 and ${SESSION_IS_LIVE_SQL} for key share
   returning (select extract(epoch from s.expires_at - causeway_now())::integer from sessions s where s.id = $2) as remaining_seconds`,
);
/** Channel on which the id of every ended session is announced, here and by causeway_end_session(). */
export const SESSIONS_CHANNEL = 'causeway_sessions';
// Locked first, deleted by a statement of its own (as causeway_end_session() does): a domain or client that was being added meanwhile is seen by it.
const LOCK_SESSIONS_OF = writeStatement(
  'sessions.lock_of_account',
  'select id from sessions where account_id = $1 and id is distinct from $2::uuid order by id for update',
);
// The children go after the statement, so the hosts are still there to be returned.
const DELETED =
  'returning sessions.id, array(select distinct d.host from domain_sessions d where d.session_id = sessions.id order by 1) as hosts';
// The row is deleted and announced in one statement: nobody can hear of it and still find it.
const DELETE_SESSIONS_OF = writeStatement(
  'sessions.delete_of_account',
  `with gone as (delete from sessions where account_id = $1 and id is distinct from $2::uuid ${DELETED})
   select id, hosts, pg_notify('${SESSIONS_CHANNEL}', id::text) from gone`,
);
// Rows that somebody else holds are left out, so it waits for nobody and no two of it can wait for each other. The commit waits
// neither for the disk nor for a standby: what a crash takes is noted again at the next request.
const TOUCH = noteStatement(
  'sessions.touch',
  `with unseen as (
     select s.id, used.host
       from unnest($1::uuid[], $2::text[]) as used(id, host)
       join sessions s on s.id = used.id
      where s.last_seen_at < causeway_now() - interval '1 minute'
      order by s.id for no key update of s skip locked),
   eased as (select set_config('synchronous_commit', 'off', true))
   update sessions s
      set last_seen_at = causeway_now(), last_seen_host = unseen.host,
          idle_expires_at = causeway_now() + make_interval(secs => s.idle_seconds)
     from unseen cross join eased
    where s.id = unseen.id
   returning s.id, ${TRUE_FOR_SECONDS_SQL} as true_for_seconds`,
);
const FIND_ENDED = readStatement(
  'sessions.find_ended',
  `select id from unnest($1::uuid[]) as asked(id) where not exists (select from sessions s where s.id = asked.id and ${SESSION_IS_LIVE_SQL})`,
);

export async function insertSession(
  q: Queryable,
  draft: {
    sessionId: SessionId;
    domainSessionId: DomainSessionId;
    realmId: RealmId;
    accountId: AccountId;
    facts: SignInFacts;
    idleSeconds: number;
    absoluteSeconds: number;
    tokenHash: TokenHash;
    companionHash: TokenHash;
    isHeld: boolean;
  },
): Promise<void> {
  const { facts } = draft;
  await q.run(INSERT_SESSION, [
    draft.sessionId,
    draft.realmId,
    draft.accountId,
    facts.amr,
    facts.host,
    draft.idleSeconds,
    draft.absoluteSeconds,
    facts.userAgent,
    facts.address,
    draft.domainSessionId,
    draft.tokenHash,
    draft.companionHash,
    draft.isHeld,
  ]);
}

/** False when the session or its domain session has ended. */
export async function rotateDomainSession(
  q: Queryable,
  of: { id: SessionId; domainSessionId: DomainSessionId },
  hashes: { tokenHash: TokenHash; companionHash: TokenHash },
): Promise<boolean> {
  const rotated = await q
    .builder('domain_sessions')
    .where({ id: of.domainSessionId, session_id: of.id })
    .update({ token_hash: hashes.tokenHash, companion_hash: hashes.companionHash });
  return rotated === 1;
}

export async function renewSession(
  q: Queryable,
  draft: {
    sessionId: SessionId;
    domainSessionId: DomainSessionId;
    facts: SignInFacts;
    idleSeconds: number;
    absoluteSeconds: number;
    tokenHash: TokenHash;
    companionHash: TokenHash;
  },
): Promise<void> {
  const now = q.builder.raw('causeway_now()');
  const after = (seconds: number) => q.builder.raw('causeway_now() + make_interval(secs => ?::integer)', [seconds]);
  await q
    .builder('sessions')
    .where({ id: draft.sessionId })
    .update({
      authenticated_at: now,
      last_seen_at: now,
      amr: [...draft.facts.amr],
      idle_seconds: draft.idleSeconds,
      idle_expires_at: after(draft.idleSeconds),
      expires_at: after(draft.absoluteSeconds),
    });
  await q
    .builder('domain_sessions')
    .where({ id: draft.domainSessionId })
    .update({ token_hash: draft.tokenHash, companion_hash: draft.companionHash });
}

/** Adds a domain session to a live session; the seconds that the session has left at most, null when it is not live. */
export async function insertDomainSession(
  q: Queryable,
  draft: { id: DomainSessionId; sessionId: SessionId; host: Host; tokenHash: TokenHash; companionHash: TokenHash },
): Promise<number | null> {
  const [row] = await q.run(INSERT_DOMAIN, [
    draft.id,
    draft.sessionId,
    draft.host,
    draft.tokenHash,
    draft.companionHash,
  ]);
  return row ? Number(row['remaining_seconds']) : null;
}

export async function deleteDomainSession(q: Queryable, id: DomainSessionId): Promise<void> {
  await q.builder('domain_sessions').where({ id }).delete();
}

export async function deleteDomainSessionsOn(q: Queryable, host: Host): Promise<void> {
  await q.builder('domain_sessions').where({ host }).delete();
}

/** Runs work of one statement without a transaction around it; in one, and so again, when it met a deadlock. */
export async function runAlone<T>(db: Database, work: (q: Queryable) => Promise<T>): Promise<T> {
  try {
    return await work(db);
  } catch (error) {
    if (!isRetryable(error)) throw error;
    return db.transaction(work);
  }
}

export async function deleteSessionsOf(
  q: Queryable,
  accountId: AccountId,
  except: SessionId | null,
): Promise<{ id: SessionId; hosts: Host[] }[]> {
  if ((await q.run(LOCK_SESSIONS_OF, [accountId, except])).length === 0) return [];
  return (await q.run(DELETE_SESSIONS_OF, [accountId, except])).map(toDeleted);
}

const toDeleted = (row: Row) => ({ id: asSessionId(String(row['id'])), hosts: (row['hosts'] as string[]).map(asHost) });

/** A session that is used on a host. */
export type UsedSession = { id: SessionId; host: Host };

/** For how many seconds each of these sessions is noted as seen now, in the order given; null where it was not noted. */
export async function touchSessions(q: Queryable, used: readonly UsedSession[]): Promise<(number | null)[]> {
  const hosts = new Map<SessionId, Host>();
  for (const { id, host } of used) if (!hosts.has(id)) hosts.set(id, host);
  const rows = await q.run(TOUCH, [[...hosts.keys()], [...hosts.values()]]);
  const seconds = new Map(rows.map((row) => [asSessionId(String(row['id'])), Number(row['true_for_seconds'])]));
  return used.map(({ id }) => seconds.get(id) ?? null);
}

export async function findEnded(q: Queryable, ids: readonly SessionId[]): Promise<SessionId[]> {
  return (await q.run(FIND_ENDED, [ids])).map((row) => asSessionId(String(row['id'])));
}

export async function listSessionsOf(q: Queryable, accountId: AccountId): Promise<SessionSummary[]> {
  const rows = await q
    .builder('sessions as s')
    .select('s.id', 's.last_seen_host', 's.created_at', 's.last_seen_at', 's.user_agent', 's.address')
    .select(
      q.builder.raw(
        'array(select distinct d.host from domain_sessions d where d.session_id = s.id order by 1) as hosts',
      ),
    )
    .where('s.account_id', accountId)
    .whereRaw(SESSION_IS_LIVE_SQL)
    .orderBy('s.last_seen_at', 'desc')
    .limit(200);
  return rows.map((row) => ({
    id: asSessionId(row.id),
    lastSeenHost: row.last_seen_host,
    hosts: row.hosts,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
    userAgent: row.user_agent,
    address: row.address,
  }));
}

export async function findSessionOf(q: Queryable, accountId: AccountId, id: string): Promise<{ id: SessionId } | null> {
  const row = await q
    .builder('sessions as s')
    .first('s.id')
    .where({ 's.id': id, 's.account_id': accountId })
    .whereRaw(SESSION_IS_LIVE_SQL);
  return row ? { id: asSessionId(row.id) } : null;
}

export type SessionOfRealm = { id: SessionId; realmId: RealmId; accountId: AccountId };

export async function listSessionsIn(
  q: Queryable,
  realmId: RealmId,
  { limit, before }: { limit: number; before: Date | null },
): Promise<SessionOfRealm[]> {
  const rows = await q
    .builder('sessions')
    .select('id', 'realm_id', 'account_id')
    .where({ realm_id: realmId })
    .modify((query) => void (before && query.where('created_at', '<', before)))
    .orderBy('id')
    .limit(limit);
  return rows.map(toSessionOfRealm);
}

export async function findSessionIn(q: Queryable, realmId: RealmId, id: string): Promise<SessionOfRealm | null> {
  const row = await q.builder('sessions').first('id', 'realm_id', 'account_id').where({ realm_id: realmId, id });
  return row ? toSessionOfRealm(row) : null;
}

function toSessionOfRealm(row: Row): SessionOfRealm {
  return {
    id: asSessionId(String(row['id'])),
    realmId: asRealmId(String(row['realm_id'])),
    accountId: asAccountId(String(row['account_id'])),
  };
}

/** One batch of sessions that are over, 1,000 at most, so that no lock is held for long. True when more may be waiting. */
export async function deleteExpired(q: Queryable, mostRead = MOST_READ_FOR_IDLE): Promise<boolean> {
  const old = await q.builder.raw(
    `delete from sessions where id in (
       select id from sessions where expires_at <= causeway_now() order by expires_at limit ${SWEPT_AT_ONCE} for update skip locked)`,
  );
  // No index holds the idle limit, which moves with every use: with one, no such update could be HOT. Of a large table some pages are
  // looked at, others each time.
  const idle = await q.builder.raw(
    `delete from sessions where id in (
       select id from sessions tablesample system (
           least(100, 100 * ?::float4 / (select greatest(reltuples, 1) from pg_class where oid = 'sessions'::regclass)))
        where idle_expires_at <= causeway_now() limit ${SWEPT_AT_ONCE} for update skip locked)`,
    [mostRead],
  );
  return [old, idle].some(({ rowCount }) => rowCount === SWEPT_AT_ONCE);
}

const SWEPT_AT_ONCE = 1000;
/** Sessions that are read for those that went idle, which count for nothing before they are deleted too. */
const MOST_READ_FOR_IDLE = 200_000;
