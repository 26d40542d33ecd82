// Refresh tokens end with the password that they were asked for with: those with offline access, which outlive sessions, and
// those of the session in which the password was changed.

import type { Queryable } from '../db/database.ts';
import type { AccountId } from '../lib/ids.ts';
import { deleteFamiliesOf } from './consent_store.ts';

/** Ends every token of an account, in the transaction that secures it (security 50). */
export const endTokens = (q: Queryable, account: { id: AccountId }): Promise<void> => deleteFamiliesOf(q, account.id);
