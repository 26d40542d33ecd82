// Accounts by their proven address or number: found, entered with a code, or made with one, without a password.

import type { Audit } from '../audit/audit.ts';
import type { Challenge, Challenges } from '../challenges/challenges.ts';
import type { Database } from '../db/database.ts';
import { createToken } from '../lib/token.ts';
import type { Realm } from '../realms/realms.ts';
import type { Account } from './accounts.ts';
import type { Contact } from './contact.ts';
import * as contacts from './contact_store.ts';
import type { Ownership } from './ownership.ts';
import * as store from './store.ts';

export type CodeAccounts = ReturnType<typeof createCodeAccounts>;

export function createCodeAccounts(options: {
  db: Database;
  audit: Audit;
  challenges: Challenges;
  ownership: Ownership;
}) {
  const { db, audit, challenges, ownership } = options;

  /** The enabled account that signs in with a contact. */
  const find = contacts.findByContact;

  /** Uses a challenge up for an account, and notes what it proves. Null when it was used meanwhile. */
  const use = (
    realm: Realm,
    proven: { challenge: Challenge; account: Account; contact: Contact; isMaker: boolean },
    address: string | null,
  ): Promise<Account | null> =>
    db.transaction(async (q) => {
      const account = await contacts.lockAccount(q, realm.id, proven.account.id);
      if (!account || !(await challenges.consume(q, proven.challenge))) return null;
      return ownership.prove(q, account, proven.contact, { isMaker: proven.isMaker, address });
    });

  /** Makes an account of whoever has proved a contact. Null when the challenge was used, or the contact taken, meanwhile. */
  async function create(
    realm: Realm,
    { challenge, contact }: { challenge: Challenge; contact: Contact },
    address: string | null,
  ): Promise<Account | null> {
    // The address as it was written when the code was asked for, not as it was typed with the code.
    const written = contact.kind === 'email' ? (challenge.payload['email'] ?? contact.address) : '';
    try {
      return await db.transaction(async (q) => {
        if (!(await challenges.consume(q, challenge))) return null;
        const account = await store.insertAccount(q, {
          realmId: realm.id,
          sub: createToken(),
          email: contact.kind === 'email' ? { address: written, canonical: contact.canonical } : null,
          username: null,
          name: null,
          passwordHash: null,
          profile: {
            verificationStatus: contact.kind,
            ...(contact.kind === 'phone' && { loginPhoneNumber: contact.number, phoneNumber: contact.number }),
          },
        });
        await audit.record(q, { type: 'account.created', realmId: realm.id, accountId: account.id, address });
        return account;
      });
    } catch (error) {
      if (contacts.isContactTaken(error)) return null;
      throw error;
    }
  }

  return { find, use, create };
}
