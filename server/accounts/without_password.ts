// Accounts of people whom somebody else vouches for: made without a password, and taken over by the rightful owner of an
// address that was never verified. Both run in the caller's transaction.

import type { Audit } from '../audit/audit.ts';
import type { Queryable } from '../db/database.ts';
import type { AccountId, CanonicalEmail, RealmId } from '../lib/ids.ts';
import { createToken } from '../lib/token.ts';
import type { Account } from './accounts.ts';
import * as store from './store.ts';

export type VouchedPerson = {
  email: { address: string; canonical: CanonicalEmail } | null;
  isEmailVerified: boolean;
  name: string | null;
  firstName: string | null;
  lastName: string | null;
  avatarUrl: string | null;
};
/** Who vouched, and where the person is. */
export type Voucher = { by: string; address: string | null };

export function createVouched(options: { audit: Audit }) {
  const { audit } = options;

  /** Makes an account without a password; null when somebody has the e-mail address by now. */
  async function createVouchedFor(
    q: Queryable,
    realmId: RealmId,
    person: VouchedPerson,
    voucher: Voucher,
  ): Promise<Account | null> {
    const account = await store.insertVouched(q, { ...person, realmId, sub: createToken() });
    if (!account) return null;
    const { by, address } = voucher;
    await audit.record(q, { type: 'account.created', realmId, accountId: account.id, address, detail: { by } });
    return account;
  }

  /**
   * Gives an account to the proven owner of its address (security 151): whoever made it without verifying that address may have
   * been somebody else. Password and phone numbers of before are gone; ownership.takeOver ends what is beside the account.
   */
  async function reclaim(
    q: Queryable,
    of: { realmId: RealmId; accountId: AccountId },
    person: VouchedPerson,
    voucher: Voucher,
  ): Promise<void> {
    const { by, address } = voucher;
    await store.resetToOwner(q, of.accountId, person);
    await audit.record(q, { type: 'account.reclaimed', ...of, address, detail: { by } });
  }

  return { createVouchedFor, reclaim };
}
