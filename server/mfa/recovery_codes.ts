// Recovery codes: ten, 80 random bits each, for the day when the phone is gone. So random that a plain hash keeps them
// (a slow one is for what people choose); each works once.

import { randomBytes } from 'node:crypto';
import type { TokenHash } from '../lib/ids.ts';
import { hashToken } from '../lib/token.ts';

export const RECOVERY_CODE_COUNT = 10;
/** Crockford's base32: no letter that is mistaken for a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 16;

/** Ten new codes as they are shown, `XXXX-XXXX-XXXX-XXXX`. */
export function createRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODE_COUNT }, () => {
    // 32 letters divide 256 evenly: no letter is likelier than another.
    const letters = [...randomBytes(LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
    return (letters.match(/.{4}/g) ?? []).join('-');
  });
}

/** The stored form of what somebody typed, spaces, hyphens and small letters forgiven; null when it can be no code. */
export function hashRecoveryCode(typed: string): TokenHash | null {
  const plain = typed
    .toUpperCase()
    .replace(/[\s\p{Pd}]/gu, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  return plain.length === LENGTH && [...plain].every((letter) => ALPHABET.includes(letter)) ? hashToken(plain) : null;
}
