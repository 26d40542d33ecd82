// What browsers hold of second factors, and who may change them. The cookie `tfa-auth`: what a browser holds between its first and its second factor. It opens the second-factor doors and
// nothing else. Its name is fixed and has no `__Host-` prefix, so a sibling host can toss one: two of them count as none.

import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { clearCookie, clearTossedCookies, readCookie, setCookie } from '../http/cookies.ts';
import { AppError } from '../http/errors.ts';
import type { Context } from '../http/route.ts';
import type { PlainToken } from '../lib/ids.ts';
import { createToken, parseToken } from '../lib/token.ts';
import { addressOf, isSiteOpen, languageOf, siteOf } from '../realms/middleware.ts';
import {
  CEREMONY_SECONDS,
  CHALLENGE_SECONDS,
  type Challenge,
  type Given,
  isMultiFactor,
  type Mfa,
  type Place,
} from './mfa.ts';

const COOKIE = 'tfa-auth';

/** Lets the browser hold a challenge. */
export function keepChallenge(ctx: Context, token: PlainToken): void {
  setCookie(ctx, { name: COOKIE, value: token, maxAgeSeconds: CHALLENGE_SECONDS });
}

/** Takes it away, with every variant that was tossed beside it; nothing when the browser sent none. */
export function clearChallenge(ctx: Context): void {
  const { kind } = readCookie(ctx, COOKIE);
  if (kind !== 'absent') clearCookie(ctx, COOKIE);
  if (kind === 'several') clearTossedCookies(ctx, { name: COOKIE, host: siteOf(ctx).domain.host });
}

/** The live challenge of this browser on this host; null when there is none. */
export async function findChallenge(ctx: Context, mfa: Mfa): Promise<Challenge | null> {
  const cookie = readCookie(ctx, COOKIE);
  const token = cookie.kind === 'one' ? parseToken(cookie.value) : null;
  return token && isSiteOpen(ctx) ? mfa.findChallenge(token, siteOf(ctx).domain.host) : null;
}

/** Whether a reader may change the factors now: signed in lately, and with the factor that there is. */
export function mayChangeFactors(signedIn: SignedIn): boolean {
  return !signedIn.account.isTfaEnabled || isMultiFactor(signedIn.session.amr);
}

/** The reader, if the last sign-in is recent and was made with the factor that there is; else 403 `reauth_required`. */
export async function requireFactorChange(ctx: Context, reader: Reader): Promise<SignedIn> {
  const signedIn = await reader.requireRecent(ctx);
  if (!mayChangeFactors(signedIn)) throw new AppError('reauth_required');
  return signedIn;
}

// ------------------------------------------------------------------------------------------------ passkeys

/** What binds a passkey ceremony to the browser that began it. */
const CEREMONY_COOKIE = '__Host-qt-passkey';

/** Where a passkey ceremony takes place. */
export function placeOf(ctx: Context): Place {
  const cookie = readCookie(ctx, CEREMONY_COOKIE);
  const browser = cookie.kind === 'one' ? parseToken(cookie.value) : null;
  return { ...siteOf(ctx), address: addressOf(ctx), locale: languageOf(ctx), browser };
}

/** The same, for a browser that begins a ceremony: it keeps its cookie, or gets one. */
export function placeToBegin(ctx: Context): Place {
  if (!isSiteOpen(ctx)) throw new AppError('unknown_client', { description: 'This domain has no enabled client.' });
  const place = placeOf(ctx);
  const browser = place.browser ?? createToken();
  setCookie(ctx, { name: CEREMONY_COOKIE, value: browser, maxAgeSeconds: CEREMONY_SECONDS });
  return { ...place, browser };
}

/** What a form of a page sends of a passkey; a response that is no JSON is one that is refused. */
export function readPasskey(form: { ceremony: string; response: string }): Given {
  try {
    return { ceremony: form.ceremony, response: JSON.parse(form.response) };
  } catch {
    return { ceremony: form.ceremony, response: null };
  }
}
