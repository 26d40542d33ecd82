// The logout token (OpenID Connect Back-Channel Logout 1.0 §2.4): tells one client that one session is over, and nothing else.

import type { JWTPayload } from 'jose';
import { createUuid } from '../lib/random.ts';

/** §2.4 recommends the explicit type, so that no other JWT of ours passes for one (RFC 8725 §3.11). */
export const LOGOUT_TOKEN_TYP = 'logout+jwt';
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** §4 recommends at most two minutes. */
const LIFETIME_SECONDS = 120;

/**
 * The claims of a logout token, new for every try: a client may refuse a jti that it has seen (§2.6).
 * @param of issuer: origin of the auth domain; audience: client_id; now: seconds since the epoch
 */
export function logoutClaims(of: {
  issuer: string;
  audience: string;
  sub: string;
  sid: string;
  now: number;
}): JWTPayload {
  return {
    iss: of.issuer,
    aud: of.audience,
    iat: of.now,
    exp: of.now + LIFETIME_SECONDS,
    jti: createUuid(),
    events: { [LOGOUT_EVENT]: {} },
    // §2.4: sub, sid or both. Both, so that a client ends exactly this session. A nonce is PROHIBITED.
    sub: of.sub,
    sid: of.sid,
  };
}
