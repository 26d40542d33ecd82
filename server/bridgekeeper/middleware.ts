// What the session-sharing API leaves in a browser: the session after a sign-in, and on a client domain the cookies of the
// flow (which browser started it, and whether to leave it in peace for a while).

import { readCookie, readCookies, setCookie, setCookies } from '../http/cookies.ts';
import { AppError } from '../http/errors.ts';
import type { Context } from '../http/route.ts';
import type { OverLimit, SecondFactorNeeded, SignedInNow } from '../login/login.ts';
import { keepSignedIn } from '../login/middleware.ts';
import { keepChallenge } from '../mfa/middleware.ts';
import { siteOf } from '../realms/middleware.ts';
import { echoToken } from '../sessions/middleware.ts';
import { beginFlow, endedFlows, endedQuiet, type Flow, flowsIn, QUIET } from './flow.ts';
import { presentMe } from './present.ts';

const SECOND_FACTOR_MESSAGES = {
  setup: 'Set up a second factor to finish signing in.',
  validation: 'Enter the code of your second factor to finish signing in.',
} as const;

/** What the API calls a second factor that is still needed. */
export const secondFactorCode = ({ need }: Pick<SecondFactorNeeded, 'need'>) => `tfa-${need}-is-required` as const;

/**
 * Answers a script after a proof: the session as a cookie and, for apps, as the header `x-qt-auth`, and who it is; or which
 * second factor is still needed, with the cookie `tfa-auth` instead.
 */
export function answerCompleted(ctx: Context, completed: SignedInNow | SecondFactorNeeded | OverLimit): void {
  if (completed.kind === 'second-factor') {
    keepChallenge(ctx, completed.token);
    ctx.body = { code: secondFactorCode(completed), message: SECOND_FACTOR_MESSAGES[completed.need] };
    return;
  }
  // Only pages are asked (Attempt.mayAsk).
  if (completed.kind === 'over-limit')
    throw new AppError('forbidden', {
      description: 'This account has its most sessions. Sign in on the sign-in page.',
    });
  keepSignedIn(ctx, completed);
  echoToken(ctx, completed.credential);
  const { user, 'active-sessions-count': count } = presentMe(completed.signedIn);
  const { sessions_max: most } = siteOf(ctx).realm.settings;
  // A site that limits sessions itself compares the two, and offers DELETE /sessions?others=true or a sign-out.
  ctx.body = { user, 'active-sessions-count': count, ...(most > 0 && { 'sessions-max': most }) };
}

/** The flows that this browser has under way on this host, oldest first. */
export const readFlows = (ctx: Context): Flow[] => flowsIn(readCookies(ctx));

/**
 * Binds a new flow to this browser.
 * @returns the hash that travels with the flow, base64url
 */
export function startFlow(ctx: Context, options: { isRestart: boolean }): string {
  const { cookies, flow } = beginFlow(readFlows(ctx), options);
  setCookies(ctx, cookies);
  return flow;
}

/** Lets the cookies of finished or failed flows run out soon: kept for a reload, gone after. */
export const endFlows = (ctx: Context): void => setCookies(ctx, endedFlows(readFlows(ctx)));

/** Leaves this browser out of automatic sign-in for a while: it has just been tried, or has just signed out. */
export function keepQuiet(ctx: Context, seconds: number): void {
  setCookie(ctx, { name: QUIET, value: '1', maxAgeSeconds: seconds });
}

/** Whether this browser is to be left in peace. */
export function isQuiet(ctx: Context): boolean {
  return readCookie(ctx, QUIET).kind !== 'absent';
}

/** Forgets it: the reader has signed in. */
export const endQuiet = (ctx: Context): void => setCookies(ctx, endedQuiet(readCookies(ctx)));
