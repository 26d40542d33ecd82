// Signed values that the browser carries for us (RFC 7515, HS256): what is inside can be read but not changed; jose reads them. And
// encrypted values that we store and must read again ourselves (RFC 7516, A256GCM): a copy of the database gives nobody one.
// Keys derive from CAUSEWAY_SECRET by HKDF, one per purpose, so a value sealed for one use is worthless for another.
// Several secrets may be given: the first signs, all verify, so a secret can be replaced without anybody noticing.

import { createSecretKey, hkdfSync } from 'node:crypto';
import { compactDecrypt, jwtVerify } from 'jose';
import { encryptCompact, signCompact } from './compact.ts';

export type Sealer = ReturnType<typeof createSealer>;

/** 256 bits for one purpose, derived from a secret (RFC 5869). */
export function deriveKey(secret: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, 'causeway', purpose, 32));
}

/**
 * Seals and opens values for one purpose.
 * @param options secrets: newest first, at least one; purpose: a fixed name, also the `typ` of the token.
 */
export function createSealer(options: { secrets: readonly string[]; purpose: string }) {
  const keys = options.secrets.map((secret) => deriveKey(secret, options.purpose));
  const typ = `causeway-${options.purpose}+jwt`;
  if (!keys[0]) throw new Error('createSealer needs at least one secret');
  const signingKey = createSecretKey(keys[0]);

  /** A compact token holding `payload`; valid for `ttlSeconds`, or for as long as its key when that is null. */
  function seal(payload: Record<string, unknown>, ttlSeconds: number | null): Promise<string> {
    const claims = ttlSeconds === null ? payload : { ...payload, exp: Math.floor(Date.now() / 1000) + ttlSeconds };
    return signCompact({ alg: 'HS256', typ }, claims, signingKey);
  }

  /** The payload of a token that we sealed for this purpose and that has not expired; null for anything else. */
  async function open(token: string | undefined | null): Promise<Record<string, unknown> | null> {
    if (!token || token.length > 8192) return null;
    for (const key of keys) {
      // RFC 8725 §3.1: the algorithm is ours to name, never the token's.
      const verified = await jwtVerify(token, key, { algorithms: ['HS256'], typ }).catch(() => null);
      if (verified) return verified.payload;
    }
    return null;
  }

  return { seal, open };
}

export type Vault = ReturnType<typeof createVault>;

/**
 * Encrypts and decrypts what is stored for one purpose.
 * @param options secrets: newest first, at least one: it locks, all unlock; purpose: a fixed name
 */
export function createVault(options: { secrets: readonly string[]; purpose: string }) {
  const keys = options.secrets.map((secret) => deriveKey(secret, options.purpose));
  const lockingKey = keys[0];
  if (!lockingKey) throw new Error('createVault needs at least one secret');

  /** A compact JWE of a text. */
  const lock = (text: string): string => encryptCompact(text, lockingKey);

  /** The text that was locked; null when none of our secrets opens it. */
  async function unlock(jwe: string): Promise<string | null> {
    for (const key of keys) {
      const opened = await compactDecrypt(jwe, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      }).catch(() => null);
      if (opened) return new TextDecoder().decode(opened.plaintext);
    }
    return null;
  }

  return { lock, unlock };
}
