// Limits on tries, counted in PostgreSQL and so shared by all nodes (rate-limiter-flexible; one atomic upsert per count).
// docs/limits.md is generated from the table of policies.

import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { Database } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import { deleteExpiredCounters } from './store.ts';

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
export function createRateLimits(options: { db: Database }) {
  const limiters = new Map<string, RateLimiterPostgres>();

  function limiterFor(take: Take): RateLimiterPostgres {
    const name = `${take.policy}:${take.points}:${take.seconds}`;
    const known = limiters.get(name);
    if (known) return known;
    const limiter = new RateLimiterPostgres({
      storeClient: options.db.builder,
      storeType: 'knex',
      tableName: 'rate_limits',
      tableCreated: true,
      clearExpiredByTimeout: false,
      keyPrefix: take.policy,
      points: take.points,
      duration: take.seconds,
    });
    limiters.set(name, limiter);
    return limiter;
  }

  async function takeOne(take: Take): Promise<Taken> {
    try {
      await limiterFor(take).consume(take.key);
      return { isAllowed: true };
    } catch (outcome) {
      if (!(outcome instanceof RateLimiterRes)) throw outcome;
      return { isAllowed: false, policy: take.policy, retryAfterSeconds: outcome.msBeforeNext / 1000 };
    }
  }

  /**
   * Counts one try against each limit in turn, before the try is made, so that parallel tries cannot slip past. Stops at the
   * first that refuses: what is refused by a narrow limit must not use up a wide one, or a stranger could close it for all.
   * @param takes narrowest first
   */
  async function take(takes: readonly Take[]): Promise<Taken> {
    for (const one of takes) {
      const taken = await takeOne(one);
      if (!taken.isAllowed) return taken;
    }
    return { isAllowed: true };
  }

  /** Takes a count back: the try turned out to be a rightful one. */
  async function giveBack(takes: readonly Take[]): Promise<void> {
    await Promise.all(takes.map((one) => limiterFor(one).reward(one.key)));
  }

  const jobs: readonly Job[] = [{ name: 'ratelimit.sweep', everySeconds: 600, run: deleteExpiredCounters }];

  return { take, giveBack, jobs };
}
