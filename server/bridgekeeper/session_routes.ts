// Sessions in the session-sharing API: validate, list, end, sign out everywhere, and the stream that tells open tabs.

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import type { Database } from '../db/database.ts';
import { readForm } from '../http/body.ts';
import { requireOwnOrigin } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { acceptsHtml, isNavigation, isSubresource, requestOrigin } from '../http/fetch_metadata.ts';
import { readQuery } from '../http/query.ts';
import { configuredUrl, seeOther, type Target } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { createSealer } from '../lib/seal.ts';
import { checkCallback } from '../lib/url.ts';
import { type Login, logoutGate } from '../login/login.ts';
import { createSignedOutPage, noteSignedOut, type Told } from '../login/middleware.ts';
import { addressOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';
import { clearCredential } from '../sessions/middleware.ts';
import type { Sessions, Streams } from '../sessions/sessions.ts';
import { keepQuiet } from './middleware.ts';
import { presentSession, presentUser } from './present.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const confirmForm = z.object({
  csrf_token: z.string().max(2000).default(''),
  'redirect-url': z.string().max(2048).default(''),
});
const CONFIRM_SECONDS = 3600;

export function bridgekeeperSessionRoutes(options: {
  db: Database;
  login: Login;
  sessions: Sessions;
  streams: Streams;
  reader: Reader;
  clients: Clients;
  pages: SitePages;
  backChannelLogout: Told;
  secrets: readonly string[];
}) {
  const { db, login, sessions, streams, reader, pages } = options;
  const confirmations = createSealer({ secrets: options.secrets, purpose: 'confirm-sign-out' });
  const signedOutPage = createSignedOutPage(options);

  async function logout(ctx: Context) {
    const { domain } = siteOf(ctx);
    const { 'redirect-url': wanted } = readQuery(ctx, ['redirect-url']);
    const gate = logoutGate({
      from: requestOrigin(ctx, domain.origin),
      isSubresource: isSubresource(ctx),
      isNavigation: isNavigation(ctx),
      acceptsHtml: acceptsHtml(ctx),
    });
    if (gate === 'refuse') throw new AppError('forbidden', { description: 'Another site may not sign a reader out.' });
    const signedIn = await reader.find(ctx);
    if (reader.isContradictory(ctx))
      throw new AppError('unauthenticated', { description: 'Cookie and header are of different sessions.' });
    if (gate === 'ask' && signedIn) return askSignOut(ctx, signedIn, wanted ?? null);
    await endSession(ctx, signedIn);
    // Only the auth domain has the page that tells which sites were reached; a site's own link leads back to the site.
    if (signedIn && domain.role === 'auth') noteSignedOut(ctx, signedIn.session.id);
    const front = domain.role === 'auth' ? '/signed-out' : configuredUrl(`${domain.origin}/`);
    if (isNavigation(ctx)) return seeOther(ctx, afterSignOut(ctx, wanted, front));
    ctx.status = 204;
  }

  async function askSignOut(ctx: Context, { account, session }: SignedIn, wanted: string | null) {
    pages.render(ctx, {
      view: 'login/confirm_sign_out',
      data: {
        action: '/api/auth/v1/logout',
        csrfToken: await confirmations.seal({ d: session.domainSessionId }, CONFIRM_SECONDS),
        accountName: account.name ?? account.username ?? account.email ?? '',
        redirectUrl: wanted,
        stayUrl: '/',
      },
    });
  }

  /**
   * The button of the page that asks. Its token is bound to the session that it ends; a stale one asks again. Who was asked
   * is also told what came of it, unless the site wants its reader elsewhere.
   */
  async function confirmLogout(ctx: Context) {
    const form = await readForm(ctx, confirmForm);
    const signedIn = await reader.find(ctx);
    if (signedIn) {
      const sealed = await confirmations.open(form.csrf_token);
      if (sealed?.['d'] !== signedIn.session.domainSessionId) {
        ctx.status = 403;
        return askSignOut(ctx, signedIn, form['redirect-url'] || null);
      }
    }
    await endSession(ctx, signedIn);
    if (signedIn) noteSignedOut(ctx, signedIn.session.id);
    const page = siteOf(ctx).domain.role === 'auth' ? '/signed-out' : '/api/auth/v1/signed-out';
    seeOther(ctx, afterSignOut(ctx, form['redirect-url'] || undefined, page));
  }

  async function endSession(ctx: Context, signedIn: SignedIn | null) {
    const { realm, domain } = siteOf(ctx);
    if (reader.hasCredential(ctx)) await login.signOut(signedIn, { reason: 'signed-out', address: addressOf(ctx) });
    clearCredential(ctx, domain.host);
    // Who has just left is not signed in again by itself.
    if (domain.role === 'client') keepQuiet(ctx, settingSeconds(realm.settings.auto_sso_quiet));
  }

  async function showSignedOut(ctx: Context) {
    if (await reader.find(ctx)) return seeOther(ctx, '/');
    await signedOutPage.render(ctx, { continueUrl: '/', signInUrl: null });
  }

  async function validate(ctx: Context) {
    const signedIn = await reader.require(ctx);
    ctx.body = { user: presentUser(signedIn.account), sessions: await listFor(signedIn) };
  }

  async function list(ctx: Context) {
    ctx.body = { sessions: await listFor(await reader.require(ctx)) };
  }

  const listFor = async (signedIn: SignedIn) =>
    (await sessions.listOf(signedIn.account.id)).map((summary) => presentSession(summary, signedIn));

  async function endOne(ctx: Context) {
    const { account } = await reader.requireRecent(ctx);
    const id = String(ctx['params']?.id ?? '');
    const found = UUID.test(id) ? await sessions.findOf(account.id, id) : null;
    if (!found) {
      await db.settled();
      throw new AppError('not_found', { description: 'None of your sessions has this id.' });
    }
    const why = { reason: 'ended-by-owner', address: addressOf(ctx) } as const;
    await sessions.end({ id: found.id, realmId: account.realmId, accountId: account.id }, why);
    ctx.body = { message: 'The session has ended on every domain.' };
  }

  async function endOthers(ctx: Context) {
    const { account, session } = await reader.requireRecent(ctx);
    const { others } = readQuery(ctx, ['others']);
    if (others !== 'true')
      throw new AppError('invalid_request', {
        description: 'Name a session, or send others=true to end all but this one.',
      });
    const of = { realmId: account.realmId, accountId: account.id, except: session.id };
    const ended = await sessions.endAllOf(of, { reason: 'ended-by-owner', address: addressOf(ctx) });
    ctx.body = { message: 'All other sessions have ended.', ended };
  }

  /** Server-sent events; the answer is written here and not by Koa, and lasts until the session or the tab ends. */
  async function events(ctx: Context) {
    requireOwnOrigin(ctx, siteOf(ctx).domain.origin);
    const { session } = await reader.require(ctx);
    ctx.respond = false;
    // Proxies that buffer would hold the event back.
    ctx.res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
    streams.add(session.id, ctx.res);
    await streams.check(session.id);
  }

  const base = {
    on: 'any',
    answers: 'json',
    limit: 'none: one indexed read',
    csrf: 'none: reads',
    effect: 'reads',
  } as const;
  const own = 'none: ends only what belongs to the caller';
  return routes([
    {
      ...base,
      name: 'bridgekeeper.logout',
      method: 'GET',
      path: '/api/auth/v1/logout',
      answers: 'page',
      effect: 'acts',
      limit: own,
      csrf: 'own: Fetch Metadata gate (login/logout_gate.ts)',
      handle: logout,
    },
    {
      ...base,
      name: 'bridgekeeper.confirm_logout',
      method: 'POST',
      path: '/api/auth/v1/logout',
      answers: 'page',
      effect: 'acts',
      limit: own,
      csrf: 'form',
      handle: confirmLogout,
    },
    {
      ...base,
      name: 'bridgekeeper.show_signed_out',
      method: 'GET',
      path: '/api/auth/v1/signed-out',
      on: 'client',
      answers: 'page',
      handle: showSignedOut,
    },
    { ...base, name: 'bridgekeeper.validate', method: 'GET', path: '/api/auth/v1/sessions/validate', handle: validate },
    {
      ...base,
      name: 'bridgekeeper.validate_by_post',
      method: 'POST',
      path: '/api/auth/v1/sessions/validate',
      handle: validate,
    },
    { ...base, name: 'bridgekeeper.sessions', method: 'GET', path: '/api/auth/v1/sessions', handle: list },
    {
      ...base,
      name: 'bridgekeeper.end_session',
      method: 'DELETE',
      path: '/api/auth/v1/sessions/:id',
      effect: 'acts',
      limit: own,
      csrf: 'origin',
      handle: endOne,
    },
    {
      ...base,
      name: 'bridgekeeper.end_other_sessions',
      method: 'DELETE',
      path: '/api/auth/v1/sessions',
      effect: 'acts',
      limit: own,
      csrf: 'origin',
      handle: endOthers,
    },
    {
      ...base,
      name: 'bridgekeeper.events',
      method: 'GET',
      path: '/api/auth/v1/events',
      limit: 'none: at most 50 streams for each session',
      handle: events,
    },
  ]);
}

/** Where a browser goes after signing out: a page of this site that was asked for, if it is allowed. */
function afterSignOut(ctx: Context, wanted: string | undefined, otherwise: Target): Target {
  const checked = wanted === undefined ? null : checkCallback(wanted, [siteOf(ctx).domain.origin]);
  return checked?.ok ? checked.callback : otherwise;
}
