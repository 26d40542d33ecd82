// THE MAP: middleware in the order in which a request meets it, then every feature's routes in one list.

import Router from '@koa/router';
import Koa from 'koa';
import { accountPageRoutes } from './account_page/routes.ts';
import { bridgekeeperContactRoutes } from './bridgekeeper/contact_routes.ts';
import { bridgekeeperHostTokenRoutes } from './bridgekeeper/host_token_routes.ts';
import { bridgekeeperIntegrationRoutes } from './bridgekeeper/integration_routes.ts';
import { bridgekeeperOAuthRoutes } from './bridgekeeper/oauth_routes.ts';
import { bridgekeeperPasskeyRoutes } from './bridgekeeper/passkey_routes.ts';
import { presentBareFailure, presentFailure } from './bridgekeeper/present.ts';
import { bridgekeeperScriptRoutes } from './bridgekeeper/script_routes.ts';
import { bridgekeeperSecondFactorRoutes } from './bridgekeeper/second_factor_routes.ts';
import { bridgekeeperSessionRoutes } from './bridgekeeper/session_routes.ts';
import { bridgekeeperSessionTokenRoutes } from './bridgekeeper/session_token_routes.ts';
import { bridgekeeperUpstreamRoutes } from './bridgekeeper/upstream_routes.ts';
import { bridgekeeperUserRoutes } from './bridgekeeper/user_routes.ts';
import { findSite } from './clients/middleware.ts';
import { accessLog } from './http/access_log.ts';
import { parseNetworks } from './http/address.ts';
import { browserState } from './http/browser_state.ts';
import type { MayRead } from './http/cors.ts';
import { AppError, catchErrors, ERRORS } from './http/errors.ts';
import { acceptsHtml } from './http/fetch_metadata.ts';
import { guardRoute } from './http/guard.ts';
import { standardHeaders } from './http/headers.ts';
import type { Context, Middleware, Route } from './http/route.ts';
import { assetRoutes } from './login/asset_routes.ts';
import { codeRoutes } from './login/code_routes.ts';
import { linkRoutes } from './login/link_routes.ts';
import { recoveryRoutes } from './login/recovery_routes.ts';
import { relatedOriginsRoutes } from './login/related_origins_routes.ts';
import { loginRoutes } from './login/routes.ts';
import { secondFactorRoutes } from './login/second_factor_routes.ts';
import { sessionLimitRoutes } from './login/session_limit_routes.ts';
import { signOutRoutes } from './login/sign_out_routes.ts';
import { signUpRoutes } from './login/sign_up_routes.ts';
import { presentOAuthError } from './oauth/oauth.ts';
import { providerRoutes } from './oauth/provider_routes.ts';
import { registrationRoutes } from './oauth/registration_routes.ts';
import { tokenRoutes } from './oauth/token_routes.ts';
import { oidcRoutes } from './oidc/routes.ts';
import { productRoutes } from './products/routes.ts';
import { findSiteOf, siteOf } from './realms/middleware.ts';
import type { Services } from './services.ts';
import { upstreamRoutes } from './upstream/routes.ts';

/** Every route of the public server. */
export function listRoutes(services: Services): readonly Route[] {
  return [
    ...bridgekeeperUserRoutes(services),
    ...bridgekeeperContactRoutes(services),
    ...bridgekeeperSecondFactorRoutes(services),
    ...bridgekeeperPasskeyRoutes(services),
    // Before the routes of sessions/:id, whose pattern its address would fit.
    ...bridgekeeperSessionTokenRoutes(services),
    ...bridgekeeperSessionRoutes(services),
    ...bridgekeeperOAuthRoutes(services),
    ...bridgekeeperHostTokenRoutes(services),
    ...bridgekeeperIntegrationRoutes(services),
    ...bridgekeeperScriptRoutes(),
    ...bridgekeeperUpstreamRoutes(services),
    ...assetRoutes(services),
    ...loginRoutes(services),
    ...signUpRoutes(services),
    ...codeRoutes(services),
    ...linkRoutes(services),
    ...recoveryRoutes(services),
    ...secondFactorRoutes(services),
    ...sessionLimitRoutes(services),
    ...relatedOriginsRoutes(services),
    ...signOutRoutes(services),
    ...upstreamRoutes(services),
    ...providerRoutes(services),
    ...tokenRoutes(services),
    ...registrationRoutes(services),
    ...oidcRoutes(services),
    ...productRoutes(services),
    ...accountPageRoutes(services),
  ];
}

