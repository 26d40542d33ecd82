// What stands in front of every handler, decided from the fields of its route: host, method, prefetch, cross-site guards.

import { allowOrigin, answerPreflight, type MayRead } from './cors.ts';
import { guardForm, guardJson, requireOwnOrigin } from './csrf.ts';
import { AppError } from './errors.ts';
import { throwNoted } from './failures.ts';
import { isPrefetch, isSubresource } from './fetch_metadata.ts';
import type { Context, Middleware, Route } from './route.ts';
import { isCleanText } from './text.ts';

type SiteLike = { domain: { role: 'auth' | 'client'; origin: string } };

/** The middleware of one path: picks the route for the method and lets the request in only past its guards. */
export function guardRoute(
  group: readonly Route[],
  { siteOf, mayRead }: { siteOf(ctx: Context): SiteLike; mayRead: MayRead },
): Middleware {
  return async (ctx, next) => {
    const { domain } = siteOf(ctx);
    const served = group.filter((route) => route.on === 'any' || route.on === domain.role);
    // Not served on this host: the next entry, or nothing.
    if (served.length === 0) {
      await next();
      return;
    }
    if (await answerPreflight(ctx, served, mayRead)) {
      ctx.state['route'] = 'preflight';
      return;
    }
    const route = pick(ctx, served);
    ctx.state['route'] = route.name;
    ctx.state['answers'] = route.answers;
    emptyUnclean(ctx);
    if (route.cors === 'public-clients') await allowOrigin(ctx, mayRead);
    if (route.effect === 'acts' && isPrefetch(ctx))
      throw new AppError('forbidden', { description: 'This address is not to be fetched ahead.' });
    // JSON is read by scripts, never shown as a part of a page: loaded as one, it could only leak (XSSI).
    if (route.answers === 'json' && isSubresource(ctx))
      throw new AppError('forbidden', { description: 'This address is not a part of a page.' });
    guardOrigin(ctx, route, domain.origin);
    throwNoted(ctx.req);
    await route.handle(ctx);
  };
}

function pick(ctx: Context, served: readonly Route[]): Route {
  // RFC 9110 §9.3.2: HEAD is GET without the body; where GET acts, HEAD must not, so it is not offered there.
  const wanted = ctx.method === 'HEAD' ? 'GET' : ctx.method;
  const route = served.find(({ method }) => method === wanted);
  if (route && !(ctx.method === 'HEAD' && route.effect === 'acts')) return route;
  ctx.state['route'] = 'method_not_allowed';
  ctx.state['answers'] = served[0]?.answers;
  throw new AppError('method_not_allowed', { headers: { Allow: allowed(served) } });
}

/** RFC 9110 §15.5.6: a 405 MUST carry `Allow`. */
function allowed(served: readonly Route[]): string {
  const methods = served.flatMap(({ method, effect }) =>
    method === 'GET' && effect === 'reads' ? ['GET', 'HEAD'] : [method],
  );
  return [...new Set(methods)].join(', ');
}

/**
 * Security 181: what stands percent-encoded in an address comes decoded from the router, judged by nobody. Nothing has a name with a
 * control character, as nothing has none at all, and each route has its own answer to that.
 */
function emptyUnclean(ctx: Context) {
  const parameters = ctx['params'] as Record<string, string> | undefined;
  for (const name in parameters) if (!isCleanText(parameters[name] ?? '')) parameters[name] = '';
}

function guardOrigin(ctx: Context, route: Route, origin: string) {
  switch (route.csrf) {
    case 'json':
      return guardJson(ctx, origin);
    case 'form':
      return guardForm(ctx, origin);
    case 'origin':
      return requireOwnOrigin(ctx, origin);
    default:
      // `own:` and `none:` carry their reason in the table.
      return;
  }
}
