// Protection of state-changing requests against other sites: exact content type and origin for JSON, origin and a token
// bound to the browser for forms. The token is an HMAC over a per-browser secret kept in the browser state.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { hasContentType } from './body.ts';
import { browserStateOf } from './browser_state.ts';
import { AppError } from './errors.ts';
import { requestOrigin } from './fetch_metadata.ts';
import type { Context } from './route.ts';

/**
 * Refuses a request that a page of another origin sent. A caller that is no browser sends none of the headers and passes:
 * it has no reader's cookies that another site could borrow.
 */
export function requireOwnOrigin(ctx: Context, ownOrigin: string): void {
  const from = requestOrigin(ctx, ownOrigin);
  if (from === 'foreign')
    throw new AppError('forbidden', {
      description: 'Call this from a page of the same origin.',
      detail: { origin: ctx.get('Origin'), site: ctx.get('Sec-Fetch-Site') },
    });
}

/** The guard of JSON routes: own origin, and a content type that no HTML form can send. */
export function guardJson(ctx: Context, ownOrigin: string): void {
  requireOwnOrigin(ctx, ownOrigin);
  if (!hasContentType(ctx, 'application/json'))
    throw new AppError('unsupported_media_type', { description: 'Send the body as application/json.' });
}

/**
 * The guard of form routes, before their token is compared: refuses what is certainly foreign. A browser without Fetch
 * Metadata sends `Origin: null` from our own forms (they hide their referrer); there the token alone decides.
 */
export function guardForm(ctx: Context, ownOrigin: string): void {
  const isOldBrowser = ctx.get('Origin') === 'null' && ctx.get('Sec-Fetch-Site') === '';
  if (!isOldBrowser) requireOwnOrigin(ctx, ownOrigin);
}

type BrowserState = { csrf?: string };

/** The CSRF token for forms of this browser; makes the browser's secret when it has none. */
export function csrfToken(ctx: Context): string {
  const state = stateOf(ctx);
  state.csrf ??= randomBytes(16).toString('base64url');
  return tokenFor(state.csrf);
}

/** Whether a form carries this browser's token. */
export function hasCsrfToken(ctx: Context, token: string | undefined): boolean {
  const secret = stateOf(ctx).csrf;
  return secret !== undefined && token !== undefined && isEqual(token, tokenFor(secret));
}

/** Whether the browser sent its state back at all; ask before a token is made for it. */
export function hasBrowserState(ctx: Context): boolean {
  return stateOf(ctx).csrf !== undefined;
}

/** Gives the browser a new secret, as at sign-in: a token from before is worthless after. */
export function renewCsrf(ctx: Context): void {
  stateOf(ctx).csrf = randomBytes(16).toString('base64url');
}

const stateOf = (ctx: Context): BrowserState => browserStateOf(ctx);

function tokenFor(secret: string): string {
  return createHmac('sha256', secret).update('causeway form').digest('base64url');
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
