// Single digests with a salt, as directories (RFC 3112 and OpenLDAP's `{SSHA…}`) and old web applications keep them. They can
// be guessed by the billion; they live here only until their owner signs in once.

import { createHash } from 'node:crypto';
import { fromBase64, isSame } from './foreign_bytes.ts';
import type { Family } from './foreign_hash.ts';

const LDAP = /^\{(SSHA|SHA|SMD5|MD5|SSHA256|SHA256|SSHA512|SHA512)\}([A-Za-z0-9+/]+={0,2})$/;
const LDAP_DIGESTS: Readonly<Record<string, { digest: string; bytes: number }>> = {
  MD5: { digest: 'md5', bytes: 16 },
  SHA: { digest: 'sha1', bytes: 20 },
  SHA256: { digest: 'sha256', bytes: 32 },
  SHA512: { digest: 'sha512', bytes: 64 },
};

function readLdap(stored: string) {
  const [, scheme = '', encoded = ''] = LDAP.exec(stored) ?? [];
  const isSalted = scheme.startsWith('SS') || scheme === 'SMD5';
  const kind = LDAP_DIGESTS[isSalted ? scheme.slice(1) : scheme];
  const blob = fromBase64(encoded);
  if (!kind || (isSalted ? blob.length <= kind.bytes : blob.length !== kind.bytes)) return null;
  return { ...kind, hash: blob.subarray(0, kind.bytes), salt: blob.subarray(kind.bytes) };
}

/** The digest is followed by its salt. */
export const ldapDigest: Family = {
  name: 'ldap',
  accepts: (stored) => readLdap(stored) !== null,
  async verify(stored, password) {
    const read = readLdap(stored);
    return read !== null && isSame(createHash(read.digest).update(password).update(read.salt).digest(), read.hash);
  },
};

const hex = (digest: string, ...parts: (Buffer | string)[]): string => digestOf(digest, ...parts).toString('hex');
function digestOf(digest: string, ...parts: (Buffer | string)[]): Buffer {
  const hash = createHash(digest);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** What is digested, by the words with which an import names it. */
export const DIGEST_ORDERS = {
  password: (digest, password) => digestOf(digest, password),
  'salt+password': (digest, password, salt) => digestOf(digest, salt, password),
  'password+salt': (digest, password, salt) => digestOf(digest, password, salt),
  // vBulletin: md5(md5(password) + salt), the inner digest in lower-case hex.
  'hex(password)+salt': (digest, password, salt) => digestOf(digest, hex(digest, password), salt),
  // MyBB: md5(md5(salt) + md5(password)).
  'hex(salt)+hex(password)': (digest, password, salt) => digestOf(digest, hex(digest, salt), hex(digest, password)),
} as const satisfies Record<string, (digest: string, password: string, salt: Buffer) => Buffer>;
export type DigestOrder = keyof typeof DIGEST_ORDERS;
export const DIGESTS = ['md5', 'sha1', 'sha256', 'sha512'] as const;

const SALTED = /^\$digest\$(md5|sha1|sha256|sha512),([a-z()+]+)\$([A-Za-z0-9+/]*={0,2})\$([0-9a-f]{32,128})$/;

/** `$digest$md5,salt+password$<salt, base64>$<digest, hex>` */
export const saltedDigest: Family = {
  name: 'digest',
  accepts(stored) {
    const [, digest, order, , hash] = SALTED.exec(stored) ?? [];
    if (digest === undefined || order === undefined || hash === undefined) return false;
    return Object.hasOwn(DIGEST_ORDERS, order) && hash.length === digestOf(digest).length * 2;
  },
  async verify(stored, password) {
    const [, digest = '', order = '', salt = '', hash = ''] = SALTED.exec(stored) ?? [];
    const make = DIGEST_ORDERS[order as DigestOrder];
    return isSame(make(digest, password, Buffer.from(salt, 'base64')), Buffer.from(hash, 'hex'));
  },
};
