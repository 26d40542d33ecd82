// Headers that every answer carries, set before anything can go wrong, so that errors have them too. Pages replace the
// content security policy by their own (http/page.ts).

import { type IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';
import type { Middleware } from './route.ts';

const YEAR_SECONDS = 31_536_000;

// RFC 9111 §5.2.2.5: statuses such as 204, 301, 404 and 405 may otherwise be stored without being asked to.
const UNCACHEABLE = {
  'Cache-Control': 'no-store',
  Pragma: 'no-cache',
  'CDN-Cache-Control': 'no-store',
  'Surrogate-Control': 'no-store',
  Vary: 'Cookie, Origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()',
};
const SECURED = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
  },
  strictTransportSecurity: { maxAge: YEAR_SECONDS, includeSubDomains: false },
  referrerPolicy: { policy: 'no-referrer' },
  crossOriginOpenerPolicy: { policy: 'same-origin' },
  crossOriginResourcePolicy: { policy: 'same-origin' },
  xFrameOptions: { action: 'deny' },
  xXssProtection: false,
  xDownloadOptions: false,
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xPermittedCrossDomainPolicies: false,
} as const;

/** Security and caching headers for every answer. */
export function standardHeaders(): Middleware {
  const pairs = standardHeaderPairs();
  return (ctx, next) => {
    for (const [name, value] of pairs) ctx.res.setHeader(name, value);
    return next();
  };
}

/** Writes status and headers of an answer that is made without Koa: the standard ones, and some more as a flat list. */
export type WriteHead = (response: ServerResponse, status: number, more: readonly string[]) => void;

/**
 * Node checks every header of every answer letter by letter. The standard ones never change: they are checked when this is made,
 * and then put into the head as one text. Where a version of Node builds its heads in another way, they are written one by one.
 */
export function createHeadWriter(): WriteHead {
  const pairs = standardHeaderPairs();
  const list = pairs.flat();
  const oneByOne: WriteHead = (response, status, more) => void response.writeHead(status, [...list, ...more]);
  const probe = probeHead();
  for (const [name, value] of pairs) probe.setHeader(name, value);
  probe.writeHead(200);
  if (!holdsHead(probe)) return oneByOne;
  const block = pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return (response, status, more) => {
    response.writeHead(status, [...more]);
    if (!holdsHead(response)) throw new Error('Node has changed how it holds a head');
    response._header = `${response._header.slice(0, -2)}${block}\r\n`;
  };
}

/** constant: names and values; names: of the headers whose values differ */
export type RepeatedHead = { status: number; constant: readonly string[]; names: readonly string[] };
/** Writes a head with these values of the headers that it was made for, and cookies to set. */
export type WriteRepeatedHead = (
  response: ServerResponse,
  values: readonly string[],
  cookies?: readonly string[],
) => void;

/**
 * A head that is written again and again with other values. Node makes the first one; taken apart at its values it is the mould of
 * all others, wherever the connection stays open. Where it does not come apart, Node makes every one.
 */
export function createRepeatedHead(write: WriteHead, { status, constant, names }: RepeatedHead): WriteRepeatedHead {
  let mould: readonly string[] | null = null;
  const byNode: WriteRepeatedHead = (response, values, cookies = []) => {
    const pairs = names.flatMap((name, index) => [name, values[index] ?? '']);
    write(response, status, [...constant, ...pairs, ...cookies.flatMap((cookie) => ['Set-Cookie', cookie])]);
    if (!mould && cookies.length === 0 && response.shouldKeepAlive && holdsHead(response))
      mould = takeApart(response._header, [...names, 'Date']);
  };
  return (response, values, cookies = []) => {
    if (!mould || !response.shouldKeepAlive || values.some(isUnusual) || cookies.some(isUnusual))
      return byNode(response, values, cookies);
    let head = '';
    for (let index = 0; index < values.length; index++) head += (mould[index] ?? '') + (values[index] ?? '');
    for (const cookie of cookies) head += `\r\nSet-Cookie: ${cookie}`;
    // What stands before the date, and after it.
    head += (mould[values.length] ?? '') + currentDate() + (mould[values.length + 1] ?? '');
    response.statusCode = status;
    (response as { _header?: string })._header = head;
  };
}

/** Anything but visible ASCII and spaces: left to Node, which refuses what would break out of a header. */
const isUnusual = (value: string): boolean => /[^\x20-\x7e]/.test(value);

/** A head without the values of some headers, as the pieces between them; null unless each is there once, in this order. */
function takeApart(head: string, names: readonly string[]): readonly string[] | null {
  const pieces: string[] = [];
  let rest = head;
  for (const name of names) {
    const [before, after, ...more] = rest.split(`\r\n${name}: `);
    if (before === undefined || after === undefined || more.length > 0) return null;
    pieces.push(`${before}\r\n${name}: `);
    rest = after.slice(after.indexOf('\r\n'));
  }
  return [...pieces, rest];
}

let date = { second: 0, text: '' };

/** RFC 9110 §5.6.7: the time as a Date header tells it, by the second. */
function currentDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== date.second) date = { second, text: new Date(second * 1000).toUTCString() };
  return date.text;
}

/** An answer to nobody. */
const probeHead = () =>
  new ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} } as IncomingMessage);

/** Whether the head of an answer is a text that is not yet sent, as `writeHead` leaves it. */
function holdsHead(response: ServerResponse): response is ServerResponse & { _header: string } {
  const head = (response as { _header?: unknown })._header;
  return typeof head === 'string' && head.endsWith('\r\n\r\n');
}

/** The same headers as names and values. */
export function standardHeaderPairs(): [name: string, value: string][] {
  const pairs = Object.entries(UNCACHEABLE);
  const response = {
    setHeader: (name: string, value: string) => void pairs.push([name, value]),
    removeHeader: () => undefined,
  };
  helmet(SECURED as unknown as Parameters<typeof helmet>[0])(
    {} as IncomingMessage,
    response as unknown as ServerResponse,
    (error) => {
      if (error) throw error;
    },
  );
  return pairs;
}
