// The passkeys that an account has: listed, renamed, removed.

import { type Accounts, hasOwnWayIn } from '../accounts/accounts.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { AccountId } from '../lib/ids.ts';
import type { Messages } from '../messages/messages.ts';
import type { Realm } from '../realms/realms.ts';
import type { Factors } from './factors.ts';
import type { From, SignedInReader } from './mfa.ts';
import * as store from './passkey_store.ts';
import type { Passkey } from './passkeys.ts';

const LONGEST_NAME = 100;

/** @param options hasIdentity: whether an account is connected with another provider, through which it could sign in */
export function createPasskeyList(options: {
  db: Database;
  accounts: Accounts;
  factors: Factors;
  messages: Pick<Messages, 'canReach'>;
  hasIdentity: (q: Queryable, id: AccountId) => Promise<boolean>;
}) {
  const { db, factors } = options;

  /** The passkeys of an account, oldest first. */
  const list = async (q: Queryable, accountId: AccountId): Promise<Passkey[]> =>
    (await store.listPasskeys(q, accountId)).map(
      ({ id, name, createdAt, lastUsedAt, isBackupEligible, transports }) => ({
        id,
        name,
        createdAt,
        lastUsedAt,
        isBackupEligible,
        transports,
      }),
    );

  /** Gives a passkey another name; false when the account has none of that id, or the name is none. */
  async function rename(accountId: AccountId, given: { id: string; name: string }): Promise<boolean> {
    const name = tidyName(given.name);
    return name !== null && isId(given.id) && store.renamePasskey(db, accountId, { id: given.id, name });
  }

  /** Removes a passkey, unless it is the last way into the account. Needs a recent sign-in: the caller asks for it. */
  async function remove(
    realm: Realm,
    reader: SignedInReader,
    id: string,
    from: From,
  ): Promise<{ ok: true } | { ok: false; reason: 'unknown' | 'last-credential' }> {
    const { accountId, sessionId } = reader;
    return db.transaction(async (q) => {
      await store.lockAccount(q, accountId);
      const passkeys = await store.listPasskeys(q, accountId);
      if (!passkeys.some((passkey) => passkey.id === id)) return { ok: false, reason: 'unknown' };
      // Security 165: nobody takes the last way into an account away.
      if (passkeys.length === 1 && !(await hasOtherWayIn(q, realm, accountId)))
        return { ok: false, reason: 'last-credential' };
      await store.deletePasskey(q, accountId, id);
      const change = { realm, accountId, from: { ...from, sessionId } };
      await factors.noteChange(q, { ...change, type: 'factor.removed', kind: 'passkey' });
      return { ok: true };
    });
  }

  /** Whether an account could still sign in without any passkey. */
  const hasOtherWayIn = async (q: Queryable, realm: Realm, accountId: AccountId): Promise<boolean> =>
    (await hasOwnWayIn(q, { realm, accountId }, options)) || options.hasIdentity(q, accountId);

  return { list, rename, remove };
}

/** A name as it is shown; null when nothing is left of it. */
export function tidyName(name: string): string | null {
  return name.replace(/\s+/g, ' ').trim().slice(0, LONGEST_NAME).trim() || null;
}

const isId = (id: string): boolean => /^\d{1,18}$/.test(id);
