// One line per request: route name, status, time, never the query, a cookie or a body. Also the request id, which error
// pages show so that a reader and an operator can speak of the same request.

import type { Log } from '../lib/log.ts';
import { createRandomNames } from '../lib/random.ts';
import type { Context, Middleware } from './route.ts';

/** Bytes of a request id: 12 characters. */
export const ID_BYTES = 9;
const QUIET = 'bridgekeeper.me';

type Options = {
  log: Log;
  /** Is told route name, status and seconds of every request. */
  observe(request: { route: string; status: number; seconds: number }): void;
};

export type AccessLines = ReturnType<typeof createAccessLines>;

/** Writes the line of a request that has been answered. */
export function createAccessLines({ log, observe }: Options) {
  return (answered: {
    request: string;
    method: string;
    route: string;
    host: string | null;
    address: string | null;
    status: number;
    /** By `performance.now()`. */
    startedAt: number;
  }): void => {
    const { request, method, route, host, address, status, startedAt } = answered;
    const milliseconds = performance.now() - startedAt;
    observe({ route, status, seconds: milliseconds / 1000 });
    // As many as page views, and as most of them are answered without a line (front/session_check.ts).
    const level = route === QUIET && status < 500 ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) return;
    // As pino would write it. Nothing in these lines needs to be redacted: they are made of what is known to be harmless.
    const line = {
      level: log.levels.values[level],
      time: Date.now(),
      request,
      method,
      route,
      host,
      address,
      status,
      milliseconds: Math.round(milliseconds * 10) / 10,
    };
    log.destination.write(`${JSON.stringify(line)}\n`);
  };
}

/** Numbers every request and logs its outcome. */
export function accessLog(options: Options): Middleware {
  const write = createAccessLines(options);
  const nextId = createRandomNames(ID_BYTES);
  return async (ctx: Context, next) => {
    const startedAt = performance.now();
    const request = nextId();
    ctx.state['requestId'] = request;
    ctx.res.setHeader('X-Request-Id', request);
    await next();
    write({
      request,
      method: ctx.method,
      route: (ctx.state['route'] as string | undefined) ?? 'none',
      host: (ctx.state['host'] as string | undefined) ?? null,
      address: (ctx.state['address'] as string | undefined) ?? null,
      status: ctx.status,
      startedAt,
    });
  };
}
