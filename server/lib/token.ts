// Random secrets and the hashes they are stored as. 256 bits from the system's generator: guessing is out of reach, so a
// plain SHA-256 is enough for storage (a slow hash is for secrets that people choose).

import { hash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { PlainToken, TokenHash } from './ids.ts';
import { createRandomTexts } from './random.ts';

const TOKEN_BYTES = 32;
const TOKEN_FORM = /^[A-Za-z0-9_-]{43}$/;
/** CRC-32 in base64url. */
const CHECKSUM_LENGTH = 6;

const randomText = createRandomTexts(TOKEN_BYTES);

/** A new secret: 256 random bits, base64url, 43 characters. */
export const createToken = (): PlainToken => randomText() as PlainToken;

/** What a client sent, if it has the form of a token; null spares the database a look-up that can find nothing. */
export function parseToken(value: string | undefined | null): PlainToken | null {
  return value != null && TOKEN_FORM.test(value) ? (value as PlainToken) : null;
}

/** What a secret that is handed to developers is for: access, refresh and initial access token, client secret, API key. */
export type TokenTag = 'cwa' | 'cwr' | 'cwi' | 'cws' | 'cwk';

/**
 * A new secret for developers: its tag, by which scanners of source code know a leaked one, 256 random bits, and a checksum,
 * by which both scanners and we tell a made-up one without a look-up.
 */
export function createTaggedToken(tag: TokenTag): string {
  const random = createToken();
  return `${tag}_${random}${checksum(tag, random)}`;
}

/** Whether a text has the form of a secret with that tag, its checksum included. */
export function isTaggedToken(tag: TokenTag, value: string): boolean {
  if (!value.startsWith(`${tag}_`)) return false;
  const [random, check] = [value.slice(tag.length + 1, -CHECKSUM_LENGTH), value.slice(-CHECKSUM_LENGTH)];
  return TOKEN_FORM.test(random) && check === checksum(tag, random);
}

/** The four bytes in base64url, without a buffer for them. */
function checksum(tag: TokenTag, random: string): string {
  const sum = crc32(`${tag}_${random}`);
  const high = sum >>> 14;
  const low = (sum << 4) & 0x3ffff;
  return letter(high >>> 12) + letter(high >>> 6) + letter(high) + letter(low >>> 12) + letter(low >>> 6) + letter(low);
}
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const letter = (bits: number): string => BASE64URL.charAt(bits & 63);

/** The stored form of a secret: SHA-256, 32 bytes. */
export function hashToken(token: PlainToken | string): TokenHash {
  // Asked for as a buffer, each would get memory of its own outside the heap: that costs twice the hash.
  return Buffer.from(hash('sha256', token, 'binary'), 'latin1') as TokenHash;
}

/** Compares two hashes in constant time; different lengths are unequal. */
export function isSameHash(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
