// Second factors of accounts and what stands between a first factor and a session. A passkey is one more kind of factor: it
// adds its rows to `factorsOf`, and its proof goes through `settle` like a code's.

import type { Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import type { AccountId, Host, SessionId, TokenHash } from '../lib/ids.ts';
import type { Messages } from '../messages/messages.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { Realm } from '../realms/realms.ts';
import { createChallenges } from './challenges.ts';
import { createFactors } from './factors.ts';
import { deleteExpiredCeremonies } from './passkey_store.ts';
import { createPasskeys } from './passkeys.ts';
import { isMultiFactor } from './step_up.ts';
import * as store from './store.ts';
import { createTries } from './tries.ts';

export { CHALLENGE_SECONDS } from './challenges.ts';
export {
  CEREMONY_SECONDS,
  type Given,
  type Passkey,
  type PasskeyAdded,
  type PasskeyRefused,
  type Place,
} from './passkeys.ts';
export { RECOVERY_CODE_COUNT } from './recovery_codes.ts';
export { listRelatedOrigins, MOST_LABELS, warnOfUnserved } from './related_origins.ts';
export { ACR, acrAnswer, acrOf, isMultiFactor, stepUpNeed, withSecondFactor } from './step_up.ts';
export type { Enrolment } from './totp.ts';

/** A second factor; `id` is unique among those of its account and kind. */
export type Factor = { kind: 'totp' | 'passkey'; id: string; createdAt: Date; lastUsedAt: Date | null };

/** A browser that has proved the first factor, on the host where it did, and not yet the second. */
export type Challenge = {
  hash: TokenHash;
  accountId: AccountId;
  host: Host;
  need: 'setup' | 'validation';
  /** Of the first factor. */
  amr: readonly string[];
  setupJwe: string | null;
  /** Of a factor that was set up in this challenge, and with that proven. */
  provenAmr: readonly string[] | null;
};

/** Where something came from, for the audit log; locale: of the reader, for a letter about it (the realm's where there is none). */
export type From = { address: string | null; sessionId?: SessionId | null; locale?: string };
export type Proven = { ok: true; amr: readonly string[]; how: 'totp' | 'recovery-code' };
export type Throttled = { ok: false; reason: 'throttled'; retryAfterSeconds: number };
export type CodeRefused =
  | { ok: false; reason: 'wrong' }
  /** The challenge has expired, was used or has no tries left: the first factor has to be proven again. */
  | { ok: false; reason: 'over' }
  | Throttled;
export type SetUp = { ok: true; recoveryCodes: readonly string[] };
export type SetUpRefused = CodeRefused | { ok: false; reason: 'has-one' };
/** A reader who is signed in. */
export type SignedInReader = { accountId: AccountId; sessionId: SessionId };

export type Mfa = ReturnType<typeof createMfa>;

/** The second factors of this server. @param options secrets: key material, newest first */
export function createMfa(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  accounts: Accounts;
  messages: Pick<Messages, 'send' | 'canReach'>;
  secrets: readonly string[];
  /** Whether an account is connected with another provider, through which it could sign in without a passkey. */
  hasIdentity: (q: Queryable, id: AccountId) => Promise<boolean>;
}) {
  const { db, audit, rateLimits, accounts, messages, hasIdentity } = options;
  const tries = createTries({ db, audit, rateLimits });
  const factors = createFactors({ db, audit, accounts, messages, tries, secrets: options.secrets });
  const challenges = createChallenges({ db, accounts, tries, factors });
  const passkeys = createPasskeys({
    db,
    audit,
    rateLimits,
    accounts,
    tries,
    factors,
    challenges,
    messages,
    hasIdentity,
  });

  /** What still stands between a proof and a session; null when nothing. */
  async function needAfter(
    q: Queryable,
    realm: Realm,
    proof: { accountId: AccountId; amr: readonly string[] },
  ): Promise<Challenge['need'] | null> {
    if (isMultiFactor(proof.amr)) return null;
    if ((await store.listFactors(q, proof.accountId)).length > 0) return 'validation';
    return realm.settings.second_factor === 'required' ? 'setup' : null;
  }

  const jobs: readonly Job[] = [
    { name: 'mfa.sweep', everySeconds: 300, run: store.deleteExpired },
    { name: 'mfa.sweep_ceremonies', everySeconds: 300, run: deleteExpiredCeremonies },
  ];

  return { ...factors.ofAccount, ...challenges, passkeys, needAfter, jobs };
}
