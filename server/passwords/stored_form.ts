// The one form of each foreign hash under which it is stored, from what an export of another system gives: many write hash,
// salt and parameters in places of their own. What comes out is accepted by a family or is nothing.

import { z } from 'zod';
import { DIGEST_ORDERS, DIGESTS, type DigestOrder } from './foreign_digest.ts';
import { findFamily } from './foreign_hash.ts';

const encoding = z.enum(['base64', 'hex', 'utf8'], { error: 'write base64, hex or utf8' });
const count = (most: number) => z.int({ error: 'write a whole number' }).min(1).max(most);
const base64 = z.string().regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'write base64, as the other system shows it');

/** What a file of hash parameters may say; for hashes that carry their own, none is needed. */
export const hashParametersSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('firebase-scrypt'),
    signer_key: base64.min(1),
    salt_separator: base64,
    rounds: count(16),
    mem_cost: count(20),
  }),
  z.strictObject({
    kind: z.literal('digest'),
    algorithm: z.enum(DIGESTS),
    order: z.enum(Object.keys(DIGEST_ORDERS) as DigestOrder[]),
    salt_encoding: encoding.default('utf8'),
    hash_encoding: encoding.exclude(['utf8']).default('hex'),
  }),
  z.strictObject({
    kind: z.literal('pbkdf2'),
    algorithm: z.enum(['sha1', 'sha224', 'sha256', 'sha384', 'sha512']),
    iterations: count(3_000_000),
    salt_encoding: encoding.default('base64'),
    hash_encoding: encoding.exclude(['utf8']).default('base64'),
  }),
  z.strictObject({
    kind: z.literal('scrypt'),
    ln: count(20),
    r: count(64),
    p: count(16),
    salt_encoding: encoding.default('base64'),
    hash_encoding: encoding.exclude(['utf8']).default('base64'),
  }),
]);
export type HashParameters = z.infer<typeof hashParametersSchema>;

/** The stored form of a foreign hash; null when it is of no family that we verify, or beyond what that may cost. */
export function toStoredHash(
  given: { hash: string; salt: string | null },
  parameters: HashParameters | null,
): string | null {
  const written = parameters ? join(given, parameters) : unwrap(given.hash.trim());
  return written !== null && findFamily(written) ? written : null;
}

/** Hashes that say themselves what they are, out of the wrappings of their systems. */
function unwrap(hash: string): string {
  // Django names the algorithm in front of a hash that does so itself.
  const django = /^(?:argon2(?=\$argon2)|bcrypt\$(?=\$2))/.exec(hash);
  if (django) return hash.slice(django[0].length);
  return /^[A-Za-z0-9+/]{60,400}={0,2}$/.test(hash) ? `$aspnet$${hash}` : hash;
}

const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
const toBase64 = (text: string) => unpadded(Buffer.from(text, 'base64'));

function join(given: { hash: string; salt: string | null }, parameters: HashParameters): string | null {
  const hash = given.hash.trim();
  const salt = given.salt ?? '';
  if (hash === '') return null;
  switch (parameters.kind) {
    case 'firebase-scrypt': {
      const { mem_cost, rounds, signer_key, salt_separator } = parameters;
      const project = `${toBase64(salt_separator)}$${toBase64(signer_key)}`;
      return `$firebase-scrypt$ln=${mem_cost},r=${rounds}$${toBase64(salt)}$${project}$${toBase64(hash)}`;
    }
    case 'digest': {
      const { algorithm, order, salt_encoding, hash_encoding } = parameters;
      const digest = Buffer.from(hash, hash_encoding).toString('hex');
      return `$digest$${algorithm},${order}$${Buffer.from(salt, salt_encoding).toString('base64')}$${digest}`;
    }
    case 'pbkdf2':
      return `$pbkdf2-${parameters.algorithm}$i=${parameters.iterations}$${bytesOf(parameters, salt, hash)}`;
    case 'scrypt':
      return `$scrypt$ln=${parameters.ln},r=${parameters.r},p=${parameters.p}$${bytesOf(parameters, salt, hash)}`;
    default:
      return parameters satisfies never;
  }
}

type Encodings = { salt_encoding: 'base64' | 'hex' | 'utf8'; hash_encoding: 'base64' | 'hex' };
const bytesOf = (encodings: Encodings, salt: string, hash: string) =>
  `${unpadded(Buffer.from(salt, encodings.salt_encoding))}$${unpadded(Buffer.from(hash, encodings.hash_encoding))}`;
