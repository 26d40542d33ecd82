// A sign-in as most of them are, in one statement: nobody is signed in on the host yet, nothing stands between the proof and a
// session, and nobody has to be written to. complete.ts has the general way, which leaves the same rows.

import { ACCOUNT_COLUMNS, type SignedIn, toAccount } from '../accounts/accounts.ts';
import { isRetryable, type Queryable, type Row } from '../db/database.ts';
import { writeStatement } from '../db/statement.ts';
import type { AccountId } from '../lib/ids.ts';
import { type Sessions, type SignInFacts, toLiveSession } from '../sessions/sessions.ts';

// The account is locked as by `accounts.hold_enabled`: a change of its password waits for this, or is seen by it (R-21).
const BEGIN = writeStatement(
  'login.begin_session',
  `with held as materialized (
     select ${ACCOUNT_COLUMNS.map((name) => `a.${name}`).join(', ')},
            not $5 and exists (select from audit_events e where e.account_id = $1 and e.type = 'sign-in.succeeded') as is_news
       from accounts a
      where a.id = $1 and a.disabled_at is null and ($2::text is null or a.password_hash = $2)
        and ($3 or not exists (select from totp_factors f where f.account_id = $1) and not exists (select from passkeys p where p.account_id = $1))
        and ($4 or a.verification_status is not null)
        for share of a),
   fit as materialized (select * from held where not (is_news and $6 and email is not null)),
   session as (
     insert into sessions (id, realm_id, account_id, amr, last_seen_host, idle_seconds, idle_expires_at, expires_at, user_agent, address)
     select $7, $8, $1, $9, $10, $11::integer, causeway_now() + make_interval(secs => $11::integer), causeway_now() + make_interval(secs => $12::integer), $13, $14
       from fit
     returning id, realm_id, account_id, amr, authenticated_at, least(expires_at, idle_expires_at, last_seen_at + interval '1 minute') as true_until),
   domain as (
     insert into domain_sessions (id, session_id, host, token_hash, companion_hash)
     select $15, id, $10, $16, $17 from session
     returning id, companion_hash),
   noted as (
     insert into audit_events (type, realm_id, account_id, session_id, address)
     select event.type, $8, $1, $7, $14
       from fit join (values (1, 'sign-in.new-device'), (2, 'sign-in.succeeded')) event (nr, type) on fit.is_news or event.nr = 2
      order by event.nr)
   select fit.*, s.id as session_id, s.realm_id as session_realm_id, s.account_id, d.id as domain_session_id, d.companion_hash,
          s.authenticated_at, s.amr, 0 as age_seconds, false as is_seen_stale,
          extract(epoch from s.true_until - causeway_now())::float8 as true_for_seconds,
          (select 1 + count(*)::int from sessions o where o.account_id = $1
              and o.expires_at > causeway_now() and o.idle_expires_at > causeway_now() and not o.is_held) as active_count
     from fit, session s, domain d`,
);

/**
 * Begins a session; null when this sign-in has to go the general way, and nothing was done.
 * @param asks passwordHash: null for whichever; isFactorProven, isUnverifiedEnough: what the account need not have;
 *   isKnownDevice, mayWrite: whether its owner would get a letter
 */
export async function beginSession(
  q: Queryable,
  asks: {
    accountId: AccountId;
    passwordHash: string | null;
    isFactorProven: boolean;
    isUnverifiedEnough: boolean;
    isKnownDevice: boolean;
    mayWrite: boolean;
  },
  draft: ReturnType<Sessions['draftSession']>['draft'],
  facts: SignInFacts,
): Promise<SignedIn | null> {
  const values = [
    asks.accountId,
    asks.passwordHash,
    asks.isFactorProven,
    asks.isUnverifiedEnough,
    asks.isKnownDevice,
    asks.mayWrite,
    draft.sessionId,
    draft.realmId,
    facts.amr,
    facts.host,
    draft.idleSeconds,
    draft.absoluteSeconds,
    facts.userAgent,
    facts.address,
    draft.domainSessionId,
    draft.tokenHash,
    draft.companionHash,
  ];
  let row: Row | undefined;
  try {
    [row] = await q.run(BEGIN, values);
  } catch (error) {
    // A deadlock: the general way tries again.
    if (!isRetryable(error)) throw error;
  }
  return row ? { session: toLiveSession(row), account: toAccount(row) } : null;
}
