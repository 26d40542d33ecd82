// Verifies what the provider signs, over node:crypto alone, so that server and test share no fault of one JOSE library.

import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';

export type Jwk = Record<string, unknown> & { kid: string; alg: string; kty: string };
export type Jwks = { keys: Jwk[] };
export type Verified = { header: Record<string, unknown>; payload: Record<string, unknown> };

const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'];

/** Key hygiene (RFC 7517, security 119). @throws AssertionError */
export function checkJwks(jwks: Jwks): void {
  assert.ok(jwks.keys.length > 0, 'the set has keys');
  assert.equal(new Set(jwks.keys.map(({ kid }) => kid)).size, jwks.keys.length, 'kids differ');
  for (const key of jwks.keys) {
    for (const name of PRIVATE_PARTS) assert.ok(!(name in key), `${key.kid} carries ${name}`);
    for (const name of ['kty', 'kid', 'alg', 'use']) assert.equal(typeof key[name], 'string', `${name} is there`);
    assert.equal(key['use'], 'sig');
    assert.notEqual(key.kty, 'oct');
    for (const name of ['n', 'e', 'x', 'y'])
      if (name in key) assert.match(String(key[name]), /^[A-Za-z0-9_-]+$/, 'bare base64url');
    if (key.kty === 'RSA') {
      assert.ok(Buffer.from(String(key['n']), 'base64url').length >= 256, 'RSA keys have 2048 bits or more');
      assert.equal(key['e'], 'AQAB');
    }
    createPublicKey({ key, format: 'jwk' });
  }
}

/** The parts of a compact JWS whose signature a key of the set proves. @throws AssertionError */
export function verifyJws(token: string, jwks: Jwks): Verified {
  const [first = '', second = '', third = '', ...rest] = token.split('.');
  assert.equal(rest.length, 0, 'three parts');
  const header = JSON.parse(Buffer.from(first, 'base64url').toString('utf8'));
  const jwk = jwks.keys.find(({ kid, alg }) => kid === header.kid && alg === header.alg);
  assert.ok(jwk, `kid ${header.kid} is in the set`);
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const data = Buffer.from(`${first}.${second}`);
  const signature = Buffer.from(third, 'base64url');
  const isRight =
    header.alg === 'EdDSA'
      ? verify(null, data, key, signature)
      : verify('sha256', data, header.alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key, signature);
  assert.ok(['RS256', 'ES256', 'EdDSA'].includes(header.alg) && isRight, 'the signature is right');
  return { header, payload: JSON.parse(Buffer.from(second, 'base64url').toString('utf8')) };
}

/** OpenID Connect Core §3.1.3.6: left half of the hash that goes with the algorithm. */
export function atHash(alg: string, accessToken: string): string {
  const digest = createHash(alg === 'EdDSA' ? 'sha512' : 'sha256')
    .update(accessToken)
    .digest();
  return digest.subarray(0, digest.length / 2).toString('base64url');
}

/** The claims of a JWT without any check. */
export function peek(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
}
