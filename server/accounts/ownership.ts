// What follows when somebody proves to be the owner of an account, or changes what it is guarded by.

import type { Audit } from '../audit/audit.ts';
import type { Challenges } from '../challenges/challenges.ts';
import type { Queryable } from '../db/database.ts';
import type { AccountId, RealmId, SessionId } from '../lib/ids.ts';
import type { RevokeReason, Sessions } from '../sessions/sessions.ts';
import type { Account } from './accounts.ts';
import type { Contact } from './contact.ts';
import * as store from './contact_store.ts';

type Of = { id: AccountId; realmId: RealmId };
/** Drops what a feature keeps of an account, in the transaction that decides it. */
export type OwnerHook = (q: Queryable, account: Of) => Promise<void>;

export type Ownership = ReturnType<typeof createOwnership>;

/**
 * @param options onSecured: ends what outlives sessions, such as offline tokens; onReclaimed: drops what somebody who never
 *   proved the address may have added, such as second factors and linked providers
 */
export function createOwnership(options: {
  audit: Audit;
  sessions: Sessions;
  challenges: Challenges;
  onSecured: readonly OwnerHook[];
  onReclaimed: readonly OwnerHook[];
}) {
  const { audit, sessions, challenges } = options;

  /** Ends every session and token of an account and voids what it has under way (security 50). */
  async function secure(
    q: Queryable,
    account: Of,
    why: { reason: RevokeReason; address: string | null; except?: SessionId },
  ): Promise<void> {
    const { except, ...reason } = why;
    const of = { realmId: account.realmId, accountId: account.id, ...(except && { except }) };
    await sessions.revokeAllOf(q, of, reason);
    await challenges.voidAllOf(q, account.id);
    for (const hook of options.onSecured) await hook(q, account);
  }

  /**
   * Notes that whoever is here reads a contact of the account. The first proof of an address by somebody who did not make the
   * account in this browser reclaims it: whoever made it may have been a stranger who waits for the owner (pre-hijacking,
   * security 151), so password, sessions, factors and links of before are gone.
   * @param how isMaker: this browser made the account or has signed in to it with its password
   */
  async function prove(
    q: Queryable,
    account: Account,
    contact: Pick<Contact, 'kind'>,
    how: { isMaker: boolean; address: string | null },
  ): Promise<Account> {
    // A number by which somebody signs in was proven when it was added.
    if (contact.kind === 'phone') {
      return account.verificationStatus ? account : store.updateContact(q, account.id, { verificationStatus: 'phone' });
    }
    if (account.verificationStatus === 'email') return account;
    if (!how.isMaker) await reclaim(q, account, how.address);
    const verified = await store.updateContact(q, account.id, { verificationStatus: 'email' });
    await audit.record(q, {
      type: 'account.verified',
      realmId: account.realmId,
      accountId: account.id,
      address: how.address,
      detail: { what: 'email' },
    });
    return verified;
  }

  async function reclaim(q: Queryable, account: Account, address: string | null): Promise<void> {
    await store.dropWaysIn(q, account.id);
    await takeOver(q, account, address);
    await audit.record(q, {
      type: 'account.reclaimed',
      realmId: account.realmId,
      accountId: account.id,
      address,
      detail: { by: 'challenge' },
    });
  }

  /** Ends all that an account has beside its own row, because its proven owner takes it over. */
  async function takeOver(q: Queryable, account: Of, address: string | null): Promise<void> {
    await secure(q, account, { reason: 'reclaimed', address });
    for (const hook of options.onReclaimed) await hook(q, account);
  }

  return { secure, prove, takeOver };
}
