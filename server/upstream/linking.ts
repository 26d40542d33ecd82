// Which account somebody becomes whom a provider has vouched for: pure, the whole table is in the tests (security 151, 161).

import type { AccountId } from '../lib/ids.ts';

export type LinkingFacts = {
  /** The account that this very subject of the provider belongs to. */
  linked: AccountId | null;
  /** Whether the provider has proven the e-mail address; null when it gave none. */
  isEmailProven: boolean | null;
  /** The account that has the address here. */
  local: { id: AccountId; isEmailVerified: boolean } | null;
  /** Who is signed in and asked for the connection; null for a sign-in. */
  linkTo: AccountId | null;
  signUp: 'open' | 'closed';
};

export type LinkingDecision =
  | { kind: 'sign-in'; accountId: AccountId }
  /** Connects, then signs in. */
  | { kind: 'connect'; accountId: AccountId }
  /** The address was never verified here, so whoever made the account may be a stranger: the rightful owner takes it over. */
  | { kind: 'reclaim'; accountId: AccountId }
  | { kind: 'create' }
  | { kind: 'refuse'; reason: 'sign-in-first' | 'sign-up-closed' | 'taken' };

export function decideLinking(facts: LinkingFacts): LinkingDecision {
  const { linked, local, linkTo } = facts;
  if (linkTo !== null) {
    if (linked === null) return { kind: 'connect', accountId: linkTo };
    return linked === linkTo ? { kind: 'sign-in', accountId: linked } : { kind: 'refuse', reason: 'taken' };
  }
  if (linked !== null) return { kind: 'sign-in', accountId: linked };
  if (local === null)
    return facts.signUp === 'open' ? { kind: 'create' } : { kind: 'refuse', reason: 'sign-up-closed' };
  if (facts.isEmailProven !== true) return { kind: 'refuse', reason: 'sign-in-first' };
  return { kind: local.isEmailVerified ? 'connect' : 'reclaim', accountId: local.id };
}
