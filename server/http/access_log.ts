// One line per request: route name, status, time, never the query, a cookie or a body. Also the request id, which error
// pages show so that a reader and an operator can speak of the same request.

import type { Log } from '../lib/log.ts';
import { createRandomTexts } from '../lib/random.ts';
import type { Context, Middleware } from './route.ts';

/** Bytes of a request id: 12 characters. */
export const ID_BYTES = 9;
const QUIET = 'bridgekeeper.me';

/** Numbers every request and logs its outcome. `observe` is told the route name, status and seconds. */
export function accessLog(options: {
  log: Log;
  observe(request: { route: string; status: number; seconds: number }): void;
}): Middleware {
  const { observe } = options;
  // Nothing in these lines may need to be redacted: they are made of what is known to be harmless.
  const lines = options.log.child({}, { redact: [] });
  const nextId = createRandomTexts(ID_BYTES);
  return async (ctx: Context, next) => {
    const started = performance.now();
    const id = nextId();
    ctx.state['requestId'] = id;
    ctx.res.setHeader('X-Request-Id', id);
    await next();
    const milliseconds = performance.now() - started;
    const route = (ctx.state['route'] as string | undefined) ?? 'none';
    observe({ route, status: ctx.status, seconds: milliseconds / 1000 });
    // As many as page views, and as most of them are answered without a line (bridgekeeper/session_check.ts).
    const level = route === QUIET && ctx.status < 500 ? 'debug' : 'info';
    lines[level]({
      request: id,
      method: ctx.method,
      route,
      host: ctx.state['host'] ?? null,
      address: ctx.state['address'] ?? null,
      status: ctx.status,
      milliseconds: Math.round(milliseconds * 10) / 10,
    });
  };
}
