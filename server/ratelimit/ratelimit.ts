// Limits on tries, counted in PostgreSQL and so shared by all nodes: one atomic upsert per count, one round trip for all of a try.
// docs/limits.md is generated from the table of policies.

import type { Database } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import { deleteExpiredCounters, giveBackLimits, takeLimits } from './store.ts';

export { takeValues, toTaken } from './store.ts';

/** Every policy: what is counted, by what, and where the number comes from. */
export const POLICIES = {
  'sign-in-account':
    'Wrong passwords per account, browsers that never signed in to it (realm setting sign_in_per_account).',
  'sign-in-device': 'Wrong passwords per account and browser that signed in to it before (sign_in_per_device).',
  'sign-in-address': 'Wrong passwords per address (sign_in_per_address).',
  'sign-in-realm': 'Wrong passwords per realm (sign_in_per_realm).',
  'client-authentication': 'Failed client authentications per address (300 in 5 minutes).',
  'upstream-address': 'Sign-ins begun with another provider per address (sign_in_per_address).',
  'code-recipient': 'Codes and links for one recipient that one address asks for (codes_per_recipient).',
  'code-try-address': 'Wrong one-time codes per address (code_tries_per_address).',
  'second-factor-account':
    'Wrong codes of a second factor per account, over all sign-ins (realm setting second_factor_per_account); each sign-in has 5 tries of its own.',
  'second-factor-session': 'Codes of a second factor tried by a session that is signed in already (5 in 10 minutes).',
  'passkey-address': 'Passkey ceremonies begun per address (600 in 5 minutes).',
  'sign-up-address': 'Accounts made per address (sign_up_per_address).',
  'message-recipient': 'E-mails and text messages per recipient (messages_per_recipient).',
  'message-address': 'E-mails and text messages per address that asks for them (messages_per_address).',
} as const;

export type Policy = keyof typeof POLICIES;
export type Take = { policy: Policy; key: string; points: number; seconds: number };
export type Taken = { isAllowed: true } | { isAllowed: false; policy: Policy; retryAfterSeconds: number };

export type RateLimits = ReturnType<typeof createRateLimits>;

/** The counters of this server. */
export function createRateLimits({ db }: { db: Database }) {
  /**
   * Counts one try against each limit in turn, before the try is made, so that parallel tries cannot slip past. Stops at the
   * first that refuses: what is refused by a narrow limit must not use up a wide one, or a stranger could close it for all.
   * @param takes narrowest first
   */
  const take = (takes: readonly Take[]): Promise<Taken> => takeLimits(db, takes);

  /** Takes a count back: the try turned out to be a rightful one. @param takes in the order in which they were taken */
  const giveBack = (takes: readonly Take[]): Promise<void> => giveBackLimits(db, takes);

  const jobs: readonly Job[] = [{ name: 'ratelimit.sweep', everySeconds: 600, run: deleteExpiredCounters }];

  return { take, giveBack, jobs };
}
