// Table adopted_sessions, and the statement with which every try at a password begins.

import { FIND_FOR_SIGN_IN_SQL, toSignInRecord } from '../accounts/accounts.ts';
import type { Queryable } from '../db/database.ts';
import { writeStatement } from '../db/statement.ts';
import type { AccountId, RealmId } from '../lib/ids.ts';
import { type Take, type Taken, takeValues, toTaken } from '../ratelimit/ratelimit.ts';
import { UNKNOWN_SUBJECT } from './throttle.ts';

// Single use is one statement: of two browsers that hold the same value one gets a row back.
const TAKE_OLD_SESSION = writeStatement(
  'login.take_old_session',
  `insert into adopted_sessions (realm_id, value_hash) values ($1, $2) on conflict do nothing returning adopted_at`,
);
// Who it is, and the count of the try, in one round trip, whether anybody is found or not. A browser that signed in to the
// account before is counted by the second set of limits.
const BEGIN_TRY = writeStatement(
  'login.begin_try',
  `select found.id, found.password_hash, found.is_disabled, taken.refused, taken.retry_after_seconds
     from (select) one
     left join lateral (${FIND_FOR_SIGN_IN_SQL}) found on true
     cross join lateral (select coalesce(found.id = any($4::bigint[]), false) as is_known) device
     cross join lateral causeway_take_limits(
       array(select replace(name, '${UNKNOWN_SUBJECT}', coalesce(found.id::text, $3))
               from unnest(case when device.is_known then $8::text[] else $5::text[] end) with ordinality as named(name, nr) order by nr),
       case when device.is_known then $9::integer[] else $6::integer[] end,
       case when device.is_known then $10::integer[] else $7::integer[] end) taken`,
);

/** Takes a value for adoption; false when it was taken before. */
export async function takeOldSession(q: Queryable, realmId: RealmId, valueHash: Buffer): Promise<boolean> {
  return (await q.run(TAKE_OLD_SESSION, [realmId, valueHash])).length === 1;
}

/**
 * Counts a try at a password and finds whose it would be.
 * @param tried canonical: what names the account, null when it can name nobody; nobody: subject of the counters when it names
 *   nobody; knownAccounts: of which the browser is known
 * @param takesOf the counters of a subject, for a browser that its account knows or not
 */
export async function beginTry(
  q: Queryable,
  tried: { realmId: RealmId; canonical: string | null; nobody: string; knownAccounts: readonly AccountId[] },
  takesOf: (subject: string, isKnown: boolean) => Take[],
) {
  const [strangers, known] = [takesOf(UNKNOWN_SUBJECT, false), takesOf(UNKNOWN_SUBJECT, true)];
  const { realmId, canonical, nobody, knownAccounts } = tried;
  const values = [realmId, canonical, nobody, knownAccounts, ...takeValues(strangers), ...takeValues(known)];
  const [row] = await q.run(BEGIN_TRY, values);
  const account = toSignInRecord(row);
  const isKnown = account !== null && knownAccounts.includes(account.id);
  const takes = takesOf(account?.id ?? nobody, isKnown);
  const taken: Taken = toTaken(row, takes);
  return { account, takes, taken };
}
