// The auth domain's short-lived state of one browser (CSRF secret), in one signed cookie kept by koa-session.
// The SSO session is not here: it is a row of ours, made in one transaction with what it comes from.

import Cookies from 'cookies';
import type Koa from 'koa';
import session from 'koa-session';
import { deriveKey } from '../lib/seal.ts';
import type { Context, Middleware } from './route.ts';

const COOKIE = '__Host-qt-browser';
// Longer than any tab with a sign-in form stays open in earnest; the form renews itself after that.
const LIFETIME_MS = 7 * 86_400_000;

/**
 * Middleware that puts the browser state at `ctx.session`; a cookie is set only when something was written to it.
 * @param options secrets: newest first; the first signs, all verify
 */
export function browserState(options: { app: Koa; secrets: readonly string[] }): Middleware {
  options.app.keys = options.secrets.map((secret) => Buffer.from(deriveKey(secret, 'browser-state')).toString('base64url'));
  const mount = session(
    {
      key: COOKIE,
      maxAge: LIFETIME_MS,
      httpOnly: true,
      secure: true,
      sameSite: 'lax',
      signed: true,
      overwrite: true,
      rolling: false,
      renew: true,
    },
    options.app,
  ) as unknown as Middleware;
  return (ctx: Context, next) => {
    // TLS ends at a proxy, so Koa takes the link for plain http and would refuse to set a Secure cookie.
    ctx.cookies = new Cookies(ctx.req, ctx.res, { keys: options.app.keys as string[], secure: true }) as typeof ctx.cookies;
    return mount(ctx, next);
  };
}
