// Tries at a second factor: counted before they are made, noted in the audit log, and taken back when they were rightful.

import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import { parseLimit } from '../lib/duration.ts';
import type { AccountId, SessionId } from '../lib/ids.ts';
import type { RateLimits, Take } from '../ratelimit/ratelimit.ts';
import type { Realm } from '../realms/realms.ts';
import type { From, Throttled } from './mfa.ts';

type Who = { realm: Realm; accountId: AccountId; from: From };

export type Tries = ReturnType<typeof createTries>;

/** Counting and noting tries. */
export function createTries(options: { db: Database; audit: Audit; rateLimits: RateLimits }) {
  const { db, audit, rateLimits } = options;

  /** A right code or other proof, in the transaction that uses it up. */
  const noteUse = (q: Queryable, use: Who & { how: string }) =>
    audit.record(q, {
      type: use.how === 'recovery-code' ? 'recovery-code.used' : 'factor.used',
      realmId: use.realm.id,
      accountId: use.accountId,
      sessionId: use.from.sessionId ?? null,
      address: use.from.address,
      detail: { kind: use.how },
    });

  /** A wrong one. */
  async function fail(q: Queryable, failure: Who & { how: string }): Promise<{ ok: false; reason: 'wrong' }> {
    await audit.record(q, {
      type: 'factor.failed',
      realmId: failure.realm.id,
      accountId: failure.accountId,
      sessionId: failure.from.sessionId ?? null,
      address: failure.from.address,
      detail: { during: failure.how },
    });
    return { ok: false, reason: 'wrong' };
  }

  /** Counts a try before it is made, and takes the count back when it was a rightful one. */
  async function limited<Outcome extends { ok: boolean }>(
    takes: readonly Take[],
    who: Who,
    work: () => Promise<Outcome>,
  ): Promise<Outcome | Throttled> {
    const taken = await rateLimits.take(takes);
    if (!taken.isAllowed) {
      await audit.record(db, {
        type: 'factor.throttled',
        realmId: who.realm.id,
        accountId: who.accountId,
        address: who.from.address,
        detail: { limit: taken.policy },
      });
      return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    }
    const outcome = await work();
    if (outcome.ok) await rateLimits.giveBack(takes);
    return outcome;
  }

  return { limited, fail, noteUse };
}

/** The account's counter, whatever the challenge: who begins a new one after five tries has not won five more for ever. */
export function accountTakes(realm: Realm, accountId: AccountId): Take[] {
  const limit = parseLimit(realm.settings.second_factor_per_account);
  if (!limit) throw new Error('not a limit');
  return [{ policy: 'second-factor-account', key: accountId, ...limit }];
}

/** The counter of a reader who is signed in and confirms that with a code: as few tries as a challenge has. */
export function sessionTakes(sessionId: SessionId): Take[] {
  return [{ policy: 'second-factor-session', key: sessionId, points: 5, seconds: 600 }];
}
