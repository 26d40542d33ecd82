// A sign-in that waits for the proof of an address: the browser that made an account, or gave its right password, goes on by
// itself once the address is proven, here or in any other browser. Another browser only proves (security 154).

import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Challenges } from '../challenges/challenges.ts';
import type { Database } from '../db/database.ts';
import { hashToken } from '../lib/token.ts';
import type { Attempt, Completed, Proof } from './complete.ts';

export type PendingRefused =
  /** Nothing waits in this browser. */
  | { ok: false; reason: 'nobody' }
  /** The address is not proven yet. */
  | { ok: false; reason: 'not-yet' };

export type Pending = ReturnType<typeof createPending>;

export function createPending(options: {
  db: Database;
  challenges: Challenges;
  accounts: Accounts;
  complete(attempt: Attempt, proof: Proof): Promise<Completed>;
}) {
  const { db, challenges, accounts, complete } = options;

  /** Notes which browser waits for an account. */
  async function remember({ realm, browser }: Attempt, account: Account): Promise<void> {
    if (browser === null || account.email === null) return;
    await challenges.create(db, {
      realmId: realm.id,
      accountId: account.id,
      purpose: 'sign-up',
      recipient: account.email.toLowerCase(),
      browserHash: hashToken(browser),
    });
  }

  /** Signs in what waits in this browser. @param email the address that was just proven; null for whichever it is */
  async function enter(attempt: Attempt, email: string | null): Promise<Completed | PendingRefused> {
    const made = attempt.browser && (await challenges.findOfBrowser(attempt.realm.id, 'sign-up', attempt.browser));
    if (!made?.accountId || (email !== null && email !== made.recipient)) return { ok: false, reason: 'nobody' };
    const account = await accounts.findById(db, made.accountId);
    if (account?.email?.toLowerCase() !== made.recipient) return { ok: false, reason: 'nobody' };
    if (account.verificationStatus === null) return { ok: false, reason: 'not-yet' };
    // Once: from here on this browser is like any other.
    if (!(await db.transaction((q) => challenges.consume(q, made)))) return { ok: false, reason: 'nobody' };
    return complete(attempt, { accountId: account.id, amr: ['pwd'] });
  }

  return { remember, enter };
}
