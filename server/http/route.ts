// The Route record: one row per method and path, from which come the router, its guards, docs/routes.md and the tests
// that walk all routes. A path is written whole, so that a search for it finds the one line that serves it.

import type Koa from 'koa';

export type Context = Koa.Context;
export type Middleware = (ctx: Context, next: () => Promise<unknown>) => Promise<unknown>;

export type Route = {
  /** `<feature>.<verb>`; label of metrics and log lines. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: `/${string}`;
  /** Hosts that serve it. */
  readonly on: 'auth' | 'client' | 'any';
  /**
   * What an error looks like: JSON of the session-sharing API; a page for a browser that navigates; JSON beside a script that
   * pages load; or the JSON of the standard endpoints (RFC 6749 §5.2).
   */
  readonly answers: 'json' | 'page' | 'script' | 'oauth';
  /**
   * `reads`: nothing changes, HEAD is fine. `acts`: refused for HEAD and for prefetching browsers, which ask for pages
   * that nobody has asked to see (RFC 9110 §9.2.1).
   */
  readonly effect: 'reads' | 'acts';
  /** Name of a policy of ratelimit/policies.ts, or why none is needed. */
  readonly limit: string | `none: ${string}`;
  /**
   * Protection of a state-changing route against other sites: `json` (content type and origin), `form` (origin and a
   * token bound to the browser), `origin` (origin alone, no body), or the reason why the route guards itself.
   */
  readonly csrf: 'json' | 'form' | 'origin' | `own: ${string}` | `none: ${string}`;
  /** `public-clients`: pages on the origins of this realm's public clients may read the answer, without credentials. */
  readonly cors?: 'public-clients';
  handle(ctx: Context): Promise<void> | void;
};

/** Declares the routes of a feature; keeps their literal types checked. */
export function routes(list: readonly Route[]): readonly Route[] {
  return list;
}
