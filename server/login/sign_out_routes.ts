// The hosted pages of signing out on the auth domain: the page that asks, its button, and the page after. They work without
// JavaScript; the form is protected by origin and a token bound to the browser.

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { readForm } from '../http/body.ts';
import { csrfToken, hasCsrfToken, renewCsrf } from '../http/csrf.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { addressOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { clearCredential } from '../sessions/middleware.ts';
import type { Login } from './login.ts';
import { createSignedOutPage, noteSignedOut, type Told } from './middleware.ts';

const signOutForm = z.object({ csrf_token: z.string().max(200).default('') });

export function signOutRoutes(options: {
  login: Login;
  reader: Reader;
  clients: Clients;
  pages: SitePages;
  backChannelLogout: Told;
}) {
  const { login, reader, pages } = options;
  const signedOutPage = createSignedOutPage(options);

  async function askSignOut(ctx: Context) {
    const signedIn = await reader.find(ctx);
    if (!signedIn) return seeOther(ctx, '/signed-out');
    const { account } = signedIn;
    pages.render(ctx, {
      view: 'login/confirm_sign_out',
      data: {
        action: '/logout',
        csrfToken: csrfToken(ctx),
        accountName: account.name ?? account.username ?? account.email ?? '',
        redirectUrl: null,
        stayUrl: '/',
      },
    });
  }

  async function signOut(ctx: Context) {
    const form = await readForm(ctx, signOutForm);
    // A stale form asks again instead of failing.
    if (!hasCsrfToken(ctx, form.csrf_token)) return seeOther(ctx, '/logout');
    const signedIn = await reader.find(ctx);
    if (reader.hasCredential(ctx)) await login.signOut(signedIn, { reason: 'signed-out', address: addressOf(ctx) });
    if (signedIn) noteSignedOut(ctx, signedIn.session.id);
    clearCredential(ctx, siteOf(ctx).domain.host);
    renewCsrf(ctx);
    seeOther(ctx, '/signed-out');
  }

  async function showSignedOut(ctx: Context) {
    if (await reader.find(ctx)) return seeOther(ctx, '/');
    await signedOutPage.render(ctx, { continueUrl: null, signInUrl: '/login' });
  }

  const page = { on: 'auth', answers: 'page', limit: 'none: no write, one indexed read' } as const;
  return routes([
    {
      ...page,
      name: 'login.ask_sign_out',
      method: 'GET',
      path: '/logout',
      effect: 'reads',
      csrf: 'none: reads, it only asks',
      handle: askSignOut,
    },
    {
      ...page,
      name: 'login.sign_out',
      method: 'POST',
      path: '/logout',
      effect: 'acts',
      csrf: 'form',
      handle: signOut,
      limit: 'none: ends what the caller holds',
    },
    {
      ...page,
      name: 'login.show_signed_out',
      method: 'GET',
      path: '/signed-out',
      effect: 'reads',
      csrf: 'none: reads',
      handle: showSignedOut,
    },
  ]);
}
