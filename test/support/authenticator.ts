// An authenticator in software (WebAuthn L3 §6): makes keys, signs what a browser hands it, and does every single thing wrong
// that it is told to. Browser and authenticator in one, as a tampered client would be.

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';

type Algorithm = 'ES256' | 'EdDSA' | 'RS256' | 'ES384';
/** COSE algorithm identifiers (RFC 9053, RFC 8812). */
const COSE = { ES256: -7, EdDSA: -8, RS256: -257, ES384: -35 } as const;

export type Key = {
  id: Buffer;
  algorithm: Algorithm;
  privateKey: KeyObject;
  publicKey: KeyObject;
  userHandle: string;
  signCount: number;
  isSynced: boolean;
};

/** What an answer is made to say that it should not. */
export type Twist = {
  origin?: string;
  rpId?: string;
  type?: string;
  challenge?: string;
  crossOrigin?: boolean;
  isPresent?: boolean;
  isVerified?: boolean;
  signCount?: number;
  userHandle?: string | null;
  /** Bytes in the place of the authenticator data, or the attestation object. */
  garbage?: Buffer;
  /** A signature of another key. */
  signedBy?: KeyObject;
  format?: string;
  isSynced?: boolean;
  more?: object;
};

const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest();
const b64 = (data: Uint8Array) => Buffer.from(data).toString('base64url');

function makeKeyPair(algorithm: Algorithm) {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  if (algorithm === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return generateKeyPairSync('ec', { namedCurve: algorithm === 'ES256' ? 'P-256' : 'P-384' });
}

/** A key as authenticators send it (RFC 9052 §7). */
function coseOf(algorithm: Algorithm, key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' });
  const bytes = (text: unknown) => new Uint8Array(Buffer.from(String(text), 'base64url'));
  const map = new Map<number, number | Uint8Array>();
  if (algorithm === 'RS256') {
    map.set(1, 3).set(3, COSE.RS256).set(-1, bytes(jwk.n)).set(-2, bytes(jwk.e));
  } else if (algorithm === 'EdDSA') {
    map.set(1, 1).set(3, COSE.EdDSA).set(-1, 6).set(-2, bytes(jwk.x));
  } else {
    const curve = algorithm === 'ES256' ? 1 : 2;
    map.set(1, 2).set(3, COSE[algorithm]).set(-1, curve).set(-2, bytes(jwk.x)).set(-3, bytes(jwk.y));
  }
  return Buffer.from(isoCBOR.encode(map));
}

function authenticatorData(of: {
  rpId: string;
  twist: Twist;
  signCount: number;
  isSynced: boolean;
  attested?: Buffer;
}) {
  const { twist } = of;
  const isSynced = twist.isSynced ?? of.isSynced;
  const flags =
    (twist.isPresent === false ? 0 : 0x01) |
    (twist.isVerified === false ? 0 : 0x04) |
    (isSynced ? 0x18 : 0) |
    (of.attested ? 0x40 : 0);
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(twist.signCount ?? of.signCount);
  return Buffer.concat([sha256(twist.rpId ?? of.rpId), Buffer.from([flags]), counter, of.attested ?? Buffer.alloc(0)]);
}

const clientData = (type: string, challenge: string, origin: string, twist: Twist) =>
  Buffer.from(
    JSON.stringify({
      type: twist.type ?? type,
      challenge: twist.challenge ?? challenge,
      origin: twist.origin ?? origin,
      crossOrigin: twist.crossOrigin ?? false,
    }),
  );

type CreationOptions = { challenge: string; rp: { id: string }; user: { id: string } };
type RequestOptions = { challenge: string; rpId: string };

/** Makes a key for an account. @param origin of the page */
export function createKey(
  options: CreationOptions,
  origin: string,
  {
    algorithm = 'ES256' as Algorithm,
    isSynced = false,
    id = randomBytes(32),
    signCount = 0,
    ...twist
  }: Twist & {
    algorithm?: Algorithm;
    id?: Buffer;
  } = {},
) {
  const pair = makeKeyPair(algorithm);
  const key: Key = { id, algorithm, ...pair, userHandle: options.user.id, signCount, isSynced };
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length);
  const attested = Buffer.concat([Buffer.alloc(16, 7), length, id, coseOf(algorithm, pair.publicKey)]);
  const authData = authenticatorData({ rpId: options.rp.id, twist, signCount, isSynced, attested });
  const object = isoCBOR.encode(
    new Map<string, string | Uint8Array | Map<string, number>>([
      ['fmt', twist.format ?? 'none'],
      ['attStmt', new Map<string, number>()],
      ['authData', new Uint8Array(authData)],
    ]),
  );
  const response = {
    id: b64(id),
    rawId: b64(id),
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: b64(clientData('webauthn.create', options.challenge, origin, twist)),
      attestationObject: b64(twist.garbage ?? object),
      transports: ['internal', 'a-new-one'],
    },
    ...twist.more,
  };
  return { key, response };
}

/** Signs with a key. @param origin of the page */
export function useKey(key: Key, options: RequestOptions, origin: string, twist: Twist = {}) {
  const counted = key.signCount === 0 ? 0 : key.signCount + 1;
  if (twist.signCount === undefined) key.signCount = counted;
  const authData =
    twist.garbage ?? authenticatorData({ rpId: options.rpId, twist, signCount: counted, isSynced: key.isSynced });
  const json = clientData('webauthn.get', options.challenge, origin, twist);
  const digest = key.algorithm === 'EdDSA' ? null : key.algorithm === 'ES384' ? 'sha384' : 'sha256';
  const signature = sign(digest, Buffer.concat([authData, sha256(json)]), twist.signedBy ?? key.privateKey);
  const userHandle = twist.userHandle === undefined ? key.userHandle : twist.userHandle;
  return {
    id: b64(key.id),
    rawId: b64(key.id),
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: b64(json),
      authenticatorData: b64(authData),
      signature: b64(signature),
      ...(userHandle !== null && { userHandle }),
    },
    ...twist.more,
  };
}
