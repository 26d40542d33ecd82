// A sign-in beyond the limit of its account's sessions, where the realm has its readers asked: what the page shows, and what
// its two buttons do. Until then the sign-in is held (sessions/limit.ts) and signs nobody in.

import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import type { AccountId, Host, PlainToken } from '../lib/ids.ts';
import type { Credential, HeldSession, SessionSummary, Sessions } from '../sessions/sessions.ts';
import type { Attempt, SignedInNow } from './complete.ts';
import type { TellOfNewDevice } from './new_device.ts';

export type LimitQuestion = { held: HeldSession; account: Account; sessions: SessionSummary[] };

/** @param options finish: what every sign-in ends with, once its session has begun */
export function createLimitQuestions(options: {
  db: Database;
  audit: Audit;
  sessions: Sessions;
  accounts: Accounts;
  finish(attempt: Attempt, accountId: AccountId, credential: Credential): Promise<SignedInNow | null>;
  tellOfNewDevice: TellOfNewDevice;
}) {
  const { db, audit, sessions, accounts, finish, tellOfNewDevice } = options;

  /** What the browser with this token has to answer; null when nothing waits for it any more. */
  async function find(host: Host, token: PlainToken | null): Promise<LimitQuestion | null> {
    const held = token && (await sessions.findHeld(token, host));
    const account = held && (await accounts.findById(db, held.accountId));
    return held && account ? { held, account, sessions: await sessions.listOf(account.id) } : null;
  }

  /** Ends all other sessions of the account and begins this one. Null when it ended, or was answered before. */
  async function proceed(attempt: Attempt, { held }: LimitQuestion): Promise<SignedInNow | null> {
    const { realm, current, address } = attempt;
    const credential = await db.transaction(async (q) => {
      const released = await sessions.release(q, realm, held);
      if (!released) return null;
      if (current && current.account.id !== held.accountId)
        await sessions.revoke(q, current.session, { reason: 'replaced', address });
      const others = { realmId: held.realmId, accountId: held.accountId, except: held.id };
      await sessions.revokeAllOf(q, others, { reason: 'limit', address });
      await tellOfNewDevice(q, attempt, { accountId: held.accountId, sessionId: held.id });
      await audit.record(q, {
        type: 'sign-in.succeeded',
        realmId: held.realmId,
        accountId: held.accountId,
        sessionId: held.id,
        address,
      });
      return released;
    });
    return credential && finish(attempt, held.accountId, credential);
  }

  /** Drops the sign-in that waits; all other sessions stay. */
  async function cancel(attempt: Attempt, { held }: LimitQuestion): Promise<void> {
    await sessions.end(held, { reason: 'cancelled', address: attempt.address });
  }

  return { find, proceed, cancel };
}
