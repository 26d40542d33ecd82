// PBKDF2 (RFC 8018 §5.2) as passlib and Keycloak, Django, Werkzeug and ASP.NET Identity write it down.

import { derivePbkdf2, fromBase64, isSame } from './foreign_bytes.ts';
import type { Family } from './foreign_hash.ts';

/** Some seconds of one core. */
const MOST_ITERATIONS = 3_000_000;
const LONGEST_KEY = 128;
const DIGEST = 'sha1|sha224|sha256|sha384|sha512';

type Pbkdf2 = { digest: string; iterations: number; salt: Buffer | string; key: Buffer };

function family(name: string, read: (stored: string) => Pbkdf2 | null): Family {
  return {
    name,
    accepts(stored) {
      const hash = read(stored);
      if (!hash || hash.iterations < 1 || hash.iterations > MOST_ITERATIONS) return false;
      return hash.key.length >= 16 && hash.key.length <= LONGEST_KEY;
    },
    async verify(stored, password) {
      const hash = read(stored);
      if (!hash) return false;
      return isSame(await derivePbkdf2(password, hash.salt, hash.iterations, hash.key.length, hash.digest), hash.key);
    },
  };
}

const B64 = '[A-Za-z0-9+/.]+={0,2}';
const PHC = new RegExp(`^\\$pbkdf2(?:-(${DIGEST}))?\\$(?:i=)?(\\d{1,8})(?:,l=\\d+)?\\$(${B64})\\$(${B64})$`);

/** passlib's `$pbkdf2-sha256$29000$salt$key`, and with `i=` and `l=` the form into which Keycloak's JSON is brought. */
export const phcPbkdf2 = family('pbkdf2', (stored) => {
  const [, digest = 'sha1', iterations, salt, key] = PHC.exec(stored) ?? [];
  if (salt === undefined || key === undefined) return null;
  return { digest, iterations: Number(iterations), salt: fromBase64(salt), key: fromBase64(key) };
});

const DJANGO = new RegExp(`^pbkdf2_(${DIGEST})\\$(\\d{1,8})\\$([^$]{1,128})\\$(${B64})$`);

export const djangoPbkdf2 = family('django-pbkdf2', (stored) => {
  const [, digest, iterations, salt, key] = DJANGO.exec(stored) ?? [];
  if (digest === undefined || salt === undefined || key === undefined) return null;
  return { digest, iterations: Number(iterations), salt, key: fromBase64(key) };
});

const WERKZEUG = new RegExp(`^pbkdf2:(${DIGEST}):(\\d{1,8})\\$([^$]{1,128})\\$([0-9a-f]{32,256})$`);

export const werkzeugPbkdf2 = family('werkzeug-pbkdf2', (stored) => {
  const [, digest, iterations, salt, key] = WERKZEUG.exec(stored) ?? [];
  if (digest === undefined || salt === undefined || key === undefined) return null;
  return { digest, iterations: Number(iterations), salt, key: Buffer.from(key, 'hex') };
});

const ASPNET = /^\$aspnet\$([A-Za-z0-9+/]{60,400}={0,2})$/;
// KeyDerivationPrf of ASP.NET, by its number.
const PRF: readonly string[] = ['sha1', 'sha256', 'sha512'];

/**
 * ASP.NET Identity: version 2 is 00 · salt(16) · key(32) with SHA-1 and 1000 rounds; version 3 is 01 · PRF · iterations ·
 * length of the salt (each 32 bits, big endian) · salt · key.
 */
export const aspnet = family('aspnet-identity', (stored) => {
  const blob = Buffer.from(ASPNET.exec(stored)?.[1] ?? '', 'base64');
  if (blob[0] === 0 && blob.length === 49)
    return { digest: 'sha1', iterations: 1000, salt: blob.subarray(1, 17), key: blob.subarray(17) };
  if (blob[0] !== 1 || blob.length < 13 + 16 + 16) return null;
  const digest = PRF[blob.readUInt32BE(1)];
  const saltEnd = 13 + blob.readUInt32BE(9);
  if (digest === undefined || saltEnd < 13 + 8 || saltEnd >= blob.length) return null;
  return { digest, iterations: blob.readUInt32BE(5), salt: blob.subarray(13, saltEnd), key: blob.subarray(saltEnd) };
});
