// Reading the bytes of stored hashes, comparing them, and the key derivations of node:crypto, which run on its threads.

import { pbkdf2, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** Bytes of a base64 text in any of its dialects (`+/`, `-_`, passlib's `./`), with or without padding. */
export function fromBase64(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64');
}

/** Compares in constant time; nothing equals an empty digest. */
export function isSame(a: Buffer, b: Buffer): boolean {
  return a.length > 0 && a.length === b.length && timingSafeEqual(a, b);
}

export const derivePbkdf2 = promisify(pbkdf2);
export const deriveScrypt: (
  password: string,
  salt: Buffer | string,
  length: number,
  options: ScryptOptions,
) => Promise<Buffer> = promisify(scrypt);
