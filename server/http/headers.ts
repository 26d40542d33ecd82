// Headers that every answer carries, set before anything can go wrong, so that errors have them too. Pages replace the
// content security policy by their own (http/page.ts).

import helmet from 'koa-helmet';
import type { Middleware } from './route.ts';

const YEAR_SECONDS = 31_536_000;

/** Security and caching headers for every answer. */
export function standardHeaders(): Middleware {
  const secured = helmet({
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
  }) as unknown as Middleware;
  return async (ctx, next) => {
    // RFC 9111 §5.2.2.5: statuses such as 204, 301, 404 and 405 may otherwise be stored without being asked to.
    ctx.set({
      'Cache-Control': 'no-store',
      Pragma: 'no-cache',
      'CDN-Cache-Control': 'no-store',
      'Surrogate-Control': 'no-store',
      Vary: 'Cookie, Origin',
      'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()',
    });
    return secured(ctx, next);
  };
}
