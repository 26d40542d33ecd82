// Where the account is signed in, and ending that (security 52).

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Database } from '../db/database.ts';
import { readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { browserName } from '../lib/browser_name.ts';
import { addressOf, type SitePages } from '../realms/middleware.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { type Gate, leaveNote, takeNote } from './middleware.ts';

const PAGE = '/account/devices';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const field = z.string().max(200).default('');
const endForm = z.object({ csrf_token: field, session: field });
const endOthersForm = z.object({ csrf_token: field });

export function deviceRoutes(options: { db: Database; sessions: Sessions; pages: SitePages }, gate: Gate) {
  const { db, sessions, pages } = options;

  async function show(ctx: Context) {
    const signedIn = await gate.enter(ctx, PAGE);
    if (!signedIn) return;
    const kept = await gate.readKept(ctx, signedIn);
    await render(ctx, signedIn, { isKept: kept !== null });
  }

  async function end(ctx: Context) {
    const form = await readForm(ctx, endForm);
    const signedIn = await admit(ctx, form);
    if (!signedIn) return;
    const found = UUID.test(form.session) ? await sessions.findOf(signedIn.account.id, form.session) : null;
    if (!found) {
      await db.settled();
      throw new AppError('not_found', { description: 'There is no such session.' });
    }
    // The own session ends by signing out.
    if (found.id === signedIn.session.id) return seeOther(ctx, '/logout');
    const { realmId, id: accountId } = signedIn.account;
    const why = { reason: 'ended-by-owner', address: addressOf(ctx) } as const;
    await sessions.end({ id: found.id, realmId, accountId }, why);
    leaveNote(ctx, 'session-ended');
    seeOther(ctx, PAGE);
  }

  async function endOthers(ctx: Context) {
    const signedIn = await admit(ctx, await readForm(ctx, endOthersForm));
    if (!signedIn) return;
    const { realmId, id: accountId } = signedIn.account;
    const of = { realmId, accountId, except: signedIn.session.id };
    const why = { reason: 'ended-by-owner', address: addressOf(ctx) } as const;
    await sessions.endAllOf(of, why);
    leaveNote(ctx, 'others-ended');
    seeOther(ctx, PAGE);
  }

  const admit = (ctx: Context, form: { csrf_token: string; session?: string }) =>
    gate.admit(ctx, {
      form,
      path: PAGE,
      needs: 'recent-sign-in',
      kept: { session: form.session ?? 'others' },
      again: (who) => render(ctx, who, { problem: 'form-renewed' }),
    });

  async function render(ctx: Context, signedIn: SignedIn, shown: { problem?: string; isKept?: boolean }) {
    const all = await sessions.listOf(signedIn.account.id);
    pages.render(ctx, {
      view: 'account_page/devices',
      data: {
        csrfToken: csrfToken(ctx),
        note: takeNote(ctx),
        problem: shown.problem ?? null,
        isKept: shown.isKept === true,
        sessions: all.map(({ id, hosts, userAgent, address, createdAt, lastSeenAt }) => ({
          id,
          ...browserName(userAgent),
          hosts,
          address,
          createdAt,
          lastSeenAt,
          isCurrent: id === signedIn.session.id,
        })),
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
  return routes([
    {
      ...page,
      name: 'account_page.show_devices',
      method: 'GET',
      path: '/account/devices',
      effect: 'reads',
      csrf: 'none: reads',
      handle: show,
    },
    { ...page, name: 'account_page.end_session', method: 'POST', path: '/account/devices', handle: end },
    {
      ...page,
      name: 'account_page.end_other_sessions',
      method: 'POST',
      path: '/account/devices/others',
      handle: endOthers,
    },
  ]);
}
