// Reading answers across origins (Fetch Standard §3.3), for routes that say so. Cookies never count there: credentials are not
// allowed, so whoever reads holds a code or a token already.

import type { Context, Route } from './route.ts';

/** Whether pages of an origin may read the answers of this site's routes for browser-based clients. */
export type MayRead = (ctx: Context, origin: string) => Promise<boolean>;

const ALLOWED_HEADERS = 'Authorization, Content-Type, DPoP';
const EXPOSED_HEADERS = 'WWW-Authenticate, Retry-After';
/** Chromium remembers a preflight for two hours at most; an origin that is taken away stops at the answer itself, at once. */
const PREFLIGHT_SECONDS = 600;

/** Answers a preflight for one of these routes. False when there is none to answer: then it is a method like any other. */
export async function answerPreflight(ctx: Context, served: readonly Route[], mayRead: MayRead): Promise<boolean> {
  const wanted = ctx.get('Access-Control-Request-Method');
  if (ctx.method !== 'OPTIONS' || wanted === '') return false;
  const methods = served.filter(({ cors }) => cors === 'public-clients').map(({ method }) => method);
  if (!methods.some((method) => method === wanted) || !(await allowOrigin(ctx, mayRead))) return false;
  ctx.set({
    'Access-Control-Allow-Methods': methods.join(', '),
    'Access-Control-Allow-Headers': ALLOWED_HEADERS,
    'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
  });
  ctx.status = 204;
  return true;
}

/** Lets the asking origin read the answer, a refusal too, if it may. `Vary: Origin` stands on every answer. */
export async function allowOrigin(ctx: Context, mayRead: MayRead): Promise<boolean> {
  const origin = ctx.get('Origin');
  if (origin === '' || origin === 'null' || !(await mayRead(ctx, origin))) return false;
  ctx.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED_HEADERS });
  return true;
}

/** Takes the permission back, once it is known whose answer it is. */
export function disallowOrigin(ctx: Context): void {
  ctx.remove('Access-Control-Allow-Origin');
  ctx.remove('Access-Control-Expose-Headers');
}
