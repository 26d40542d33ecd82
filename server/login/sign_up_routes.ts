// The hosted page of signing up on the auth domain.

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { formField, readForm } from '../http/body.ts';
import { renewCsrf } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { type SitePages, siteOf } from '../realms/middleware.ts';
import type { Login, ReturnTo, SignUpRefused, Unverified } from './login.ts';
import {
  frameFields,
  frameOf,
  goOn,
  isSignedInFor,
  keepWaiting,
  listProviders,
  mustRenew,
  noteSent,
  readAttempt,
  readReturnOf,
  refuseWhenBusy,
  throttled,
  waitingOf,
  withReturn,
} from './middleware.ts';

const signUpForm = z.object({
  name: formField,
  email: formField,
  password: formField,
  ...frameFields,
});
const LONGEST_NAME = 200;

export function signUpRoutes(options: { clients: Clients; login: Login; reader: Reader; pages: SitePages }) {
  const { login, reader, pages } = options;

  async function showSignUp(ctx: Context) {
    const { request_handle: handle, ui_locales: uiLocales } = readQuery(ctx, ['request_handle', 'ui_locales']);
    requireOpenSignUp(ctx);
    const to = await readReturnOf(ctx, options, handle);
    if (await isSignedInFor(ctx, reader, to)) return seeOther(ctx, to?.path ?? '/');
    render(ctx, {
      to,
      values: { name: '', email: '' },
      problems: {},
      retryAfterSeconds: null,
      uiLocales: uiLocales ?? null,
    });
  }

  async function signUp(ctx: Context) {
    const form = await readForm(ctx, signUpForm);
    requireOpenSignUp(ctx);
    const to = await readReturnOf(ctx, options, form.handle);
    const values = { name: form.name, email: form.email };
    const again = (problems: Record<string, string>, retryAfterSeconds: number | null = null) =>
      render(ctx, { to, values, problems, retryAfterSeconds, uiLocales: null });
    if (mustRenew(ctx, form, withReturn('/signup', to))) return again({ form: 'form-renewed' });
    const missing = (['name', 'email', 'password'] as const).filter((field) => form[field].trim() === '');
    if (missing.length > 0 || form.name.trim().length > LONGEST_NAME) {
      ctx.status = 400;
      return again(
        missing.length > 0 ? Object.fromEntries(missing.map((field) => [field, 'missing'])) : { name: 'too-long' },
      );
    }
    const browser = waitingOf(ctx);
    const attempt = { ...(await readAttempt(ctx, reader)), browser, handle: to?.handle ?? null };
    const given = { email: form.email, password: form.password, username: null, name: form.name, mayBegin: true };
    const outcome = await refuseWhenBusy(ctx, () => login.signUp(attempt, given));
    if (outcome === 'busy') return again({ form: 'busy' }, 3);
    if (!outcome.ok) return again(...explain(ctx, outcome));
    if (outcome.kind !== 'registered') return goOn(ctx, outcome, to);
    // The same page whether an account was made or somebody has the address (duplicate_signup: neutral).
    renewCsrf(ctx);
    keepWaiting(ctx, browser);
    noteSent(ctx, { purpose: 'verify-email', to: form.email });
    seeOther(ctx, withReturn('/verify-email/code', to));
  }

  function render(
    ctx: Context,
    page: {
      to: ReturnTo | null;
      values: { name: string; email: string };
      problems: Record<string, string>;
      retryAfterSeconds: number | null;
      uiLocales: string | null;
    },
  ) {
    pages.render(ctx, {
      view: 'login/sign_up',
      here: withReturn('/signup', page.to),
      formTargets: page.to?.targets ?? [],
      uiLocales: page.uiLocales,
      data: {
        ...frameOf(ctx, page.to),
        values: { name: page.values.name.slice(0, LONGEST_NAME), email: page.values.email.slice(0, 254) },
        problems: page.problems,
        retryAfterSeconds: page.retryAfterSeconds,
        minimumPasswordLength: siteOf(ctx).realm.settings.password_min_length,
        signInUrl: withReturn('/login', page.to),
        providers: listProviders(ctx, page.to),
      },
    });
  }

  const page = { on: 'auth', answers: 'page' } as const;
  return routes([
    {
      ...page,
      name: 'login.show_sign_up',
      method: 'GET',
      path: '/signup',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: no write, one indexed read',
      handle: showSignUp,
    },
    {
      ...page,
      name: 'login.sign_up',
      method: 'POST',
      path: '/signup',
      effect: 'acts',
      csrf: 'form',
      limit: 'sign-up-address',
      handle: signUp,
    },
  ]);
}

function requireOpenSignUp(ctx: Context) {
  if (siteOf(ctx).realm.settings.signup === 'closed')
    throw new AppError('not_found', { description: 'Sign-up is closed.' });
}

function explain(ctx: Context, refused: SignUpRefused | Unverified): [Record<string, string>, number | null] {
  if (refused.reason === 'closed') throw new AppError('not_found');
  // An account that has just been made waits for its proof as a sign-up of its own, not as a refusal.
  if (refused.reason === 'unverified') throw new AppError('verification_required');
  if (refused.reason === 'throttled') return [{ form: 'throttled' }, throttled(ctx, refused.retryAfterSeconds)];
  ctx.status = refused.faults.some(({ fault }) => fault === 'taken') ? 409 : 400;
  return [
    Object.fromEntries(
      refused.faults.map(({ field, fault }) => [field, fault === 'invalid' ? 'invalid-email' : fault]),
    ),
    null,
  ];
}
