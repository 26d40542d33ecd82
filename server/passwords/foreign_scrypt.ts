// scrypt (RFC 7914) as passlib, Werkzeug, Django and Firebase write it down. Firebase encrypts its signer key with what scrypt
// makes of the password and keeps the result.

import { createCipheriv } from 'node:crypto';
import { deriveScrypt, fromBase64, isSame } from './foreign_bytes.ts';
import type { Family } from './foreign_hash.ts';

const MOST_MEMORY_BYTES = 256 * 1024 * 1024;
const MOST_LANES = 16;

type Costs = { N: number; r: number; p: number };
type Scrypt = Costs & { salt: Buffer | string; key: Buffer };

const memoryOf = ({ N, r, p }: Costs) => 128 * r * (N + p);
const isBounded = (costs: Costs) =>
  costs.N > 1 &&
  Number.isInteger(Math.log2(costs.N)) &&
  costs.r >= 1 &&
  costs.p >= 1 &&
  costs.p <= MOST_LANES &&
  memoryOf(costs) <= MOST_MEMORY_BYTES;
const derive = (password: string, { salt, ...costs }: Costs & { salt: Buffer | string }, length: number) =>
  deriveScrypt(password, salt, length, { N: costs.N, r: costs.r, p: costs.p, maxmem: memoryOf(costs) + 1024 * 1024 });

function family(name: string, read: (stored: string) => Scrypt | null): Family {
  return {
    name,
    accepts(stored) {
      const hash = read(stored);
      return hash !== null && isBounded(hash) && hash.key.length >= 16 && hash.key.length <= 128;
    },
    async verify(stored, password) {
      const hash = read(stored);
      return hash !== null && isSame(await derive(password, hash, hash.key.length), hash.key);
    },
  };
}

const B64 = '[A-Za-z0-9+/.]+={0,2}';
const PHC = new RegExp(`^\\$scrypt\\$ln=(\\d{1,2}),r=(\\d{1,3}),p=(\\d{1,2})\\$(${B64})\\$(${B64})$`);

export const phcScrypt = family('scrypt', (stored) => {
  const [, ln, r, p, salt, key] = PHC.exec(stored) ?? [];
  if (salt === undefined || key === undefined) return null;
  return { N: 2 ** Number(ln), r: Number(r), p: Number(p), salt: fromBase64(salt), key: fromBase64(key) };
});

const WERKZEUG = /^scrypt:(\d{1,8}):(\d{1,3}):(\d{1,2})\$([^$]{1,128})\$([0-9a-f]{32,256})$/;

export const werkzeugScrypt = family('werkzeug-scrypt', (stored) => {
  const [, N, r, p, salt, key] = WERKZEUG.exec(stored) ?? [];
  if (salt === undefined || key === undefined) return null;
  return { N: Number(N), r: Number(r), p: Number(p), salt, key: Buffer.from(key, 'hex') };
});

const DJANGO = new RegExp(`^scrypt\\$(\\d{1,8})\\$([^$]{1,128})\\$(\\d{1,3})\\$(\\d{1,2})\\$(${B64})$`);

export const djangoScrypt = family('django-scrypt', (stored) => {
  const [, N, salt, r, p, key] = DJANGO.exec(stored) ?? [];
  if (salt === undefined || key === undefined) return null;
  return { N: Number(N), r: Number(r), p: Number(p), salt, key: fromBase64(key) };
});

const FIREBASE = new RegExp(
  `^\\$firebase-scrypt\\$ln=(\\d{1,2}),r=(\\d{1,2})\\$(${B64})\\$((?:${B64})?)\\$(${B64})\\$(${B64})$`,
);

/** Firebase Authentication: parameters of the project (memory cost, rounds, salt separator, signer key) with every hash. */
export const firebaseScrypt: Family = {
  name: 'firebase-scrypt',
  accepts(stored) {
    const [, ln, r, , , signer] = FIREBASE.exec(stored) ?? [];
    return signer !== undefined && isBounded({ N: 2 ** Number(ln), r: Number(r), p: 1 });
  },
  async verify(stored, password) {
    const [, ln, r, salt = '', separator = '', signer = '', hash = ''] = FIREBASE.exec(stored) ?? [];
    const salted = Buffer.concat([fromBase64(salt), fromBase64(separator)]);
    const key = await derive(password, { N: 2 ** Number(ln), r: Number(r), p: 1, salt: salted }, 32);
    const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
    return isSame(Buffer.concat([cipher.update(fromBase64(signer)), cipher.final()]), fromBase64(hash));
  },
};
