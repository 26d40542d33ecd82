// What the session-sharing API leaves in a browser: the session after a sign-in, and on a client domain the cookies of the
// flow (which browser started it, and whether to leave it in peace for a while).

import { clearCookie, readCookie, readCookies, setCookie } from '../http/cookies.ts';
import { AppError } from '../http/errors.ts';
import type { Context } from '../http/route.ts';
import { createToken, hashToken, parseToken } from '../lib/token.ts';
import type { OverLimit, SecondFactorNeeded, SignedInNow } from '../login/login.ts';
import { keepSignedIn } from '../login/middleware.ts';
import { keepChallenge } from '../mfa/middleware.ts';
import { siteOf } from '../realms/middleware.ts';
import { echoToken } from '../sessions/middleware.ts';
import { presentMe } from './present.ts';

const FLOW_PREFIX = '__Host-qt-flow-';
const FLOW_SECONDS = 600;
const MOST_FLOWS = 5;
/** A flow that was started again carries this mark, so that it is not started a third time. */
const RESTART_MARK = '.r';
/** How long a flow cookie outlives its use: a reload within that time is the same browser coming again. */
const AFTERLIFE_SECONDS = 60;
const QUIET = '__Host-qt-quiet';

type Flow = { name: string; hash: Buffer; isRestart: boolean };

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
export function readFlows(ctx: Context): Flow[] {
  const flows: Flow[] = [];
  for (const [name, values] of readCookies(ctx)) {
    if (!name.startsWith(FLOW_PREFIX) || values.length !== 1) continue;
    const [value = ''] = values;
    const isRestart = value.endsWith(RESTART_MARK);
    const secret = parseToken(isRestart ? value.slice(0, -RESTART_MARK.length) : value);
    if (secret) flows.push({ name, hash: hashToken(secret), isRestart });
  }
  return flows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Binds a new flow to this browser; each tab gets its own cookie, and the oldest gives way beyond five.
 * @returns the hash that travels with the flow, base64url
 */
export function startFlow(ctx: Context, options: { isRestart: boolean }): string {
  const flows = readFlows(ctx);
  for (const old of flows.slice(0, Math.max(0, flows.length - MOST_FLOWS + 1))) clearCookie(ctx, old.name);
  const secret = createToken();
  // The name begins with the time, so that names sort by age.
  const name = `${FLOW_PREFIX}${Date.now().toString(36).padStart(9, '0')}${secret.slice(0, 4).replace(/[-_]/g, 'x')}`;
  setCookie(ctx, { name, value: options.isRestart ? `${secret}${RESTART_MARK}` : secret, maxAgeSeconds: FLOW_SECONDS });
  return hashToken(secret).toString('base64url');
}

/** Lets the cookies of finished or failed flows run out soon: kept for a reload, gone after. */
export function endFlows(ctx: Context): void {
  for (const { name } of readFlows(ctx)) {
    const cookie = readCookie(ctx, name);
    if (cookie.kind === 'one') setCookie(ctx, { name, value: cookie.value, maxAgeSeconds: AFTERLIFE_SECONDS });
  }
}

/** Leaves this browser out of automatic sign-in for a while: it has just been tried, or has just signed out. */
export function keepQuiet(ctx: Context, seconds: number): void {
  setCookie(ctx, { name: QUIET, value: '1', maxAgeSeconds: seconds });
}

/** Whether this browser is to be left in peace. */
export function isQuiet(ctx: Context): boolean {
  return readCookie(ctx, QUIET).kind !== 'absent';
}

/** Forgets it: the reader has signed in. */
export function endQuiet(ctx: Context): void {
  if (isQuiet(ctx)) clearCookie(ctx, QUIET);
}
