// The secret of a link leaves the address of its page: it would stay in the history, on screens that are shared, and with
// whoever is sent the address. The first answer puts it into a cookie of its own and asks the browser back; a browser that
// brings the cookie is sent on to the same page without the secret, one that does not gets the page at once, as it was opened.
// Nothing is used up by any of it. DECISIONS 76 says why so.

import { createHash } from 'node:crypto';
import { parseToken } from '../lib/token.ts';
import { clearCookie, readCookie, readCookies, setCookie } from './cookies.ts';
import { readQuery } from './query.ts';
import { type OwnPath, seeOther } from './redirect.ts';
import type { Context } from './route.ts';

const PREFIX = '__Host-qt-link-';
/** As long as a page with a button is looked at in earnest; its form carries the secret itself. A used one is worth nothing. */
const KEPT_SECONDS = 3600;
/** Links that one browser has open at once; an address that a stranger made up must not fill its jar. */
const MOST = 5;
/** Of the name of the cookie: tells two links of one browser apart and says nothing of the secret. */
const NAME_LENGTH = 12;

/** The secret with which a page was opened, empty for none; null when the browser was sent on, to come back without it. */
export function readLinkSecret(ctx: Context, page: OwnPath): string | null {
  const { token = '', link = '' } = readQuery(ctx, ['token', 'link']);
  if (token === '') return readKept(ctx, link);
  const secret = parseToken(token);
  if (secret === null) return token;
  const name = nameOf(secret);
  const isKept = readKept(ctx, name) === secret;
  // A browser that was asked back before and brings no cookie keeps none.
  if (!isKept && link === name) return secret;
  if (!isKept) keep(ctx, name, secret);
  seeOther(ctx, addressOf(ctx, page, { link: name, ...(!isKept && { token: secret }) }));
  return null;
}

const nameOf = (secret: string): string => createHash('sha256').update(secret).digest('hex').slice(0, NAME_LENGTH);

function readKept(ctx: Context, name: string): string {
  const cookie = readCookie(ctx, PREFIX + name);
  return cookie.kind === 'one' && nameOf(cookie.value) === name ? cookie.value : '';
}

function keep(ctx: Context, name: string, secret: string): void {
  // RFC 6265 §5.4: browsers send the oldest first.
  const others = [...readCookies(ctx).keys()].filter((one) => one.startsWith(PREFIX) && one !== PREFIX + name);
  for (const old of others.slice(0, Math.max(0, others.length - MOST + 1))) clearCookie(ctx, old);
  setCookie(ctx, { name: PREFIX + name, value: secret, maxAgeSeconds: KEPT_SECONDS });
}

/** The page with what else its address says, such as the language. */
function addressOf(ctx: Context, page: OwnPath, own: { link: string; token?: string }): OwnPath {
  const query = new URLSearchParams(ctx.querystring);
  query.delete('token');
  query.delete('link');
  for (const [name, value] of Object.entries(own)) query.set(name, value);
  return `${page}?${query}`;
}
