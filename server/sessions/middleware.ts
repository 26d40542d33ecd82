// The session credential on the wire: cookie `qt-auth` with its companion `__Host-qt-auth`, or the header `x-qt-auth`.
// `qt-auth` has no prefix (its name is fixed), so a sibling subdomain can toss one in front of ours; the companion cannot be
// tossed, belongs to the same session, and must match. A header cannot be tossed either and needs no companion.

import { clearCookie, clearTossedCookies, readCookie, setCookies } from '../http/cookies.ts';
import type { Context } from '../http/route.ts';
import type { PlainToken } from '../lib/ids.ts';
import { parseToken } from '../lib/token.ts';
import { siteOf } from '../realms/middleware.ts';
import { COMPANION, COOKIE, type Credential, credentialCookies, type Presented } from './sessions.ts';

const HEADER = 'x-qt-auth';
/** Mobile apps send this literal in the header at sign-in and sign-up; it means nothing. */
const NO_TOKEN = 'dummy';

/** Reads the credential of a request. Never throws: what is malformed is `broken`. */
export function readCredential(ctx: Context): Presented {
  const header = readHeader(ctx);
  const cookie = readCookiePair(ctx);
  if (header === 'broken' || cookie === 'broken') return { kind: 'broken' };
  if (header && cookie)
    return header === cookie.token ? { kind: 'cookie', ...cookie } : { kind: 'both', cookie, header };
  if (cookie) return { kind: 'cookie', ...cookie };
  return header ? { kind: 'header', token: header } : { kind: 'none' };
}

function readHeader(ctx: Context): PlainToken | 'broken' | null {
  const values = ctx.req.headersDistinct[HEADER] ?? [];
  if (values.length > 1) return 'broken';
  const value = values[0];
  if (value === undefined || value === '' || value === NO_TOKEN) return null;
  return parseToken(value) ?? 'broken';
}

function readCookiePair(ctx: Context): { token: PlainToken; companion: PlainToken } | 'broken' | null {
  const [cookie, companion] = [readCookie(ctx, COOKIE), readCookie(ctx, COMPANION)];
  if (cookie.kind === 'absent' && companion.kind === 'absent') return null;
  if (cookie.kind !== 'one' || companion.kind !== 'one') return 'broken';
  const [token, companionToken] = [parseToken(cookie.value), parseToken(companion.value)];
  return token && companionToken ? { token, companion: companionToken } : 'broken';
}

/**
 * Gives a browser its credential. The cookies last as long as the absolute life of the session at most; the database
 * decides, the cookie only saves sending what is dead.
 */
export function setCredential(ctx: Context, credential: Credential, maxAgeSeconds: number): void {
  setCookies(ctx, credentialCookies(credential, maxAgeSeconds));
  // A tossed variant would stand beside the new one, and contradict it, at the next request.
  if (readCookie(ctx, COOKIE).kind === 'several')
    clearTossedCookies(ctx, { name: COOKIE, host: siteOf(ctx).domain.host });
}

/** Tells an app without cookies its token, in the header that it reads at sign-in and sign-up. */
export function echoToken(ctx: Context, credential: Credential): void {
  // Published clients look the name up in lower case.
  ctx.res.setHeader(HEADER, credential.token);
}

/** Clears the credential of this host, and, when a cookie stands twice, every variant that may have been tossed. */
export function clearCredential(ctx: Context, host: string): void {
  clearCookie(ctx, COOKIE);
  clearCookie(ctx, COMPANION);
  if (readCookie(ctx, COOKIE).kind === 'several') clearTossedCookies(ctx, { name: COOKIE, host });
}

/** Whether the request carries any trace of a credential worth clearing. */
export function hasCredentialCookie(ctx: Context): boolean {
  return readCookie(ctx, COOKIE).kind !== 'absent' || readCookie(ctx, COMPANION).kind !== 'absent';
}
