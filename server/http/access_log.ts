// One line per request: route name, status, time, never the query, a cookie or a body. Also the request id, which error
// pages show so that a reader and an operator can speak of the same request.

import { randomBytes } from 'node:crypto';
import type { Log } from '../lib/log.ts';
import type { Context, Middleware } from './route.ts';

const QUIET = 'bridgekeeper.me';

/** Numbers every request and logs its outcome. `observe` is told the route name, status and seconds. */
export function accessLog(options: {
  log: Log;
  observe(request: { route: string; status: number; seconds: number }): void;
}): Middleware {
  return async (ctx: Context, next) => {
    const started = performance.now();
    ctx.state['requestId'] = randomBytes(9).toString('base64url');
    ctx.set('X-Request-Id', ctx.state['requestId'] as string);
    await next();
    const milliseconds = performance.now() - started;
    const route = (ctx.state['route'] as string | undefined) ?? 'none';
    options.observe({ route, status: ctx.status, seconds: milliseconds / 1000 });
    // As many as page views, and as most of them are answered without a line (bridgekeeper/session_check.ts).
    const level = route === QUIET && ctx.status < 500 ? 'debug' : 'info';
    options.log[level]({
      request: ctx.state['requestId'],
      method: ctx.method,
      route,
      host: ctx.state['host'] ?? null,
      address: ctx.state['address'] ?? null,
      status: ctx.status,
      milliseconds: Math.round(milliseconds * 10) / 10,
    });
  };
}
