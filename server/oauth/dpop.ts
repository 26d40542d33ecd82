// Demonstrating proof of possession (RFC 9449): a token bound to a key of the client is worth nothing without that key.

import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify } from 'jose';
import { oauthError } from './oauth_error.ts';

const ALGS = ['ES256', 'EdDSA', 'RS256', 'PS256', 'ES384', 'ES512'];
const WINDOW_SECONDS = 60;

export const DPOP_ALGS: readonly string[] = ALGS;

/**
 * The thumbprint of the key that a proof shows.
 * @param proof the DPoP header; request: method and URL without query; accessToken: for a resource request, whose hash it must carry
 * @throws OAuth error invalid_dpop_proof
 */
export async function checkDpopProof(
  proof: string,
  request: { method: string; url: string; accessToken?: string },
  takeOnce: (identifier: string, seconds: number) => Promise<boolean>,
): Promise<string> {
  const fail = (description: string) => oauthError('invalid_dpop_proof', { description });
  if (proof.length > 8192) throw fail('The proof is too long.');
  const verified = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: ALGS,
    requiredClaims: ['jti', 'htm', 'htu', 'iat'],
  }).catch(() => null);
  if (!verified) throw fail('The proof is not a valid JWT of type dpop+jwt with its public key.');
  const { payload, protectedHeader } = verified;
  const jwk = protectedHeader.jwk as JWK;
  // RFC 9449 §4.3: the key must not be a private one.
  if ('d' in jwk) throw fail('The proof carries a private key.');
  if (payload['htm'] !== request.method || !isSameUrl(String(payload['htu']), request.url))
    throw fail('The proof is for another request (htm, htu).');
  if (Math.abs(Date.now() / 1000 - (payload.iat ?? 0)) > WINDOW_SECONDS)
    throw fail('The proof is too old or from the future (iat).');
  if (
    request.accessToken !== undefined &&
    payload['ath'] !== createHash('sha256').update(request.accessToken).digest('base64url')
  )
    throw fail('The proof is for another access token (ath).');
  const thumbprint = await calculateJwkThumbprint(jwk);
  // RFC 9449 §11.1: a proof is accepted once.
  if (!(await takeOnce(`dpop\n${thumbprint}\n${payload.jti}`, 3 * WINDOW_SECONDS)))
    throw fail('The proof was used before (jti).');
  return thumbprint;
}

function isSameUrl(sent: string, own: string): boolean {
  if (!URL.canParse(sent)) return false;
  const url = new URL(sent);
  return `${url.origin}${url.pathname}` === own;
}
