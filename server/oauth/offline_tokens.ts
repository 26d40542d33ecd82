// Refresh tokens with offline access outlive sessions, but not the password that they were asked for with.

import type { Queryable } from '../db/database.ts';
import type { AccountId } from '../lib/ids.ts';
import { deleteOfflineFamiliesOf } from './consent_store.ts';

/** Ends them, in the transaction that secures an account (security 50); those of a session end with it. */
export const endOfflineTokens = (q: Queryable, account: { id: AccountId }): Promise<void> =>
  deleteOfflineFamiliesOf(q, account.id);
