// The auth domain's short-lived state of one browser (CSRF secret), in one sealed cookie kept by koa-session. Its signature is
// in the cookie itself: koa-session's own would be a second cookie.
// The SSO session is not here: it is a row of ours, made in one transaction with what it comes from.

import { createHmac, timingSafeEqual } from 'node:crypto';
import Cookies from 'cookies';
import type Koa from 'koa';
import session from 'koa-session';
import { deriveKey } from '../lib/seal.ts';
import type { Context, Middleware } from './route.ts';

const COOKIE = '__Host-qt-browser';
// Longer than any tab with a sign-in form stays open in earnest; the form renews itself after that.
const LIFETIME_MS = 7 * 86_400_000;

/**
 * Middleware that sets the cookie of a browser state that was written to. Most requests never ask for it, and cost nothing.
 * @param options secrets: newest first; the first signs, all verify
 */
export function browserState(options: { app: Koa; secrets: readonly string[] }): Middleware {
  const keys = options.secrets.map((secret) => deriveKey(secret, 'browser-state'));
  // Gives every context its `session`, read from the cookie when first asked for; committing it is done below.
  session(
    {
      key: COOKIE,
      maxAge: LIFETIME_MS,
      httpOnly: true,
      secure: true,
      sameSite: 'lax',
      signed: false,
      encode: (state) => sign(state, keys),
      decode: (text) => open(text, keys),
      overwrite: true,
      rolling: false,
      renew: true,
      autoCommit: false,
    },
    options.app,
  );
  return async (ctx: Context, next) => {
    try {
      await next();
    } finally {
      await (ctx.state['browserState'] as { manuallyCommit(): Promise<void> } | undefined)?.manuallyCommit();
    }
  };
}

/** The state of the browser that sent a request; what is written to it comes back with its next request. */
export function browserStateOf(ctx: Context): Record<string, unknown> {
  const known = ctx.state['browserState'] as Record<string, unknown> | undefined;
  if (known) return known;
  // TLS ends at a proxy, so Koa takes the link for plain http and would refuse to set a Secure cookie.
  ctx.cookies = new Cookies(ctx.req, ctx.res, { secure: true }) as typeof ctx.cookies;
  const state = ctx['session'] as Record<string, unknown>;
  ctx.state['browserState'] = state;
  return state;
}

function sign(state: object, keys: readonly Uint8Array[]): string {
  const text = Buffer.from(JSON.stringify(state)).toString('base64url');
  return `${text}.${macOf(text, keys[0] as Uint8Array)}`;
}

/** The state in a cookie; an empty one when the cookie is not ours, as if there were none. */
function open(cookie: string, keys: readonly Uint8Array[]): object {
  const [text = '', mac = ''] = cookie.split('.');
  const isOurs = keys.some((key) => isEqual(mac, macOf(text, key)));
  return isOurs ? (JSON.parse(Buffer.from(text, 'base64url').toString()) as object) : {};
}

function macOf(text: string, key: Uint8Array): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
