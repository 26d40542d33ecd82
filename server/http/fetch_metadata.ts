// Where a request comes from, as the browser tells it (Fetch Metadata, Origin, Referer). Pure; tables in the tests.

import type { Context } from './route.ts';

export type Origins =
  /** A page of this very origin sent it. */
  | 'same-origin'
  /** Another origin sent it, a sibling subdomain included. */
  | 'foreign'
  /** The reader typed it, or followed a bookmark. */
  | 'typed'
  /** Nothing says: not a browser, or one without Fetch Metadata that hid its referrer. */
  | 'unknown';

/** Judges by Sec-Fetch-Site; without it by Origin, then Referer, against the origin of the host asked. */
export function requestOrigin(ctx: Context, ownOrigin: string): Origins {
  const site = ctx.get('Sec-Fetch-Site');
  const origin = ctx.get('Origin');
  // Our own pages hide their referrer, and with it browsers send `Origin: null` from our own forms; a sandboxed or opaque
  // sender gets the same Origin but Sec-Fetch-Site: cross-site. Any other Origin must agree.
  if (origin && origin !== ownOrigin && !(origin === 'null' && site)) return 'foreign';
  if (site) return site === 'same-origin' ? 'same-origin' : site === 'none' ? 'typed' : 'foreign';
  if (origin) return 'same-origin';
  const referer = ctx.get('Referer');
  if (!referer) return 'unknown';
  return URL.canParse(referer) && new URL(referer).origin === ownOrigin ? 'same-origin' : 'foreign';
}

/** Whether the browser is changing pages, so that an answer is seen by a person. */
export function isNavigation(ctx: Context): boolean {
  const mode = ctx.get('Sec-Fetch-Mode');
  return mode ? mode === 'navigate' : acceptsHtml(ctx);
}

/** Whether the caller names HTML among what it wants; the any-type wildcard of scripts and tools does not count. */
export function acceptsHtml(ctx: Context): boolean {
  return /(?:^|,)\s*text\/html\b/i.test(ctx.get('Accept'));
}

/** Whether the request loads a part of a page (image, script, style, frame, …), never the page itself. */
export function isSubresource(ctx: Context): boolean {
  const destination = ctx.get('Sec-Fetch-Dest');
  return destination !== '' && destination !== 'document' && destination !== 'empty';
}

/** Whether a browser fetches ahead of a click that may never come. */
export function isPrefetch(ctx: Context): boolean {
  return /prefetch|prerender/i.test(
    `${ctx.get('Sec-Purpose')} ${ctx.get('Purpose')} ${ctx.get('X-Moz')} ${ctx.get('X-Purpose')}`,
  );
}
