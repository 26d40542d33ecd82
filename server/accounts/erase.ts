// Erasing an account (security 157, 206): its personal data is gone, every session ends, its owner is told.

import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import type { Messages } from '../messages/messages.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { SignedIn } from './accounts.ts';
import * as store from './store.ts';

export type Erasure = ReturnType<typeof createErasure>;

export function createErasure(options: { db: Database; audit: Audit; sessions: Sessions; messages: Messages }) {
  const { db, audit, sessions, messages } = options;

  /** Erases an account; its `sub` is never used again (OpenID Connect Core §8). Whoever calls has made sure of a recent sign-in. */
  async function erase({ account }: SignedIn, from: { address: string | null; locale: string }): Promise<void> {
    const { id: accountId, realmId, email } = account;
    const { address } = from;
    await db.transaction(async (q) => {
      await sessions.revokeAllOf(q, { realmId, accountId }, { reason: 'account-deleted', address });
      await store.deleteAccount(q, accountId);
      await audit.record(q, { type: 'account.deleted', realmId, accountId, address });
      if (email === null) return;
      await messages.send(q, {
        realmId,
        to: { kind: 'email', address: email },
        template: 'account-deleted',
        locale: from.locale,
        values: { time: Date.now() },
        expiresInSeconds: null,
      });
    });
  }

  return { erase };
}
