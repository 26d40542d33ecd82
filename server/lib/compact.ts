// The compact forms of JOSE as we write them: signed (RFC 7515 §7.1) and encrypted (RFC 7516 §7.1). jose reads all of them. It would
// write them by WebCrypto, whose work waits in the queue of the pool that hashes passwords, and costs several times as much.

import { createCipheriv, createHmac, createSecretKey, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { createRandomBytes } from './random.ts';

const createIv = createRandomBytes(12);
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const ENCRYPTED_HEADER = encoded({ alg: 'dir', enc: 'A256GCM' });
const signInPool = promisify(sign);

/** RFC 7515 §5.1: signs claims. @param header has `alg`: one of those here, for which the key is; typ and kid */
export async function signCompact(
  header: { alg: 'HS256' | 'ES256' | 'EdDSA' | 'RS256'; typ: string; kid?: string },
  payload: object,
  key: KeyObject,
): Promise<string> {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${(await signatureOf(header.alg, input, key)).toString('base64url')}`;
}

function signatureOf(alg: string, input: string, key: KeyObject): Buffer | Promise<Buffer> {
  const bytes = Buffer.from(input);
  switch (alg) {
    case 'HS256':
      return createHmac('sha256', key).update(bytes).digest();
    case 'ES256':
      // Asked for in JOSE's own form (`dsaEncoding`), it costs Node more than twice as much.
      return joinNumbers(sign('sha256', bytes, key), 32);
    case 'EdDSA':
      return sign(null, bytes, key);
    case 'RS256':
      // Half a millisecond, ten times as much as the others: not while everybody waits.
      return signInPool('sha256', bytes, key);
    default:
      throw new Error(`nothing signs by ${alg}`);
  }
}

/** RFC 7518 §3.4: the two numbers of a signature one after the other, each so many bytes long, as ASN.1 does not have them. */
function joinNumbers(asn1: Buffer, length: number): Buffer {
  const joined = Buffer.alloc(2 * length);
  // A sequence of two integers; below 128 bytes each length is one byte.
  let at = 2;
  for (const end of [length, 2 * length]) {
    const from = at + 2;
    at = from + (asn1[at + 1] ?? 0);
    // A zero in front keeps an integer positive; zeros that an integer begins with are left out.
    const first = Math.max(from, at - length);
    asn1.copy(joined, end - (at - first), first, at);
  }
  return joined;
}

/** RFC 7516 §5.1, direct encryption (RFC 7518 §4.5) with AES-256-GCM. @param key 256 bits */
export function encryptCompact(text: string, key: Uint8Array): string {
  // RFC 7518 §5.3: the initialization vector MUST have 96 bits, the tag 128.
  const iv = createIv();
  // Bytes instead of a key object cost Node four times as much.
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), iv);
  cipher.setAAD(Buffer.from(ENCRYPTED_HEADER, 'ascii'));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const parts = [iv, ciphertext, cipher.getAuthTag()].map((part) => part.toString('base64url'));
  return [ENCRYPTED_HEADER, '', ...parts].join('.');
}
