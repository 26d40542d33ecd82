// Headers that every answer carries, set before anything can go wrong, so that errors have them too. Pages replace the
// content security policy by their own (http/page.ts).

import type { IncomingMessage, ServerResponse } from 'node:http';
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

/** The same headers as names and values, worked out once; for an answer that is written without Koa. */
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
