// What stands between a first factor and a session, for one browser: a row that knows what is still needed, dies when it is
// passed, after five tries or ten minutes, and counts only on the host where it began.

import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { AccountId, Host, PlainToken } from '../lib/ids.ts';
import { createToken, hashToken } from '../lib/token.ts';
import type { Realm } from '../realms/realms.ts';
import { type Factors, namesOf, plainCode } from './factors.ts';
import type { Challenge, CodeRefused, From, Proven, SetUp, SetUpRefused, SignedInReader } from './mfa.ts';
import * as store from './store.ts';
import { type Enrolment, presentEnrolment, stepOfCode } from './totp.ts';
import { accountTakes, sessionTakes, type Tries } from './tries.ts';

/** A challenge lives as long as somebody needs to find a phone (security: 10 minutes at most). */
export const CHALLENGE_SECONDS = 600;
/** RFC 8176 §2; a recovery code is a one-time password too. */
const OTP_AMR = ['otp'] as const;

export type Challenges = ReturnType<typeof createChallenges>;

/** The challenges of this server. */
export function createChallenges(options: { db: Database; accounts: Accounts; tries: Tries; factors: Factors }) {
  const { db, accounts, tries, factors } = options;

  /** Begins a challenge for a browser; it keeps the token as its cookie `tfa-auth`. */
  async function begin(
    q: Queryable,
    proof: { accountId: AccountId; amr: readonly string[]; host: Host; need: Challenge['need'] },
  ): Promise<PlainToken> {
    const token = createToken();
    const setupJwe = proof.need === 'setup' ? await factors.newSecret(proof.accountId) : null;
    await store.insertChallenge(q, {
      ...proof,
      tokenHash: hashToken(token),
      setupJwe,
      ttlSeconds: CHALLENGE_SECONDS,
    });
    return token;
  }

  /** The live challenge that a browser holds on a host. */
  const findChallenge = (token: PlainToken, host: Host): Promise<Challenge | null> =>
    store.findChallenge(db, hashToken(token), host);

  /** Whose challenge it is; null once the account is gone or disabled. */
  const accountOf = (challenge: Challenge): Promise<Account | null> => accounts.findById(db, challenge.accountId);

  /** What to show for the set-up that a challenge asks for; null when it asks for none. */
  async function enrolmentOf(realm: Realm, challenge: Challenge): Promise<Enrolment | null> {
    const account = await accounts.findById(db, challenge.accountId);
    const secret = challenge.setupJwe && (await factors.readSecret(challenge.accountId, challenge.setupJwe));
    return account && secret ? presentEnrolment(secret, namesOf(realm, account)) : null;
  }

  /** Sets up the factor of a challenge with a first code from it. The challenge has passed with that; `finish` ends it. */
  async function setUp(realm: Realm, challenge: Challenge, code: string, from: From): Promise<SetUp | SetUpRefused> {
    const { accountId } = challenge;
    const secret = challenge.setupJwe && (await factors.readSecret(accountId, challenge.setupJwe));
    if (!secret) return { ok: false, reason: 'over' };
    return tries.limited(accountTakes(realm, accountId), { realm, accountId, from }, async () => {
      if (!(await store.takeTry(db, challenge))) return { ok: false, reason: 'over' };
      return db.transaction(async (q): Promise<SetUp | SetUpRefused> => {
        const step = stepOfCode(secret, plainCode(code), await store.readNow(q));
        if (step === null) return tries.fail(q, { realm, accountId, from, how: 'set-up' });
        if (!(await store.turnIntoValidation(q, challenge.hash, OTP_AMR))) return { ok: false, reason: 'over' };
        return factors.addTotp(q, { realm, accountId, secret, step, from });
      });
    });
  }

  /** Ends a challenge whose factor has just been set up; the methods that it proved, null when it is over. */
  async function finish(challenge: Challenge): Promise<readonly string[] | null> {
    if (!challenge.provenAmr) return null;
    return (await store.consumeChallenge(db, challenge.hash)) ? challenge.provenAmr : null;
  }

  /** Tries a code, one-time or recovery, against a challenge; a right one ends it. */
  async function validate(realm: Realm, challenge: Challenge, code: string, from: From): Promise<Proven | CodeRefused> {
    const { accountId } = challenge;
    return tryOnce(realm, challenge, from, () =>
      db.transaction(async (q): Promise<Proven | CodeRefused> => {
        const how = await factors.accept(q, accountId, code);
        if (!how) return tries.fail(q, { realm, accountId, from, how: 'sign-in' });
        return settle(q, { realm, challenge, amr: OTP_AMR, how, from });
      }),
    );
  }

  /** Counts a try at a challenge, with a proof of any factor, before it is made. */
  async function tryOnce<Outcome extends { ok: boolean }>(
    realm: Realm,
    challenge: Challenge,
    from: From,
    work: () => Promise<Outcome>,
  ): Promise<Outcome | CodeRefused> {
    const { accountId, need } = challenge;
    if (need !== 'validation') return { ok: false, reason: 'over' };
    return tries.limited<Outcome | CodeRefused>(accountTakes(realm, accountId), { realm, accountId, from }, async () =>
      (await store.takeTry(db, challenge)) ? work() : { ok: false, reason: 'over' },
    );
  }

  /** Ends a challenge by a proof of any factor, in the transaction that used the proof up. */
  async function settle<How extends string>(
    q: Queryable,
    proof: { realm: Realm; challenge: Challenge; amr: readonly string[]; how: How; from: From },
  ): Promise<{ ok: true; amr: readonly string[]; how: How } | { ok: false; reason: 'over' }> {
    if (!(await store.consumeChallenge(q, proof.challenge.hash))) return { ok: false, reason: 'over' };
    await tries.noteUse(q, { ...proof, accountId: proof.challenge.accountId });
    return { ok: true, amr: proof.amr, how: proof.how };
  }

  /** Tries a code of a reader who is signed in already (step-up); as limited as a challenge is. */
  async function prove(realm: Realm, reader: SignedInReader, code: string, from: From): Promise<Proven | CodeRefused> {
    const { accountId } = reader;
    const takes = [...sessionTakes(reader.sessionId), ...accountTakes(realm, accountId)];
    return tries.limited(takes, { realm, accountId, from }, () =>
      db.transaction(async (q): Promise<Proven | CodeRefused> => {
        const how = await factors.accept(q, accountId, code);
        if (!how) return tries.fail(q, { realm, accountId, from, how: 'step-up' });
        await tries.noteUse(q, { realm, accountId, how, from });
        return { ok: true, amr: OTP_AMR, how };
      }),
    );
  }

  /** Ends what is pending for an account, as when its password changes. */
  const endChallenges = (q: Queryable, accountId: AccountId): Promise<void> => store.deleteChallengesOf(q, accountId);

  return {
    begin,
    findChallenge,
    accountOf,
    enrolmentOf,
    setUp,
    finish,
    validate,
    tryOnce,
    settle,
    prove,
    endChallenges,
  };
}
