// Tokens for integrations, under both prefixes that callers write: who is signed in, for an integration that a page talks to;
// and a token of the integration itself, for its secret.

import type { Account } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { type Context, routes } from '../http/route.ts';
import { limitFailures } from '../oauth/middleware.ts';
import type { IntegrationTokens } from '../oauth/oauth.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';
import { presentIntegrationClaims } from './present.ts';

export function bridgekeeperIntegrationRoutes(options: {
  integrationTokens: IntegrationTokens;
  reader: Reader;
  rateLimits: RateLimits;
}) {
  const { integrationTokens, reader, rateLimits } = options;

  async function tellReader(ctx: Context) {
    const { account } = await requireReader(ctx);
    const token = await integrationTokens.signForReader(siteOf(ctx).realm, idOf(ctx), claimsOf(account));
    // Published callers look the name up in lower case, and take an absent header for nobody.
    ctx.res.setHeader('x-integration-token', token);
    ctx.body = { success: true };
  }

  /** 403 and not 401: that is what callers of this address expect for nobody. */
  async function requireReader(ctx: Context) {
    const signedIn = await reader.find(ctx);
    if (!signedIn) throw new AppError('forbidden', { description: 'Sign in first: there is no live session.' });
    return signedIn;
  }

  async function admin(ctx: Context) {
    const { secret } = readQuery(ctx, ['secret']);
    const { realm } = siteOf(ctx);
    const given = { authorization: ctx.get('Authorization'), secret };
    const client = await limitFailures(ctx, rateLimits, () => integrationTokens.authenticate(realm, idOf(ctx), given));
    ctx.body = { token: await integrationTokens.signForAdmin(realm, client, addressOf(ctx)) };
  }

  const forReader = {
    on: 'any',
    answers: 'json',
    effect: 'reads',
    csrf: 'none: reads',
    limit: 'none: two indexed reads',
    handle: tellReader,
  } as const;
  const forAdmin = {
    on: 'any',
    answers: 'json',
    effect: 'acts',
    csrf: 'own: the client authenticates',
    limit: 'client-authentication',
    handle: admin,
  } as const;
  return routes([
    {
      ...forReader,
      name: 'bridgekeeper.integration_token',
      method: 'GET',
      path: '/api/auth/v1/access-token/integrations/:id',
    },
    {
      ...forReader,
      name: 'bridgekeeper.integration_token_short',
      method: 'GET',
      path: '/api/v1/access-token/integrations/:id',
    },
    {
      ...forAdmin,
      name: 'bridgekeeper.admin_token',
      method: 'GET',
      path: '/api/auth/v1/admin/access-token/integrations/:id',
    },
    {
      ...forAdmin,
      name: 'bridgekeeper.admin_token_short',
      method: 'GET',
      path: '/api/v1/admin/access-token/integrations/:id',
    },
  ]);
}

const idOf = (ctx: Context): string => String(ctx['params']?.id ?? '');

const claimsOf = (account: Account) => presentIntegrationClaims(account, Date.now());
