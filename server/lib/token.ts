// Random secrets and the hashes they are stored as. 256 bits from the system's generator: guessing is out of reach, so a
// plain SHA-256 is enough for storage (a slow hash is for secrets that people choose).

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { PlainToken, TokenHash } from './ids.ts';

const TOKEN_BYTES = 32;
const TOKEN_FORM = /^[A-Za-z0-9_-]{43}$/;

/** A new secret: 256 random bits, base64url, 43 characters. */
export function createToken(): PlainToken {
  return randomBytes(TOKEN_BYTES).toString('base64url') as PlainToken;
}

/** What a client sent, if it has the form of a token; null spares the database a look-up that can find nothing. */
export function parseToken(value: string | undefined | null): PlainToken | null {
  return value != null && TOKEN_FORM.test(value) ? (value as PlainToken) : null;
}

/** The stored form of a secret: SHA-256, 32 bytes. */
export function hashToken(token: PlainToken | string): TokenHash {
  return createHash('sha256').update(token).digest() as TokenHash;
}

/** Compares two hashes in constant time; different lengths are unequal. */
export function isSameHash(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
