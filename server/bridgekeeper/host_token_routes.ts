// `POST /oauth/token`: the backend of a site turns a code into the session of its own host (contract §2; security 204). Errors
// are those of the standard (RFC 6749 §5.2).

import { readRawForm } from '../http/body.ts';
import { type Context, routes } from '../http/route.ts';
import { limitFailures } from '../oauth/middleware.ts';
import { type HostTokens, oauthError } from '../oauth/oauth.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';

const API_KEY = 'X-BK-AUTH';

export function bridgekeeperHostTokenRoutes(options: { hostTokens: HostTokens; rateLimits: RateLimits }) {
  const { hostTokens, rateLimits } = options;

  async function token(ctx: Context) {
    const form = await readRawForm(ctx);
    const { realm } = siteOf(ctx);
    const client = await limitFailures(ctx, rateLimits, () =>
      hostTokens.authenticate(realm.id, {
        clientId: form.get('client_id'),
        clientSecret: form.get('client_secret'),
        apiKey: ctx.get(API_KEY),
      }),
    );
    const grant = form.get('grant_type');
    if (grant === undefined) throw oauthError('invalid_request', { description: 'Send grant_type.' });
    if (grant !== 'authorization_code') throw oauthError('unsupported_grant_type');
    const made = await hostTokens.redeem(client, {
      code: form.get('code'),
      redirectUri: form.get('redirect_uri'),
      address: addressOf(ctx),
    });
    ctx.body = {
      access_token: made.credential.token,
      token_type: 'Bearer',
      expires_in: made.remainingSeconds,
      // The second cookie, `__Host-qt-auth`: without it the first may have been tossed by a sibling host, and is not believed.
      companion: made.credential.companion,
    };
  }

  return routes([
    {
      name: 'bridgekeeper.host_token',
      method: 'POST',
      path: '/api/auth/v1/oauth/token',
      on: 'any',
      answers: 'oauth',
      effect: 'acts',
      csrf: 'own: the client authenticates',
      limit: 'client-authentication',
      handle: token,
    },
  ]);
}
