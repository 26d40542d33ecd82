// The cookies in which a browser holds its session: the token, and beside it the companion that no sibling host can toss.

import type { NewCookie } from '../http/cookies.ts';
import type { Credential } from './sessions.ts';

export const COOKIE = 'qt-auth';
export const COMPANION = '__Host-qt-auth';
/** Browsers keep no cookie longer (RFC 6265bis §5.5). */
const LONGEST_SECONDS = 400 * 86_400;

/** What gives a browser its credential. @param maxAgeSeconds what is left of the absolute life of the session */
export function credentialCookies(credential: Credential, maxAgeSeconds: number): NewCookie[] {
  const capped = Math.min(maxAgeSeconds, LONGEST_SECONDS);
  return [
    { name: COOKIE, value: credential.token, maxAgeSeconds: capped },
    { name: COMPANION, value: credential.companion, maxAgeSeconds: capped },
  ];
}
