// A new password: with the current one (security 143), or after a recent sign-in where there is none yet. Everything else that
// was signed in ends (security 50).

import { z } from 'zod';
import type { Accounts, PasswordChange, SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Database } from '../db/database.ts';
import { readForm } from '../http/body.ts';
import { csrfToken, renewCsrf } from '../http/csrf.ts';
import { clientGone } from '../http/errors.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Login } from '../login/login.ts';
import { readAttempt, throttled } from '../login/middleware.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';
import { setCredential } from '../sessions/middleware.ts';
import { type Gate, leaveNote } from './middleware.ts';

const PAGE = '/account/password';
const field = z.string().max(8000).default('');
const passwordForm = z.object({ csrf_token: field, current: field, password: field });
type Problems = { form?: string; current?: string; password?: string };

export function passwordRoutes(
  options: {
    db: Database;
    accounts: Accounts;
    passwordChange: PasswordChange;
    login: Login;
    reader: Reader;
    pages: SitePages;
  },
  gate: Gate,
) {
  const { db, accounts, passwordChange, login, reader, pages } = options;

  async function show(ctx: Context) {
    const signedIn = await gate.enter(ctx, PAGE);
    if (signedIn) await render(ctx, signedIn, {});
  }

  async function change(ctx: Context) {
    const form = await readForm(ctx, passwordForm);
    const current = await reader.find(ctx);
    const hasPassword = current !== null && (await accounts.hasPassword(db, current.account.id));
    const signedIn = await gate.admit(ctx, {
      form,
      path: PAGE,
      needs: hasPassword ? 'session' : 'recent-sign-in',
      again: (who) => render(ctx, who, { form: 'form-renewed' }),
    });
    if (!signedIn) return;
    const again = (status: number, problems: Problems, retryAfterSeconds: number | null = null) => {
      ctx.status = status;
      return render(ctx, signedIn, problems, retryAfterSeconds);
    };
    const missing: Problems = {
      ...(hasPassword && form.current === '' && { current: 'missing' }),
      ...(form.password === '' && { password: 'missing' }),
    };
    if (Object.keys(missing).length > 0) return again(400, missing);
    if (hasPassword) {
      const proven = await login.confirmPassword(await readAttempt(ctx, reader), signedIn, form.current);
      if (!proven.ok && proven.reason === 'wrong') return again(400, { current: 'wrong' });
      if (!proven.ok) return again(429, { form: 'throttled' }, throttled(ctx, proven.retryAfterSeconds));
    }
    const { realm } = siteOf(ctx);
    const from = { address: addressOf(ctx), locale: languageOf(ctx), signal: clientGone(ctx) };
    const changed = await passwordChange.set(realm, signedIn, form.password, from);
    if (!changed.ok) {
      if (changed.reason === 'password') return again(400, { password: changed.fault });
      return seeOther(ctx, '/login');
    }
    setCredential(ctx, changed.credential, settingSeconds(realm.settings.session_absolute));
    renewCsrf(ctx);
    leaveNote(ctx, hasPassword ? 'password-changed' : 'password-set');
    seeOther(ctx, '/account');
  }

  async function render(
    ctx: Context,
    { account }: SignedIn,
    problems: Problems,
    retryAfterSeconds: number | null = null,
  ): Promise<void> {
    pages.render(ctx, {
      view: 'account_page/password',
      data: {
        csrfToken: csrfToken(ctx),
        hasPassword: await accounts.hasPassword(db, account.id),
        // A password is typed beside an address or a user name; without either it would open nothing.
        identifier: account.email ?? account.username,
        minimum: siteOf(ctx).realm.settings.password_min_length,
        problems,
        retryAfterSeconds,
      },
    });
  }

  const page = { on: 'auth', answers: 'page' } as const;
  return routes([
    {
      ...page,
      name: 'account_page.show_password',
      method: 'GET',
      path: '/account/password',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: only what belongs to the caller',
      handle: show,
    },
    {
      ...page,
      name: 'account_page.change_password',
      method: 'POST',
      path: '/account/password',
      effect: 'acts',
      csrf: 'form',
      limit: 'sign-in-account',
      handle: change,
    },
  ]);
}
