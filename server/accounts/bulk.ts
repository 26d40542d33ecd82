// Many accounts at once, of people who come from another system.

import type { Queryable } from '../db/database.ts';
import type { AccountId, CanonicalEmail, RealmId } from '../lib/ids.ts';
import { findMatches, insertMany, updateMany } from './bulk_store.ts';

/** A row to be, in the spelling of its columns. */
export type AccountDraft = {
  sub: string;
  email: string | null;
  email_canonical: CanonicalEmail | null;
  username: string | null;
  username_canonical: string | null;
  name: string | null;
  first_name: string | null;
  last_name: string | null;
  phone_number: string | null;
  password_hash: string | null;
  verification_status: 'email' | null;
  metadata: Record<string, unknown> | null;
  external_id: string | null;
  is_disabled: boolean;
  /** ISO 8601; null for now. */
  created_at: string | null;
};
/** An account that has an identifier of a draft. */
export type Match = {
  sub: string;
  accountId: AccountId;
  field: 'external_id' | 'email_canonical' | 'username_canonical';
  /** Both sides have verified the same e-mail address. */
  isProven: boolean;
};
export type Outcome = { kind: 'inserted' | 'updated' } | { kind: 'exists' | 'refused'; reason: string };

const NAMES = {
  external_id: 'external id',
  email_canonical: 'e-mail address',
  username_canonical: 'user name',
} as const;

/**
 * Inserts drafts, and brings those that exist up to date where that was asked for. An account is brought up to date only when
 * it certainly is the same person: it came with that external id, or both sides have verified the address. Somebody who
 * signed up here with another's address must not be handed that other's profile.
 * @returns what became of each draft, in order
 */
export async function importAccounts(
  q: Queryable,
  realmId: RealmId,
  { drafts, mayUpdate }: { drafts: readonly AccountDraft[]; mayUpdate: boolean },
): Promise<Outcome[]> {
  const inserted = await insertMany(q, realmId, drafts);
  const others = drafts.filter((draft) => !inserted.has(draft.sub));
  if (others.length === 0) return drafts.map(() => ({ kind: 'inserted' }));
  const matches = Map.groupBy(await findMatches(q, realmId, others), ({ sub }) => sub);
  const changes = new Map<AccountId, AccountDraft & { id: AccountId }>();
  const outcomes = drafts.map((draft): Outcome => {
    if (inserted.has(draft.sub)) return { kind: 'inserted' };
    const found = matches.get(draft.sub) ?? [];
    const id = found[0]?.accountId;
    if (id === undefined)
      return { kind: 'refused', reason: 'an account with the same identifier came and went meanwhile' };
    const names = [...new Set(found.map(({ field }) => NAMES[field]))].join(' and ');
    if (!mayUpdate) return { kind: 'exists', reason: `an account has this ${names} already` };
    if (found.some(({ accountId }) => accountId !== id))
      return { kind: 'refused', reason: `${names} belong to different accounts` };
    if (!found.some(({ field, isProven }) => field === 'external_id' || isProven))
      return { kind: 'refused', reason: `an account has this ${names}, but nothing proves that it is the same person` };
    if (changes.has(id)) return { kind: 'refused', reason: 'the file names this account a second time' };
    changes.set(id, { ...draft, id });
    return { kind: 'updated' };
  });
  if (changes.size > 0) await updateMany(q, realmId, [...changes.values()]);
  return outcomes;
}
