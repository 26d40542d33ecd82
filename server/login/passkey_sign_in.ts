// Signing in with a passkey: alone, as the second factor, or once more by a reader who is signed in. What a passkey proves
// ends where every way in ends (complete.ts).

import type { SignedIn } from '../accounts/accounts.ts';
import {
  type Challenge,
  type CodeRefused,
  type Given,
  isMultiFactor,
  type Mfa,
  type PasskeyRefused,
  type Place,
  withSecondFactor,
} from '../mfa/mfa.ts';
import type { Attempt, Completed, Proof } from './complete.ts';

/** What a passkey leads to. */
export function createPasskeySignIn(options: {
  mfa: Mfa;
  complete: (attempt: Attempt, proof: Proof) => Promise<Completed>;
}) {
  const { complete } = options;
  const { passkeys } = options.mfa;

  /** Signs in with a passkey alone. */
  async function signInWithPasskey(attempt: Attempt, place: Place, given: Given): Promise<Completed | PasskeyRefused> {
    const proven = await passkeys.proveSignIn(place, given);
    return proven.ok ? complete(attempt, proven) : proven;
  }

  /** Signs in with a passkey after a first factor. */
  async function passWithPasskey(
    attempt: Attempt,
    challenge: Challenge,
    of: { place: Place; given: Given },
  ): Promise<Completed | CodeRefused> {
    const proven = await passkeys.passChallenge(of.place, challenge, of.given);
    if (!proven.ok) return proven;
    return complete(attempt, {
      accountId: challenge.accountId,
      amr: withSecondFactor(challenge.amr, proven.amr),
    });
  }

  /** Renews the session of a signed-in reader by a passkey; together with another factor, or a verified person, it raises it. */
  async function confirmWithPasskey(
    attempt: Attempt,
    { session }: SignedIn,
    of: { place: Place; given: Given },
  ): Promise<Completed | PasskeyRefused> {
    const reader = { accountId: session.accountId, sessionId: session.id };
    const proven = await passkeys.reauthenticate(of.place, reader, of.given);
    if (!proven.ok) return proven;
    // One passkey that is touched twice is still one factor.
    const isOther = isMultiFactor(proven.amr) || session.amr.some((method) => !proven.amr.includes(method));
    const amr = isOther ? withSecondFactor(session.amr, proven.amr) : proven.amr;
    return complete(attempt, { accountId: session.accountId, amr });
  }

  /** The same for a reader who has just made a passkey, and with that proven it. */
  const raiseWithPasskey = (attempt: Attempt, { session }: SignedIn, amr: readonly string[]): Promise<Completed> =>
    complete(attempt, { accountId: session.accountId, amr: withSecondFactor(session.amr, amr) });

  return { signInWithPasskey, passWithPasskey, confirmWithPasskey, raiseWithPasskey };
}
