// The hosted pages of the auth domain: sign in, and the page that says who is signed in (the other *_routes.ts have the rest of
// the way). They work without JavaScript; forms are protected by origin and a token bound to the browser.

import { z } from 'zod';
import { canonicalIdentifier, parseContact, type SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { formField, readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { readQuery } from '../http/query.ts';
import { type OwnPath, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Messages } from '../messages/messages.ts';
import { placeOf, readPasskey } from '../mfa/middleware.ts';
import { type SitePages, siteOf } from '../realms/middleware.ts';
import type { Login, ReturnTo, SignInRefused } from './login.ts';
import {
  askerOf,
  contactOf,
  explainPasskey,
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
  takeNote,
  throttled,
  waitingOf,
  withReturn,
} from './middleware.ts';

const signInForm = z.object({
  identifier: formField,
  password: formField,
  /** Instead of all that: what a passkey answered. */
  ceremony: formField,
  response: formField,
  /** `code` on the button that asks for a code or link instead. */
  way: formField,
  ...frameFields,
});

export function loginRoutes(options: {
  login: Login;
  reader: Reader;
  clients: Clients;
  messages: Messages;
  pages: SitePages;
}) {
  const { login, reader, clients, messages, pages } = options;

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
    const query = readQuery(ctx, ['request_handle', 'login_hint', 'ui_locales', 'with']);
    const to = await readReturn(ctx, query.request_handle);
    // Another tab signed in meanwhile: this one goes on to its own page.
    if (await isSignedInFor(ctx, reader, to)) return seeOther(ctx, to?.path ?? '/');
    const changed = takeNote(ctx, 'password-changed');
    render(ctx, {
      to,
      identifier: changed ?? query.login_hint ?? nameOf(findAgain(ctx, to)) ?? '',
      problem: changed === null ? null : 'password-changed',
      retryAfterSeconds: null,
      uiLocales: query.ui_locales ?? null,
      wantsPassword: changed !== null || query.with === 'password',
    });
  }

  async function signIn(ctx: Context) {
    const form = await readForm(ctx, signInForm);
    const to = await readReturn(ctx, form.handle);
    const again = (problem: string, retryAfterSeconds: number | null = null) =>
      render(ctx, {
        to,
        identifier: form.identifier,
        problem,
        retryAfterSeconds,
        uiLocales: null,
        wantsPassword: form.way !== 'code',
      });
    if (mustRenew(ctx, form, withReturn('/login', to))) {
      // A second tab or click after the same reader's sign-in, which renewed the token: it goes on, and nothing is changed.
      if (isOf(await reader.find(ctx), form.identifier)) return seeOther(ctx, to?.path ?? '/');
      return again(form.way === 'code' ? 'page-renewed' : 'form-renewed');
    }
    if (form.ceremony !== '') {
      const outcome = await login.signInWithPasskey(await readAttempt(ctx, reader), placeOf(ctx), readPasskey(form));
      return outcome.ok ? goOn(ctx, outcome, to) : again(explainPasskey(ctx, outcome));
    }
    if (form.way === 'code') return sendCode(ctx, { typed: form.identifier.trim(), to, again });
    if (form.identifier.trim() === '' || form.password === '') {
      ctx.status = 400;
      return again('missing-fields');
    }
    const browser = waitingOf(ctx);
    const attempt = { ...(await readAttempt(ctx, reader)), browser, handle: to?.handle ?? null };
    const outcome = await refuseWhenBusy(ctx, () =>
      login.signIn(attempt, { identifier: form.identifier, password: form.password }),
    );
    if (outcome === 'busy') return again('busy', 3);
    if (outcome.ok) return goOn(ctx, outcome, to);
    if (outcome.reason !== 'unverified') return again(...explain(ctx, outcome));
    const { email } = outcome.account;
    if (email === null || !messages.canReach('email')) {
      ctx.status = 403;
      return again('unverified');
    }
    keepWaiting(ctx, browser);
    noteSent(ctx, { purpose: 'verify-email', to: email });
    seeOther(ctx, withReturn('/verify-email/code', to));
  }

  /** The other button of the form: a code or link instead of the password. The answer is the same for everybody. */
  async function sendCode(
    ctx: Context,
    page: {
      typed: string;
      to: ReturnTo | null;
      again: (problem: string, retryAfterSeconds?: number | null) => void;
    },
  ) {
    const { realm } = siteOf(ctx);
    const browser = waitingOf(ctx);
    const given = { ...contactOf(page.typed), handle: page.to?.handle ?? null };
    const contact = parseContact(realm, given);
    const isReachable = contact !== null && messages.canReach(contact.kind);
    const sent = isReachable
      ? await login.codes.start(realm, given, askerOf(ctx, browser))
      : ({ ok: false, reason: 'invalid-contact' } as const);
    if (!sent.ok && sent.reason === 'throttled')
      return page.again('code-throttled', throttled(ctx, sent.retryAfterSeconds));
    if (!sent.ok) {
      ctx.status = 400;
      return page.again('contact-needed');
    }
    keepWaiting(ctx, browser);
    noteSent(ctx, { purpose: 'sign-in', to: page.typed });
    seeOther(ctx, withReturn('/login/code', page.to));
  }

  const readReturn = (ctx: Context, handle: string | undefined) => readReturnOf(ctx, options, handle);

  /** What the page offers: the ways of the realm, as far as anything can be sent. */
  function waysOf(ctx: Context, page: { to: ReturnTo | null; identifier: string; wantsPassword: boolean }) {
    const methods = siteOf(ctx).realm.settings.sign_in_methods;
    const [canMail, canText] = [messages.canReach('email'), messages.canReach('phone')];
    const codeWay = methods.includes('link') && canMail ? 'link' : canMail || canText ? 'code' : null;
    const hasCodeWay = codeWay !== null && methods.some((method) => method !== 'password');
    const hasPassword = methods.includes('password');
    const showsPassword = hasPassword && (methods[0] === 'password' || page.wantsPassword || !hasCodeWay);
    const hint = page.identifier.includes('@') ? page.identifier.slice(0, 254) : null;
    return {
      showsPassword,
      codeWay: hasCodeWay ? codeWay : null,
      canText: hasCodeWay && canText,
      passwordUrl: hasPassword && !showsPassword ? addressOf('/login', page.to, { with: 'password' }) : null,
      forgotUrl: showsPassword && canMail ? addressOf('/forgot-password', page.to, { login_hint: hint }) : null,
    };
  }

  function render(
    ctx: Context,
    page: {
      to: ReturnTo | null;
      identifier: string;
      problem: string | null;
      retryAfterSeconds: number | null;
      uiLocales: string | null;
      wantsPassword: boolean;
    },
  ) {
    const { realm } = siteOf(ctx);
    const current = (ctx.state['signedIn'] as SignedIn | null | undefined)?.account ?? null;
    pages.render(ctx, {
      view: 'login/sign_in',
      here: withReturn('/login', page.to),
      formTargets: page.to?.targets ?? [],
      uiLocales: page.uiLocales,
      data: {
        ...frameOf(ctx, page.to),
        ...waysOf(ctx, page),
        identifier: page.identifier.slice(0, 254),
        problem: page.problem,
        retryAfterSeconds: page.retryAfterSeconds,
        signUpUrl: realm.settings.signup === 'open' ? withReturn('/signup', page.to) : null,
        providers: listProviders(ctx, page.to),
        hasPasskeys: realm.settings.second_factor !== 'off',
        otherAccount: current && (current.name ?? nameOf(current)),
        isAgain: findAgain(ctx, page.to) !== null,
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
  ]);
}

/** The address of a page of the sign-in with the way back and parameters of its own; absent ones are left out. */
function addressOf(path: OwnPath, to: ReturnTo | null, more: Record<string, string | null>): OwnPath {
  const query = new URLSearchParams(to?.handle ? { request_handle: to.handle } : {});
  for (const [name, value] of Object.entries(more)) if (value !== null) query.set(name, value);
  return query.size > 0 ? `${path}?${query}` : path;
}

/** The reader who is signed in and asked to sign in once more; null when nobody is. */
function findAgain(ctx: Context, to: ReturnTo | null): SignedIn['account'] | null {
  return to?.since ? ((ctx.state['signedIn'] as SignedIn | null | undefined)?.account ?? null) : null;
}

/** What an account signs in with. */
const nameOf = (account: SignedIn['account'] | null) => account && (account.email ?? account.username);

/** Whether what was typed names the account that is signed in. */
function isOf(signedIn: SignedIn | null, identifier: string): boolean {
  const typed = canonicalIdentifier(identifier);
  const names = [signedIn?.account.email, signedIn?.account.username].map((name) => canonicalIdentifier(name ?? ''));
  return typed !== null && names.includes(typed);
}

function explain(ctx: Context, refused: SignInRefused): [string, number | null] {
  if (refused.reason === 'throttled') return ['throttled', throttled(ctx, refused.retryAfterSeconds)];
  ctx.status = 401;
  return ['wrong-credentials', null];
}
