// Proof Key for Code Exchange (RFC 7636), S256 alone (RFC 9700 §2.1.1).

import { createHash } from 'node:crypto';
import { isSameHash } from '../lib/token.ts';

/** RFC 7636 §4.1, §4.2: verifier and challenge are 43 to 128 unreserved characters. */
const VALUE = /^[A-Za-z0-9._~-]{43,128}$/;

/** Why a challenge of a request cannot be taken; null when it can, or when there is none. */
export function checkChallenge(challenge: string | undefined, method: string | undefined): string | null {
  if (challenge === undefined) return method === undefined ? null : 'Send code_challenge with code_challenge_method.';
  // RFC 7636 §4.3: a missing method means plain, which is not offered.
  if (method !== 'S256') return 'Send code_challenge_method=S256.';
  return VALUE.test(challenge) ? null : 'The code_challenge must be the base64url SHA-256 of the code_verifier.';
}

/**
 * Whether a verifier answers the challenge of its code. A verifier without a challenge is refused as well: somebody took the
 * challenge out of the request (RFC 9700 §4.8.2, downgrade).
 */
export function isVerified(challenge: string | null, verifier: string | undefined): boolean {
  if (challenge === null) return verifier === undefined;
  const computed = verifier === undefined ? null : challengeOf(verifier);
  return computed !== null && isSameHash(Buffer.from(computed), Buffer.from(challenge));
}

/** RFC 7636 §4.6: the code verifier is hashed and compared with the challenge. Null for what cannot be a verifier. */
export function challengeOf(verifier: string): string | null {
  return VALUE.test(verifier) ? createHash('sha256').update(verifier).digest('base64url') : null;
}
