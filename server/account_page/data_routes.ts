// Taking one's data along, and leaving: a file of everything that is stored about the account, and deleting it (security 157, 206).

import { z } from 'zod';
import type { Erasure, SignedIn } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import { readForm } from '../http/body.ts';
import { csrfToken, renewCsrf } from '../http/csrf.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Mfa } from '../mfa/mfa.ts';
import type { Provider } from '../oauth/oauth.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { clearCredential } from '../sessions/middleware.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type Gate, takeNote } from './middleware.ts';
import { presentMyData } from './my_data.ts';

const DATA = '/account/data';
const DELETE = '/account/delete';
const field = z.string().max(8000).default('');
const dataForm = z.object({ csrf_token: field });
const deleteForm = z.object({ csrf_token: field, confirmation: field });
/** More than any account of a person has; a file has to end somewhere. */
const MOST_EVENTS = 20_000;

type Shown = { problem?: string; isKept?: boolean; confirmation?: string };

export function dataRoutes(
  options: {
    db: Database;
    audit: Audit;
    sessions: Sessions;
    erasure: Erasure;
    mfa: Mfa;
    upstream: Upstream;
    provider: Provider;
    pages: SitePages;
  },
  gate: Gate,
) {
  const { db, audit, sessions, erasure, mfa, upstream, provider, pages } = options;

  async function showData(ctx: Context) {
    const signedIn = await gate.enter(ctx, DATA);
    if (!signedIn) return;
    const kept = await gate.readKept(ctx, signedIn);
    renderData(ctx, { isKept: kept !== null });
  }

  async function download(ctx: Context) {
    const form = await readForm(ctx, dataForm);
    const signedIn = await gate.admit(ctx, {
      form,
      path: DATA,
      needs: 'recent-sign-in',
      kept: { wanted: 'file' },
      again: () => renderData(ctx, { problem: 'form-renewed' }),
    });
    if (!signedIn) return;
    const { id } = signedIn.account;
    const [own, consents, identities, factors, recoveryCodesLeft, events] = await Promise.all([
      sessions.listOf(id),
      provider.listConsents(id),
      upstream.listIdentities(id),
      mfa.factorsOf(db, id),
      mfa.countRecoveryCodes(db, id),
      audit.listOf(db, id, { limit: MOST_EVENTS }),
    ]);
    const stored = {
      account: signedIn.account,
      sessions: own,
      consents,
      identities,
      factors,
      recoveryCodesLeft,
      events,
    };
    ctx.set('Content-Disposition', 'attachment; filename="my-data.json"');
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'application/json; charset=utf-8';
    ctx.body = JSON.stringify(presentMyData(stored), null, 2);
  }

  async function showDelete(ctx: Context) {
    const signedIn = await gate.enter(ctx, DELETE);
    if (!signedIn) return;
    const kept = await gate.readKept(ctx, signedIn);
    renderDelete(ctx, signedIn, { isKept: kept !== null, confirmation: kept?.['confirmation'] ?? '' });
  }

  async function erase(ctx: Context) {
    const form = await readForm(ctx, deleteForm);
    const { confirmation } = form;
    const signedIn = await gate.admit(ctx, {
      form,
      path: DELETE,
      needs: 'recent-sign-in',
      kept: { confirmation: confirmation.slice(0, 320) },
      again: (who) => renderDelete(ctx, who, { problem: 'form-renewed', confirmation }),
    });
    if (!signedIn) return;
    if (!isConfirmed(signedIn, confirmation)) {
      ctx.status = 400;
      return renderDelete(ctx, signedIn, {
        problem: confirmation.trim() === '' ? 'missing' : 'different',
        confirmation,
      });
    }
    await erasure.erase(signedIn, { address: addressOf(ctx), locale: languageOf(ctx) });
    clearCredential(ctx, siteOf(ctx).domain.host);
    renewCsrf(ctx);
    seeOther(ctx, '/account/deleted');
  }

  function showDeleted(ctx: Context) {
    pages.render(ctx, { view: 'account_page/deleted', data: {} });
  }

  function renderData(ctx: Context, shown: Shown): void {
    pages.render(ctx, {
      view: 'account_page/data',
      data: { csrfToken: csrfToken(ctx), problem: shown.problem ?? null, isKept: shown.isKept === true },
    });
  }

  function renderDelete(ctx: Context, signedIn: SignedIn, shown: Shown): void {
    pages.render(ctx, {
      view: 'account_page/delete',
      data: {
        csrfToken: csrfToken(ctx),
        note: takeNote(ctx),
        expected: expectedOf(signedIn),
        confirmation: (shown.confirmation ?? '').slice(0, 320),
        problem: shown.problem ?? null,
        isKept: shown.isKept === true,
      },
    });
  }

  const page = {
    on: 'auth',
    answers: 'page',
    effect: 'acts',
    csrf: 'form',
    limit: 'none: only what belongs to the caller',
  } as const;
  const shown = { ...page, effect: 'reads', csrf: 'none: reads' } as const;
  return routes([
    { ...shown, name: 'account_page.show_data', method: 'GET', path: '/account/data', handle: showData },
    { ...page, name: 'account_page.download_data', method: 'POST', path: '/account/data', handle: download },
    { ...shown, name: 'account_page.show_delete', method: 'GET', path: '/account/delete', handle: showDelete },
    { ...page, name: 'account_page.delete', method: 'POST', path: '/account/delete', handle: erase },
    { ...shown, name: 'account_page.show_deleted', method: 'GET', path: '/account/deleted', handle: showDeleted },
  ]);
}

/** What has to be typed before an account is deleted: something that its reader knows it by. */
const expectedOf = ({ account }: SignedIn): string =>
  account.email ?? account.username ?? account.loginPhoneNumber ?? account.sub.slice(0, 6);

const isConfirmed = (signedIn: SignedIn, typed: string): boolean =>
  typed.trim().toLowerCase() === expectedOf(signedIn).toLowerCase();
