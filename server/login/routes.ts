// The hosted pages of the auth domain: sign in, sign up, and the page that says who is signed in (sign_out_routes.ts has the
// way out). They work without JavaScript; forms are protected by origin and a token bound to the browser.

import { z } from 'zod';
import { canonicalIdentifier, type SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { readForm } from '../http/body.ts';
import { csrfToken, hasCsrfToken, renewCsrf } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { type OwnPath, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { type SitePages, siteOf } from '../realms/middleware.ts';
import type { Realm } from '../realms/realms.ts';
import type { Login, ReturnTo, SignInRefused, SignUpRefused, Unverified } from './login.ts';
import {
  goOn,
  keepWaiting,
  readAttempt,
  readReturnOf,
  refuseWithoutCookies,
  throttled,
  waitingOf,
} from './middleware.ts';

const formField = z.string().max(8000).default('');
const signInForm = z.object({
  identifier: formField,
  password: formField,
  csrf_token: formField,
  handle: formField,
  renewed: formField,
});
const signUpForm = z.object({
  name: formField,
  email: formField,
  password: formField,
  csrf_token: formField,
  handle: formField,
  renewed: formField,
});
const LONGEST_NAME = 200;

type Fields<Schema extends z.ZodType> = z.infer<Schema>;

export function loginRoutes(options: { login: Login; reader: Reader; clients: Clients; pages: SitePages }) {
  const { login, reader, clients, pages } = options;

  async function home(ctx: Context) {
    const { realm } = siteOf(ctx);
    const account = (await reader.find(ctx))?.account ?? null;
    pages.render(ctx, {
      view: 'login/home',
      data: {
        accountName: account?.name ?? account?.username ?? null,
        accountEmail: account?.email ?? null,
        sites: await clients.listSites(realm.id),
        csrfToken: csrfToken(ctx),
        signInUrl: '/login',
        signUpUrl: realm.settings.signup === 'open' ? '/signup' : null,
      },
    });
  }

  async function showSignIn(ctx: Context) {
    const {
      request_handle: handle,
      login_hint: hint,
      ui_locales: uiLocales,
    } = readQuery(ctx, ['request_handle', 'login_hint', 'ui_locales']);
    const to = await readReturn(ctx, handle);
    // Another tab signed in meanwhile: this one goes on to its own page.
    if (await isSignedInFor(ctx, to)) return seeOther(ctx, to?.path ?? '/');
    renderSignIn(ctx, {
      to,
      handle: handle ?? null,
      identifier: hint ?? '',
      problem: null,
      retryAfterSeconds: null,
      uiLocales: uiLocales ?? null,
    });
  }

  async function signIn(ctx: Context) {
    const form = await readForm(ctx, signInForm);
    const to = await readReturn(ctx, form.handle);
    const again = (problem: string, retryAfterSeconds: number | null = null) =>
      renderSignIn(ctx, {
        to,
        handle: form.handle || null,
        identifier: form.identifier,
        problem,
        retryAfterSeconds,
        uiLocales: null,
      });
    if (!hasCsrfToken(ctx, form.csrf_token)) {
      // A second tab or click after the same reader's sign-in, which renewed the token: it goes on, and nothing is changed.
      if (isOf(await reader.find(ctx), form.identifier)) return seeOther(ctx, to?.path ?? '/');
      refuseWithoutCookies(ctx, form, withHandle('/login', { to, handle: form.handle }));
      ctx.status = 403;
      return again('form-renewed');
    }
    if (form.identifier.trim() === '' || form.password === '') {
      ctx.status = 400;
      return again('missing-fields');
    }
    const attempt = await readAttempt(ctx, reader);
    const outcome = await refuseWhenBusy(ctx, () =>
      login.signIn(attempt, { identifier: form.identifier, password: form.password }),
    );
    if (outcome === 'busy') return again('busy', 3);
    if (!outcome.ok) return again(...explainSignIn(ctx, outcome));
    goOn(ctx, outcome, to);
  }

  async function showSignUp(ctx: Context) {
    const { request_handle: handle, ui_locales: uiLocales } = readQuery(ctx, ['request_handle', 'ui_locales']);
    requireOpenSignUp(ctx);
    const to = await readReturn(ctx, handle);
    if (await isSignedInFor(ctx, to)) return seeOther(ctx, to?.path ?? '/');
    renderSignUp(ctx, {
      to,
      handle: handle ?? null,
      values: { name: '', email: '' },
      problems: {},
      retryAfterSeconds: null,
      uiLocales: uiLocales ?? null,
    });
  }

  async function signUp(ctx: Context) {
    const form = await readForm(ctx, signUpForm);
    requireOpenSignUp(ctx);
    const to = await readReturn(ctx, form.handle);
    const again = (problems: Record<string, string>, retryAfterSeconds: number | null = null) =>
      renderSignUp(ctx, {
        to,
        handle: form.handle || null,
        values: { name: form.name, email: form.email },
        problems,
        retryAfterSeconds,
        uiLocales: null,
      });
    if (!hasCsrfToken(ctx, form.csrf_token)) {
      refuseWithoutCookies(ctx, form, withHandle('/signup', { to, handle: form.handle }));
      ctx.status = 403;
      return again({ form: 'form-renewed' });
    }
    const missing = (['name', 'email', 'password'] as const).filter((field) => form[field].trim() === '');
    if (missing.length > 0 || form.name.trim().length > LONGEST_NAME) {
      ctx.status = 400;
      return again(
        missing.length > 0 ? Object.fromEntries(missing.map((field) => [field, 'missing'])) : { name: 'too-long' },
      );
    }
    const attempt = { ...(await readAttempt(ctx, reader)), browser: waitingOf(ctx) };
    const given = { email: form.email, password: form.password, username: null, name: form.name, mayBegin: true };
    const outcome = await refuseWhenBusy(ctx, () => login.signUp(attempt, given));
    if (outcome === 'busy') return again({ form: 'busy' }, 3);
    if (!outcome.ok) return again(...explainSignUp(ctx, outcome));
    if (outcome.kind !== 'registered') return goOn(ctx, outcome, to);
    renewCsrf(ctx);
    keepWaiting(ctx, attempt.browser);
    renderSignIn(ctx, {
      to,
      handle: form.handle || null,
      identifier: form.email,
      problem: 'unverified',
      retryAfterSeconds: null,
      uiLocales: null,
    });
  }

  /** Whether the reader is signed in, and recently enough where a new sign-in was asked for. */
  async function isSignedInFor(ctx: Context, to: ReturnTo | null): Promise<boolean> {
    const signedIn = await reader.find(ctx);
    return (
      signedIn !== null &&
      (to?.since === undefined || to.since === 0 || signedIn.session.authenticatedAt.getTime() > to.since)
    );
  }

  const readReturn = (ctx: Context, handle: string | undefined) => readReturnOf(ctx, options, handle);

  type Shown = {
    to: ReturnTo | null;
    handle: string | null;
    retryAfterSeconds: number | null;
    uiLocales: string | null;
  };

  function renderSignIn(
    ctx: Context,
    page: Shown & { identifier: Fields<typeof signInForm>['identifier']; problem: string | null },
  ) {
    const { realm } = siteOf(ctx);
    const current = ctx.state['signedIn'] as
      | { account: { name: string | null; email: string | null } }
      | null
      | undefined;
    pages.render(ctx, {
      view: 'login/sign_in',
      here: withHandle('/login', page),
      formTargets: page.to?.targets ?? [],
      uiLocales: page.uiLocales,
      data: {
        clientName: page.to?.client?.name ?? null,
        clientHost: page.to?.client?.host ?? null,
        csrfToken: csrfToken(ctx),
        handle: page.to ? page.handle : null,
        identifier: page.identifier.slice(0, 254),
        problem: page.problem,
        retryAfterSeconds: page.retryAfterSeconds,
        signUpUrl: realm.settings.signup === 'open' ? withHandle('/signup', page) : null,
        providers: listProviders(realm, page),
        otherAccount: current ? (current.account.name ?? current.account.email) : null,
      },
    });
  }

  function renderSignUp(
    ctx: Context,
    page: Shown & { values: { name: string; email: string }; problems: Record<string, string> },
  ) {
    pages.render(ctx, {
      view: 'login/sign_up',
      here: withHandle('/signup', page),
      formTargets: page.to?.targets ?? [],
      uiLocales: page.uiLocales,
      data: {
        clientName: page.to?.client?.name ?? null,
        clientHost: page.to?.client?.host ?? null,
        csrfToken: csrfToken(ctx),
        handle: page.to ? page.handle : null,
        values: { name: page.values.name.slice(0, LONGEST_NAME), email: page.values.email.slice(0, 254) },
        problems: page.problems,
        retryAfterSeconds: page.retryAfterSeconds,
        minimumPasswordLength: siteOf(ctx).realm.settings.password_min_length,
        signInUrl: withHandle('/login', page),
        providers: listProviders(siteOf(ctx).realm, page),
      },
    });
  }

  const page = { on: 'auth', answers: 'page', limit: 'none: no write, one indexed read' } as const;
  return routes([
    { ...page, name: 'login.home', method: 'GET', path: '/', effect: 'reads', csrf: 'none: reads', handle: home },
    {
      ...page,
      name: 'login.show_sign_in',
      method: 'GET',
      path: '/login',
      effect: 'reads',
      csrf: 'none: reads',
      handle: showSignIn,
    },
    {
      ...page,
      name: 'login.sign_in',
      method: 'POST',
      path: '/login',
      effect: 'acts',
      csrf: 'form',
      limit: 'sign-in-account',
      handle: signIn,
    },
    {
      ...page,
      name: 'login.show_sign_up',
      method: 'GET',
      path: '/signup',
      effect: 'reads',
      csrf: 'none: reads',
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

function withHandle(path: OwnPath, page: { to: ReturnTo | null; handle: string | null }): string {
  const query = page.to && page.handle ? `?request_handle=${encodeURIComponent(page.handle)}` : '';
  return `${path}${query}`;
}

/** Other providers of the realm, each with the address at which a sign-in begins (upstream/routes.ts). */
function listProviders(realm: Realm, page: { to: ReturnTo | null; handle: string | null }) {
  return realm.upstreams.map(({ id, name }) => ({ name, url: withHandle(`/login/with/${id}`, page) }));
}

/** Whether what was typed names the account that is signed in. */
function isOf(signedIn: SignedIn | null, identifier: string): boolean {
  const typed = canonicalIdentifier(identifier);
  const names = [signedIn?.account.email, signedIn?.account.username].map((name) => canonicalIdentifier(name ?? ''));
  return typed !== null && names.includes(typed);
}

function requireOpenSignUp(ctx: Context) {
  if (siteOf(ctx).realm.settings.signup === 'closed')
    throw new AppError('not_found', { description: 'Sign-up is closed.' });
}

/** Too many people at once is shown on the form, so that nothing typed is lost. */
async function refuseWhenBusy<T>(ctx: Context, work: () => Promise<T>): Promise<T | 'busy'> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.refusal.code !== 'unavailable') throw error;
    ctx.status = 503;
    ctx.set(error.refusal.headers);
    return 'busy';
  }
}

function explainSignIn(ctx: Context, refused: SignInRefused | Unverified): [string, number | null] {
  if (refused.reason === 'unverified') {
    ctx.status = 403;
    return ['unverified', null];
  }
  if (refused.reason === 'wrong') {
    ctx.status = 401;
    return ['wrong-credentials', null];
  }
  return ['throttled', throttled(ctx, refused.retryAfterSeconds)];
}

function explainSignUp(ctx: Context, refused: SignUpRefused | Unverified): [Record<string, string>, number | null] {
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
