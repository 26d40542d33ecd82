// One-time session tokens: an app that holds a session of a site opens the site in a web view, signed in. The app asks for the
// token on the site's own host and gets, in the same answer, the flow cookie that the web view must hold; what the token
// becomes is a session of that host alone, and in nobody else's browser (security 201: login CSRF, replay, leaks by referrer).

import { z } from 'zod';
import type { Accounts } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { type Client, type Clients, callbackOrigins, matchRedirectUri } from '../clients/clients.ts';
import { readJson } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { isSubresource } from '../http/fetch_metadata.ts';
import { readQuery } from '../http/query.ts';
import { configuredUrl, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { CallbackUri } from '../lib/ids.ts';
import { parseToken } from '../lib/token.ts';
import { checkCallback } from '../lib/url.ts';
import { type OAuth, SESSION_TOKEN_SECONDS } from '../oauth/oauth.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';
import { setCredential } from '../sessions/middleware.ts';
import { endFlows, endQuiet, readFlows, startFlow } from './middleware.ts';
import { presentUser } from './present.ts';

const issueBody = z.object({});
const NO_CLIENT = 'This domain has no enabled client.';

export function bridgekeeperSessionTokenRoutes(options: {
  oauth: OAuth;
  accounts: Accounts;
  reader: Reader;
  clients: Clients;
}) {
  const { oauth, accounts, reader, clients } = options;

  async function issue(ctx: Context) {
    await readJson(ctx, issueBody);
    requireSwitchedOn(ctx, 'forbidden');
    const { session } = await reader.require(ctx);
    const client = await clientOf(ctx);
    const redirectUri = matchRedirectUri(client, client.redirectUris[0]);
    if (!redirectUri) throw new AppError('unknown_client', { description: NO_CLIENT });
    const flowHash = Buffer.from(startFlow(ctx, { isRestart: false }), 'base64url');
    const callbackUri = frontPageOf(client);
    const token = await oauth.issueSessionToken(session, { client, redirectUri, callbackUri, flowHash });
    // Signed out between two statements: as if the sign-out had come first.
    if (token === null) throw new AppError('unauthenticated');
    ctx.body = { 'access-token': token, 'expires-in': SESSION_TOKEN_SECONDS };
  }

  async function redeem(ctx: Context) {
    const query = readQuery(ctx, ['access-token', 'redirect-url', 'redirect']);
    if (isSubresource(ctx)) throw new AppError('forbidden', { description: 'This address is opened as a page.' });
    requireSwitchedOn(ctx, 'session_token_invalid');
    const client = await clientOf(ctx);
    const { domain } = siteOf(ctx);
    // Looked at before the token is used up: a mistyped address loses nothing.
    const target = requireTarget(client, query['redirect-url']);
    const token = parseToken(query['access-token']);
    const current = (await reader.find(ctx))?.session ?? null;
    const outcome = token
      ? await oauth.redeem({
          code: token,
          kind: 'session-token',
          host: domain.host,
          client,
          flowHashes: readFlows(ctx).map(({ hash }) => hash),
          current,
          address: addressOf(ctx),
        })
      : null;
    if (outcome?.kind === 'created') {
      ctx.remove('Set-Cookie');
      endFlows(ctx);
      endQuiet(ctx);
      setCredential(ctx, outcome.credential, outcome.remainingSeconds);
      if (query.redirect === 'true') return seeOther(ctx, target);
      const made = await accounts.findSignedIn({ kind: 'cookie', ...outcome.credential }, domain.host);
      if (!made) throw new AppError('unauthenticated');
      ctx.body = { user: presentUser(made.account) };
      return;
    }
    // The same web view loads the address again: it holds its session, and nothing new is made.
    if (outcome?.kind === 'again') {
      if (query.redirect === 'true') return seeOther(ctx, target);
      ctx.body = { user: presentUser((await reader.require(ctx)).account) };
      return;
    }
    // Every other token: no second way in, such as a flow that starts again, for an address that an app made.
    throw new AppError('session_token_invalid', { continueUrl: configuredUrl(`${domain.origin}/`) });
  }

  async function clientOf(ctx: Context): Promise<Client> {
    const client = await clients.findForHost(siteOf(ctx).domain.host);
    if (!client) throw new AppError('unknown_client', { description: NO_CLIENT });
    return client;
  }

  return routes([
    {
      name: 'bridgekeeper.issue_session_token',
      method: 'POST',
      path: '/api/auth/v1/sessions/access-token',
      on: 'client',
      answers: 'json',
      effect: 'acts',
      csrf: 'json',
      limit: 'none: only what belongs to the caller, for a minute',
      handle: issue,
    },
    {
      name: 'bridgekeeper.redeem_session_token',
      method: 'GET',
      path: '/api/auth/v1/sessions/access-token/validate',
      on: 'client',
      answers: 'page',
      effect: 'acts',
      csrf: 'own: the flow cookie of this browser',
      limit: 'none: a token is 256 random bits and single-use',
      handle: redeem,
    },
  ]);
}

/** Off unless the realm wants it: an address that signs in is one more thing to be attacked. */
function requireSwitchedOn(ctx: Context, code: 'forbidden' | 'session_token_invalid') {
  if (siteOf(ctx).realm.settings.session_tokens === 'on') return;
  throw new AppError(code, { description: 'Session tokens are switched off in this realm (setting session_tokens).' });
}

/** Where the web view goes: a page of this site that was asked for, else its front page. RFC 9700 §4.11: nowhere else. */
function requireTarget(client: Client, wanted: string | undefined): CallbackUri {
  if (wanted === undefined) return frontPageOf(client);
  const checked = checkCallback(wanted, callbackOrigins(client));
  if (checked.ok) return checked.callback;
  throw new AppError('callback_not_allowed', {
    description: 'The redirect-url is not a page of this site.',
    continueUrl: frontPageOf(client),
  });
}

function frontPageOf(client: Client): CallbackUri {
  const checked = checkCallback(`${client.domain?.origin ?? ''}/`, callbackOrigins(client));
  if (!checked.ok) throw new AppError('unknown_client', { description: NO_CLIENT });
  return checked.callback;
}
