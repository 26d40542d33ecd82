// `GET|POST /verify/:client_id` (QuickBlox's verification endpoint) and `POST /hooks/profile/:client_id` (profile pushback), on
// the auth domain. Both are called by servers of products: no cookie is read, no page of another site may read an answer.

import { z } from 'zod';
import type { Client, Clients } from '../clients/clients.ts';
import { hasContentType, readForm, readJson } from '../http/body.ts';
import { AppError, clientGone } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { type Context, routes } from '../http/route.ts';
import { isCleanText } from '../http/text.ts';
import type { Attempt } from '../login/login.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import { addressOf, languageOf, siteOf } from '../realms/middleware.ts';
import type { Products } from './products.ts';
import { readPushback } from './pushback.ts';
import { type Carried, readCarried } from './verification.ts';

const LONGEST_CREDENTIAL = 8192;
const jsonParameters = z.record(z.string(), z.unknown());
const formParameters = z.record(z.string(), z.string());

export function productRoutes(options: { products: Products; clients: Clients; rateLimits: RateLimits }) {
  const { products, clients, rateLimits } = options;

  async function verify(ctx: Context) {
    const client = await clientOf(ctx);
    const verification = client?.protocol.verification;
    if (!client || !verification)
      throw new AppError('not_found', { description: 'No client of that name has its credentials verified here.' });
    const parameters =
      ctx.method === 'POST' ? await readParameters(ctx) : readQuery(ctx, [verification.user, verification.credential]);
    const carried: Carried = { header: (name) => ctx.get(name), parameters };
    const [user, credential] = [readCarried(verification.user, carried), readCarried(verification.credential, carried)];
    if (user === 'several' || credential === 'several')
      throw new AppError('invalid_request', { description: 'A header and a parameter disagree; send one of them.' });
    for (const value of [user ?? '', credential ?? '']) {
      if (value.length > LONGEST_CREDENTIAL || !isCleanText(value))
        throw new AppError('invalid_request', { description: 'A value is too long or has control characters.' });
    }
    if (credential === null) throw refuseCredential();
    const verified = await products.verify(attemptOf(ctx), client, verification, { user, credential });
    if (verified.ok) {
      ctx.body = verified.answer;
      return;
    }
    switch (verified.reason) {
      case 'wrong':
        throw refuseCredential();
      case 'throttled':
        throw new AppError('too_many_requests', { retryAfterSeconds: verified.retryAfterSeconds });
      case 'mapping':
        throw new AppError('server_error', { detail: { client: client.clientId, reason: verified.detail } });
      default:
        throw verified satisfies never;
    }
  }

  async function takeProfile(ctx: Context) {
    const client = await clientOf(ctx);
    const secret = /^bearer +([\x21-\x7e]{1,512})$/i.exec(ctx.get('Authorization'))?.[1];
    const pushback = client?.protocol.pushback;
    if (!client || !pushback || secret === undefined || !products.isHookSecret(client, secret))
      throw await refuseHook(ctx);
    const body = await readJson(ctx, jsonParameters);
    const read = readPushback(pushback, {
      body,
      eventHeader: ctx.get('Idempotency-Key') || ctx.get('webhook-id') || null,
    });
    if (!read.ok) throw new AppError('invalid_request', { description: read.fault });
    const pushed = await products.takeProfile(client, read.pushed, { address: addressOf(ctx) });
    if (!pushed.ok) throw new AppError('not_found', { description: 'No account is meant by this event.' });
    ctx.body = { status: pushed.isRepeated ? 'repeated' : 'done', fields: pushed.isRepeated ? [] : read.pushed.names };
  }

  async function clientOf(ctx: Context): Promise<Client | null> {
    const { client_id: clientId = '' } = (ctx as { params?: Record<string, string> }).params ?? {};
    return clients.find(siteOf(ctx).realm.id, clientId);
  }

  /** One answer for an unknown client, a client without a hook and a wrong secret; many of them from one address end in 429. */
  async function refuseHook(ctx: Context): Promise<AppError> {
    const key = `${siteOf(ctx).realm.id}:${addressOf(ctx) ?? 'unknown'}`;
    const taken = await rateLimits.take([{ policy: 'client-authentication', key, points: 300, seconds: 300 }]);
    if (!taken.isAllowed) return new AppError('too_many_requests', { retryAfterSeconds: taken.retryAfterSeconds });
    return new AppError('invalid_client', {
      description: 'Send the secret of this hook as a bearer token.',
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  }

  const base = { on: 'auth', answers: 'oauth', effect: 'acts' } as const;
  const verification = {
    ...base,
    limit: 'sign-in-account',
    csrf: 'own: acts on the credential in the request alone',
  } as const;
  return routes([
    { ...verification, name: 'products.verify', method: 'GET', path: '/verify/:client_id', handle: verify },
    { ...verification, name: 'products.verify_by_post', method: 'POST', path: '/verify/:client_id', handle: verify },
    {
      ...base,
      name: 'products.take_profile',
      method: 'POST',
      path: '/hooks/profile/:client_id',
      limit: 'client-authentication',
      csrf: 'own: the client authenticates',
      handle: takeProfile,
    },
  ]);
}

/** RFC 6750 §3 asks for the challenge; QuickBlox relays the rest to the application as it is. */
function refuseCredential(): AppError {
  return new AppError('invalid_token', {
    description: 'The credential is unknown, wrong, expired or of another user.',
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  });
}

/** The parameters of a body, form or JSON; none when there is no body, since everything may stand in headers. */
async function readParameters(ctx: Context): Promise<Record<string, string>> {
  const isEmpty =
    ctx.get('Content-Type') === '' || (ctx.get('Content-Length') === '0' && ctx.get('Transfer-Encoding') === '');
  if (isEmpty) return {};
  if (!hasContentType(ctx, 'application/json')) return readForm(ctx, formParameters);
  const body = await readJson(ctx, jsonParameters);
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'number' ? [[name, String(value)]] : [],
    ),
  );
}

function attemptOf(ctx: Context): Attempt {
  const { realm, domain } = siteOf(ctx);
  return {
    realm,
    host: domain.host,
    address: addressOf(ctx),
    userAgent: ctx.get('User-Agent') || null,
    locale: languageOf(ctx),
    deviceCookie: null,
    browser: null,
    current: null,
    signal: clientGone(ctx),
  };
}
