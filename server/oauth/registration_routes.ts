// `POST /oauth/register` on the auth domain (RFC 7591 §3): off unless the realm's setting dynamic_registration is on, and
// behind an initial access token that an operator made (security 178).

import { z } from 'zod';
import { readJson } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { type Context, routes } from '../http/route.ts';
import { isTaggedToken } from '../lib/token.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';
import { oauthError } from './oauth_error.ts';
import type { Registration } from './registration.ts';

const BEARER = /^bearer +(\S+)$/i;

export function registrationRoutes({ registration }: { registration: Registration }) {
  async function register(ctx: Context) {
    const { realm } = siteOf(ctx);
    if (realm.settings.dynamic_registration !== 'on') throw new AppError('not_found');
    const header = ctx.get('Authorization');
    const token = BEARER.exec(header)?.[1];
    // Known before the body is read: without a token nobody learns what the rules are.
    if (token === undefined || !isTaggedToken('cwi', token) || !(await registration.isUsable(realm.id, token)))
      throw refuseToken(header !== '');
    const sent = await readJson(ctx, z.record(z.string(), z.unknown()));
    const registered = await registration.register(realm, token, sent, addressOf(ctx));
    if (!registered) throw refuseToken(true);
    ctx.status = 201;
    // RFC 7591 §3.2.1: the answer holds a secret.
    ctx.set('Cache-Control', 'no-store');
    ctx.body = registered;
  }

  return routes([
    {
      name: 'oauth.register',
      method: 'POST',
      path: '/oauth/register',
      on: 'auth',
      answers: 'oauth',
      effect: 'acts',
      limit: 'none: initial access tokens of 256 bits, each with its number of uses; 1000 clients per realm',
      csrf: 'own: the initial access token',
      handle: register,
    },
  ]);
}

/** RFC 6750 §3: the challenge names an error only if a token was sent. */
function refuseToken(wasSent: boolean) {
  const challenge = wasSent ? 'Bearer error="invalid_token"' : 'Bearer';
  return oauthError('invalid_token', {
    description: 'Send an initial access token that is valid and not used up.',
    headers: { 'WWW-Authenticate': challenge },
  });
}
