// URLs that others hand us: what an origin is, and whether a callback may be sent the browser to.
// Parsed by the WHATWG URL standard, always without a base, and always re-serialised: what was typed is never echoed.

import type { CallbackUri, Host } from './ids.ts';

/** 2,048 characters hold any address a reader's bar shows in full; longer ones are attacks or accidents. */
const LONGEST_CALLBACK = 2048;
// Control characters, the backslash and spaces around are stripped or moved by URL parsers, each in its own way. A space
// inside is an address that a script put into a query unencoded (`?q=a+b`); it is sent on as %20.
const FORBIDDEN_RAW = /[\u0000-\u001f\u007f\\]|^ | $|%0[0ad]/i;
const RESERVED_PATH = /^\/+api\/+auth(\/|$)/i;
const HOST_FORM = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*(?::\d{1,5})?$/;

/** A request's `Host` value as a registered one is spelled; null when it breaks the grammar (RFC 9110 §7.2). */
export function parseHost(value: string | undefined): Host | null {
  if (value === undefined || value.length > 259) return null;
  const host = value.toLowerCase();
  return HOST_FORM.test(host) ? (host as Host) : null;
}

/** Whether a host is a name or address of this machine itself (RFC 6761 §6.3); a port may follow. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name.endsWith('.localhost') || name === '127.0.0.1' || name === '[::1]';
}

/**
 * The origin of a site, from what an operator wrote: a host (`news.example`) or an origin (`https://news.example`).
 * A bare loopback host means http, every other one https. Null when it is neither.
 */
export function parseOrigin(text: string): { origin: string; host: Host } | null {
  const written = /^https?:\/\//.test(text) ? text : `${isLoopbackHost(text) ? 'http' : 'https'}://${text}`;
  if (!URL.canParse(written)) return null;
  const url = new URL(written);
  const host = parseHost(url.host);
  if (!host || url.origin !== written || url.username || url.password) return null;
  return { origin: url.origin, host };
}

export type CallbackRefusal = 'malformed' | 'foreign-host' | 'reserved-path' | 'too-long';

/**
 * Checks a URL that a browser is to be sent to (`callback_uri`, `redirect-url`; RFC 9700 §4.11).
 * @param raw as received, percent-decoded once
 * @param origins of the client, exactly one of which it must be on
 * @returns the re-serialised URL, pure ASCII, or why it is refused
 */
export function checkCallback(
  raw: string,
  origins: readonly string[],
): { ok: true; callback: CallbackUri } | { ok: false; reason: CallbackRefusal } {
  if (raw.length > LONGEST_CALLBACK) return { ok: false, reason: 'too-long' };
  const url = FORBIDDEN_RAW.test(raw) || !/^https?:\/\/[^/]/i.test(raw) ? null : URL.parse(raw);
  if (!url) return { ok: false, reason: 'malformed' };
  if (url.username || url.password || /^https?:\/\/[^/?#]*@/i.test(raw)) return { ok: false, reason: 'malformed' };
  if (!origins.includes(url.origin)) return { ok: false, reason: 'foreign-host' };
  // A callback into the sign-in API itself would sign out after signing in, or go round in circles.
  if (isReservedPath(url.pathname)) return { ok: false, reason: 'reserved-path' };
  return { ok: true, callback: url.href as CallbackUri };
}

function isReservedPath(pathname: string): boolean {
  // Without an escape in it, the parser has resolved it already.
  if (!pathname.includes('%')) return RESERVED_PATH.test(pathname);
  let path = pathname;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    // An undecodable path reaches no route of ours.
  }
  // A proxy may decode a path first and resolve its dots and backslashes after.
  const resolved = new URL(`http://path.invalid${path.replace(/[?#]/g, '_')}`).pathname;
  return RESERVED_PATH.test(resolved);
}

/** `url` with one query parameter more, before its fragment, the rest untouched; unchanged if it has that one. */
export function withParameter(url: CallbackUri, name: string, value: string): CallbackUri {
  const parsed = new URL(url);
  if (parsed.searchParams.has(name)) return url;
  parsed.search = `${parsed.search}${parsed.search ? '&' : '?'}${name}=${encodeURIComponent(value)}`;
  return parsed.href as CallbackUri;
}

/** Whether a URL has a query parameter of that name, whatever its value. */
export function hasParameter(url: CallbackUri, name: string): boolean {
  return new URL(url).searchParams.has(name);
}