/** The application as a Koa app, not yet listening. */
export function createApp(services: Services): Koa {
  const { log, metrics, realms, clients, config, secrets } = services;
  const app = new Koa();
  // Koa's own last resort prints to the console; everything expected is caught before it.
  app.silent = true;
  app.on('error', (error) => log.error({ err: error }, 'answer could not be sent'));
  const routes = listRoutes(services);
  const answers = new Map(routes.map((route) => [`${route.method} ${route.path}`, route.answers]));
  const router = routerFor(routes, (ctx, origin) => clients.isPublicOrigin(siteOf(ctx).realm.id, origin));

  const middleware: Middleware[] = [
    accessLog({ log, observe: metrics.observeRequest }),
    standardHeaders(),
    catchErrors({
      log,
      present: (ctx, refusal) => {
        // Failed before it was known on which site: whoever asks this address reads one form of answer alone (RFC 6749 §5.2).
        if (!findSiteOf(ctx)) ctx.state['answers'] ??= answers.get(`${ctx.method} ${ctx.path}`);
        presentRefusal(services, ctx, refusal);
      },
    }),
    findSite({ realms, clients, proxies: parseNetworks(config.proxies) }),
    browserState({ app, secrets }),
    router,
  ];
  for (const one of middleware) app.use(one);
  return app;
}

/** The routes behind a router that matches exactly: other letters, slashes or encodings are other addresses. */
function routerFor(routes: readonly Route[], mayRead: MayRead): Middleware {
  const router = new Router({ sensitive: true, strict: true });
  const byPath = new Map<string, Route[]>();
  for (const route of routes) byPath.set(route.path, [...(byPath.get(route.path) ?? []), route]);
  // One entry per path for all methods: what is not served there is answered by the guard, with `Allow`. Most paths are fixed
  // and found at once; the router tries its patterns one after the other.
  const fixed = new Map<string, Middleware>();
  for (const [path, group] of byPath) {
    const guard = guardRoute(group, { siteOf, mayRead });
    if (path.includes(':')) router.all(path, guard);
    else fixed.set(path, guard);
  }
  const dispatch = router.routes() as unknown as Middleware;
  return async (ctx, next) => {
    await (fixed.get(ctx.path) ?? dispatch)(ctx, () => dispatch(ctx, next));
    if (ctx.state['route'] === undefined) throw new AppError('not_found');
  };
}

type Presented = Parameters<Parameters<typeof catchErrors>[0]['present']>[1];

/** A refusal as a page for a browser that opened one, else as JSON. */
function presentRefusal(services: Services, ctx: Context, refusal: Presented): void {
  if (ctx.state['answers'] === 'oauth') {
    ctx.body = presentOAuthError(refusal);
    return;
  }
  const isJson = ['json', 'script'].includes(ctx.state['answers']) || !acceptsHtml(ctx);
  if (isJson) {
    const isBare = ctx.state['route'] === 'bridgekeeper.reset_password';
    ctx.body = isBare ? presentBareFailure(refusal) : presentFailure(refusal);
    return;
  }
  try {
    services.pages.render(ctx, {
      view: 'error',
      here: null,
      data: {
        code: ERRORS[refusal.code].page,
        detailRows: refusal.rows,
        reference: String(ctx.state['requestId'] ?? ''),
        continueUrl: refusal.continueUrl,
        retryAfterSeconds: Number(refusal.headers['Retry-After'] ?? 0) || null,
        status: refusal.status,
      },
    });
  } catch (error) {
    services.log.error({ err: error }, 'error page could not be rendered');
    ctx.type = 'text/plain; charset=utf-8';
    ctx.body = refusal.description;
  }
}
