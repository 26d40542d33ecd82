// The second half of a sign-in: a right code, or a factor that was just set up, turns what was proven into a session; and the
// same for a reader who is signed in with one factor and is asked for the other.

import type { SignedIn } from '../accounts/accounts.ts';
import { type Challenge, type CodeRefused, type Mfa, withSecondFactor } from '../mfa/mfa.ts';
import type { Attempt, Completed, Proof } from './complete.ts';

/** What follows a first factor. */
export function createSecondFactor(options: {
  mfa: Mfa;
  complete: (attempt: Attempt, proof: Proof) => Promise<Completed>;
}) {
  const { mfa, complete } = options;

  /** Signs in with a code after the first factor. */
  async function passSecondFactor(
    attempt: Attempt,
    challenge: Challenge,
    code: string,
  ): Promise<Completed | CodeRefused> {
    const proven = await mfa.validate(attempt.realm, challenge, code, { address: attempt.address });
    if (!proven.ok) return proven;
    return complete(attempt, proofOf(challenge, proven.amr));
  }

  /** Signs in with the factor that this challenge has just set up; its codes have been saved. */
  async function finishSetUp(attempt: Attempt, challenge: Challenge): Promise<Completed | CodeRefused> {
    const amr = await mfa.finish(challenge);
    return amr ? complete(attempt, proofOf(challenge, amr)) : { ok: false, reason: 'over' };
  }

  /** Raises the session of a signed-in reader by a code: a new token, a new time, both factors in `amr` (security 45). */
  async function stepUp(attempt: Attempt, signedIn: SignedIn, code: string): Promise<Completed | CodeRefused> {
    const { id: sessionId, accountId, amr } = signedIn.session;
    const from = { address: attempt.address, sessionId };
    const proven = await mfa.prove(attempt.realm, { accountId, sessionId }, code, from);
    return proven.ok ? complete(attempt, { accountId, amr: withSecondFactor(amr, proven.amr) }) : proven;
  }

  /** The same for a reader who has just added a factor with a code from it. */
  const raiseAfterSetUp = (attempt: Attempt, { session }: SignedIn): Promise<Completed> =>
    complete(attempt, { accountId: session.accountId, amr: withSecondFactor(session.amr, ['otp']) });

  return { passSecondFactor, finishSetUp, stepUp, raiseAfterSetUp };
}

const proofOf = (challenge: Challenge, amr: readonly string[]): Proof => ({
  accountId: challenge.accountId,
  amr: withSecondFactor(challenge.amr, amr),
});
