// Headers that every answer carries, set before anything can go wrong, so that errors have them too. Pages replace the
// content security policy by their own (http/page.ts).

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import helmet from 'helmet';
import type { Middleware } from './route.ts';

const YEAR_SECONDS = 31_536_000;
/** An idle connection is kept longer than a proxy keeps its own (nginx 60 s): we never close one that it is about to use. */
export const KEEP_ALIVE_SECONDS = 65;

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

/** What stands above an answer that is made without Koa; the standard headers are a part of it. */
export type Head = {
  readonly status: number;
  /** As Node takes it: names and values in turns. */
  list(values: readonly string[], cookies: readonly string[]): string[];
  /**
   * As it goes over the wire, with all that Node would add to it (RFC 9112 §4).
   * @param isKept whether the connection stays open
   * @throws TypeError when a value could break out of its header
   */
  text(values: readonly string[], cookies: readonly string[], isKept: boolean): string;
};

/**
 * A head that is sent again and again with other values: Node checks every header of every answer letter by letter, here only what
 * differs is.
 * @param head constant: names and values; names: of the headers whose values differ
 */
export function createHead(head: { status: number; constant: readonly string[]; names: readonly string[] }): Head {
  const { status, constant, names } = head;
  const standard = standardHeaderPairs().flat();
  const opening = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${linesOf(constant)}`;
  const [first = '', ...further] = names.map((name) => `${name}: `);
  const moulds = [`${opening}${first}`, ...further.map((name) => `\r\n${name}`)];
  const before = `\r\n${linesOf(standard)}Date: `;
  const kept = `\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${KEEP_ALIVE_SECONDS}\r\n\r\n`;
  const closed = '\r\nConnection: close\r\n\r\n';

  return {
    status,
    list: (values, cookies) => [
      ...constant,
      ...names.flatMap((name, index) => [name, values[index] ?? '']),
      ...cookies.flatMap((cookie) => ['Set-Cookie', cookie]),
      ...standard,
    ],
    text(values, cookies, isKept) {
      let text = '';
      for (let index = 0; index < moulds.length; index++) text += (moulds[index] ?? '') + harmless(values[index] ?? '');
      for (const cookie of cookies) text += `\r\nSet-Cookie: ${harmless(cookie)}`;
      return text + before + currentDate() + (isKept ? kept : closed);
    },
  };
}

function linesOf(list: readonly string[]): string {
  let lines = '';
  for (let index = 0; index < list.length; index += 2) lines += `${list[index]}: ${list[index + 1]}\r\n`;
  return lines;
}

/** RFC 9110 §5.5: anything but visible ASCII and spaces could break out of a header. */
function harmless(value: string): string {
  if (/[^\x20-\x7e]/.test(value)) throw new TypeError('A header holds a character that is not permitted there.');
  return value;
}

let date = { second: 0, text: '' };

/** RFC 9110 §5.6.7: the time as a Date header tells it, by the second. */
function currentDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== date.second) date = { second, text: new Date(second * 1000).toUTCString() };
  return date.text;
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
