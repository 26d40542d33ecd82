// Cookies in and out. Every cookie of ours is host-only, HttpOnly, Secure and SameSite=Lax with Path=/ (RFC 6265bis §4.1.3
// for the `__Host-` prefix). Lax and not Strict, because a reader arrives from the auth domain by a cross-site redirect.
// Secure whatever the hop to us looks like: TLS ends at a proxy, and browsers take Secure cookies from *.localhost.

import { type SetCookie, stringifySetCookie } from 'cookie';
import type { Context } from './route.ts';

/** What a request's Cookie header says of one name. */
export type CookieValue = { kind: 'absent' } | { kind: 'one'; value: string } | { kind: 'several' };

/** Cookies by name; several values of one name are kept apart, so that a tossed one is noticed. */
export type Cookies = ReadonlyMap<string, readonly string[]>;

/** All cookies of a request. */
export function readCookies(ctx: Context): Cookies {
  const known = ctx.state['cookies'] as Cookies | undefined;
  if (known) return known;
  const cookies = parseCookies(ctx.req.headers.cookie ?? '');
  ctx.state['cookies'] = cookies;
  return cookies;
}

/** All cookies in a Cookie header. */
export function parseCookies(header: string): Cookies {
  const cookies = new Map<string, string[]>();
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals < 1) continue;
    const name = part.slice(0, equals).trim();
    const value = part.slice(equals + 1).trim();
    const values = cookies.get(name);
    if (values) values.push(value);
    else cookies.set(name, [value]);
  }
  return cookies;
}

/** One cookie of a request. */
export function readCookie(ctx: Context, name: string): CookieValue {
  const values = readCookies(ctx).get(name);
  if (!values || values.length === 0) return { kind: 'absent' };
  return values.length === 1 ? { kind: 'one', value: values[0] ?? '' } : { kind: 'several' };
}

/** A cookie of ours; `maxAgeSeconds` null makes it last as long as the browser's session, 0 clears it. */
export type NewCookie = { name: string; value: string; maxAgeSeconds: number | null };

/** A cookie of ours as the value of a Set-Cookie header. */
export function cookieText({ name, value, maxAgeSeconds }: NewCookie): string {
  // A token needs no escape, and what follows it is always the same.
  if (PLAIN.test(name) && PLAIN.test(value) && Number.isInteger(maxAgeSeconds))
    return `${name}=${value}; Max-Age=${maxAgeSeconds}${ATTRIBUTES_TEXT}`;
  return stringifySetCookie({ name, value, ...ATTRIBUTES, ...(maxAgeSeconds !== null && { maxAge: maxAgeSeconds }) });
}

/** What clears a cookie. */
export const clearing = (name: string): NewCookie => ({ name, value: '', maxAgeSeconds: 0 });

/** Sets cookies of ours. */
export function setCookies(ctx: Context, cookies: readonly NewCookie[]): void {
  for (const cookie of cookies) setCookie(ctx, cookie);
}

/** Sets a cookie of ours. */
export function setCookie(ctx: Context, cookie: NewCookie): void {
  ctx.append('Set-Cookie', cookieText(cookie));
}

/** Clears a cookie as setCookie set it. */
export const clearCookie = (ctx: Context, name: string): void => setCookie(ctx, clearing(name));

const TOSSABLE_PATHS = ['/', '/api', '/api/auth', '/api/auth/v1', '/api/auth/v1/users'];

/** Clears every variant of a cookie without `__Host-` prefix that a sibling host may have tossed in front of ours. */
export function clearTossedCookies(ctx: Context, options: { name: string; host: string }): void {
  const domains = parentDomains(options.host.replace(/:\d+$/, ''));
  for (const path of TOSSABLE_PATHS) {
    for (const domain of [undefined, ...domains]) {
      if (path === '/' && domain === undefined) continue;
      appendSetCookie(ctx, {
        name: options.name,
        value: '',
        ...ATTRIBUTES,
        path,
        ...(domain && { domain }),
        maxAge: 0,
      });
    }
  }
}

const ATTRIBUTES = { httpOnly: true, secure: true, sameSite: 'lax', path: '/' } as const;
const ATTRIBUTES_TEXT = stringifySetCookie({ name: 'a', value: '', ...ATTRIBUTES }).slice('a='.length);
const PLAIN = /^[\w.-]+$/;

/** The host and the domains above it that still have a dot: who could have set a cookie that this host receives. */
function parentDomains(name: string): string[] {
  const labels = name.split('.');
  return labels
    .map((_, index) => labels.slice(index).join('.'))
    .filter((domain) => domain.includes('.'))
    .slice(0, 3);
}

function appendSetCookie(ctx: Context, cookie: SetCookie) {
  ctx.append('Set-Cookie', stringifySetCookie(cookie));
}
