// Table sessions, for the limit on them: who is there, and the sign-ins that wait for an answer (`is_held`).

import type { Queryable } from '../db/database.ts';
import { writeStatement } from '../db/statement.ts';
import {
  type AccountId,
  asAccountId,
  asDomainSessionId,
  asRealmId,
  asSessionId,
  type Host,
  type SessionId,
  type TokenHash,
} from '../lib/ids.ts';
import type { HeldSession } from './limit.ts';
import { SESSION_IS_LIVE_SQL } from './store.ts';

// Sign-ins to one account that are counted take turns, on all nodes, until the end of their transactions. No row is locked:
// what ends sessions locks them first and the account after.
const LOCK = writeStatement(
  'sessions.lock_limit',
  "select pg_advisory_xact_lock(hashtextextended('causeway session limit ' || $1::text, 0))",
);

export async function lockLimit(q: Queryable, accountId: AccountId): Promise<void> {
  await q.run(LOCK, [accountId]);
}

/** The live sessions of an account, the oldest first. */
export async function listLive(q: Queryable, accountId: AccountId): Promise<SessionId[]> {
  const rows = await q
    .builder('sessions as s')
    .select('s.id')
    .where('s.account_id', accountId)
    .whereRaw(SESSION_IS_LIVE_SQL)
    .orderBy(['s.created_at', 's.id']);
  return rows.map((row) => asSessionId(row.id));
}

/** A sign-in that waits, by the token that its browser keeps. */
export async function findHeld(q: Queryable, tokenHash: TokenHash, host: Host): Promise<HeldSession | null> {
  const row = await q
    .builder('sessions as s')
    .join('domain_sessions as d', 'd.session_id', 's.id')
    .first('s.id', 's.realm_id', 's.account_id', 'd.id as domain_session_id')
    .where({ 'd.token_hash': tokenHash, 'd.host': host, 's.is_held': true })
    .whereRaw('s.expires_at > causeway_now()');
  if (!row) return null;
  return {
    id: asSessionId(row.id),
    realmId: asRealmId(row.realm_id),
    accountId: asAccountId(row.account_id),
    domainSessionId: asDomainSessionId(row.domain_session_id),
  };
}

/** Makes a sign-in that waited a session like any other. @returns false when it had ended, or was let go on already */
export async function releaseHeld(
  q: Queryable,
  draft: {
    held: HeldSession;
    idleSeconds: number;
    absoluteSeconds: number;
    tokenHash: TokenHash;
    companionHash: TokenHash;
  },
): Promise<boolean> {
  const after = (seconds: number) => q.builder.raw('causeway_now() + make_interval(secs => ?::integer)', [seconds]);
  const released = await q
    .builder('sessions')
    .where({ id: draft.held.id, is_held: true })
    .whereRaw('expires_at > causeway_now()')
    .update({
      is_held: false,
      last_seen_at: q.builder.raw('causeway_now()'),
      idle_seconds: draft.idleSeconds,
      idle_expires_at: after(draft.idleSeconds),
      expires_at: after(draft.absoluteSeconds),
    });
  if (released === 0) return false;
  await q
    .builder('domain_sessions')
    .where({ id: draft.held.domainSessionId })
    .update({ token_hash: draft.tokenHash, companion_hash: draft.companionHash });
  return true;
}
