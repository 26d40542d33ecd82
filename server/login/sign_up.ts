// Sign-up with a password: an account, and a session unless the realm or the caller wants the address proven first.

import type { Account, Accounts, Letters, RegisterFault } from '../accounts/accounts.ts';
import { parseContact } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import { hashToken } from '../lib/token.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { Attempt, Completed, Proof } from './complete.ts';
import type { Pending } from './pending.ts';
import { signUpTakes } from './throttle.ts';

export type SignUpRefused =
  | { ok: false; reason: 'faults'; faults: RegisterFault[] }
  | { ok: false; reason: 'closed' }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number };
/** An account without a session; null where the answer must not tell whether one was made. */
export type SignedUp = { ok: true; kind: 'registered'; account: Account | null };
type Given = { email: string; password: string; username: string | null; name: string | null; mayBegin: boolean };

export function createSignUp(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  letters: Letters;
  accounts: Accounts;
  pending: Pending;
  complete(attempt: Attempt, proof: Proof): Promise<Completed>;
}) {
  const { db, audit, rateLimits, letters, accounts, pending, complete } = options;

  /** Makes an account and, where it may, signs it in. */
  return async function signUp(attempt: Attempt, given: Given): Promise<Completed | SignedUp | SignUpRefused> {
    const { realm } = attempt;
    if (realm.settings.signup === 'closed') return { ok: false, reason: 'closed' };
    const taken = await rateLimits.take(signUpTakes(realm, attempt.address));
    if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    const from = { address: attempt.address, ...(attempt.signal && { signal: attempt.signal }) };
    const registered = await accounts.register(realm, given, from);
    const isNeutral = realm.settings.duplicate_signup === 'neutral';
    if (!registered.ok) {
      if (!isNeutral || !isAddressTaken(registered.faults, given))
        return { ok: false, reason: 'faults', faults: registered.faults };
      // Security 139: as many commits as for somebody new, who gets an account here.
      await audit.record(db, { type: 'sign-up.refused', realmId: realm.id, address: attempt.address });
      await write(attempt, given.email, { purpose: 'account-exists' });
      return { ok: true, kind: 'registered', account: null };
    }
    const { account } = registered;
    const needsProof = isNeutral || realm.settings.verification === 'before-session';
    if (!needsProof && given.mayBegin) return complete(attempt, { accountId: account.id, amr: ['pwd'] });
    // It may prove the address without a session (bridgekeeper's update-with-otp), and goes on by itself then.
    await pending.remember(attempt, account);
    if (needsProof)
      await write(attempt, given.email, { purpose: 'verify-email', redirectUrl: null, handle: attempt.handle ?? null });
    return { ok: true, kind: 'registered', account: isNeutral ? null : account };
  };

  /** A letter that is refused for its number is not sent; the sign-up stands, and another one can be asked for. */
  async function write(
    { realm, address, locale, client, browser }: Attempt,
    email: string,
    wish: { purpose: 'account-exists' } | { purpose: 'verify-email'; redirectUrl: null; handle: string | null },
  ): Promise<void> {
    const contact = parseContact(realm, { email });
    const browserHash = browser && hashToken(browser);
    if (contact) await letters.request(realm, contact, wish, { address, locale, client: client ?? null, browserHash });
  }
}

/** Published forms send the address as the user name too; both are then the same fault. */
function isAddressTaken(faults: readonly RegisterFault[], given: Given): boolean {
  return faults.some(
    ({ field, fault }) =>
      fault === 'taken' && (field === 'email' || (field === 'username' && given.username?.includes('@') === true)),
  );
}
