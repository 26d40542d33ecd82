// The cookies of a flow on a client domain: which browser has set out, and whether to leave it in peace for a while.

import { type Cookies, clearing, type NewCookie } from '../http/cookies.ts';
import { createToken, hashToken, parseToken } from '../lib/token.ts';

const FLOW_PREFIX = '__Host-qt-flow-';
const FLOW_SECONDS = 600;
const MOST_FLOWS = 5;
/** A flow that was started again carries this mark, so that it is not started a third time. */
const RESTART_MARK = '.r';
/** How long a flow cookie outlives its use: a reload within that time is the same browser coming again. */
const AFTERLIFE_SECONDS = 60;
/** Leaves a browser out of automatic sign-in. */
export const QUIET = '__Host-qt-quiet';

export type Flow = { name: string; value: string; hash: Buffer; isRestart: boolean };

/** The flows in the cookies of a browser, oldest first. */
export function flowsIn(cookies: Cookies): Flow[] {
  const flows: Flow[] = [];
  for (const [name, values] of cookies) {
    if (!name.startsWith(FLOW_PREFIX) || values.length !== 1) continue;
    const [value = ''] = values;
    const isRestart = value.endsWith(RESTART_MARK);
    const secret = parseToken(isRestart ? value.slice(0, -RESTART_MARK.length) : value);
    if (secret) flows.push({ name, value, hash: hashToken(secret), isRestart });
  }
  return flows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * A new flow; each tab gets its own cookie, and the oldest gives way beyond five.
 * @param before the flows of the browser so far
 * @returns the cookies that bind it to the browser, and the hash that travels with it, base64url
 */
export function beginFlow(
  before: readonly Flow[],
  options: { isRestart: boolean },
): { cookies: NewCookie[]; flow: string } {
  const tooMany = before.slice(0, Math.max(0, before.length - MOST_FLOWS + 1));
  const secret = createToken();
  // The name begins with the time, so that names sort by age.
  const name = `${FLOW_PREFIX}${Date.now().toString(36).padStart(9, '0')}${secret.slice(0, 4).replace(/[-_]/g, 'x')}`;
  const value = options.isRestart ? `${secret}${RESTART_MARK}` : secret;
  return {
    cookies: [...tooMany.map((old) => clearing(old.name)), { name, value, maxAgeSeconds: FLOW_SECONDS }],
    flow: hashToken(secret).toString('base64url'),
  };
}

/** What lets the cookies of finished or failed flows run out soon: kept for a reload, gone after. */
export const endedFlows = (flows: readonly Flow[]): NewCookie[] =>
  flows.map(({ name, value }) => ({ name, value, maxAgeSeconds: AFTERLIFE_SECONDS }));

/** What forgets that a browser is to be left in peace: its reader has signed in. */
export const endedQuiet = (cookies: Cookies): NewCookie[] => (cookies.has(QUIET) ? [clearing(QUIET)] : []);
