// The hosted pages behind the links of letters: confirm an address, sign in, use a new address, take a change of address back.
// Each shows one button. Opening the page changes nothing, whoever or whatever opens it (security 9, 148); only the button
// acts. The token leaves the address before the page is shown (http/link_address.ts).

import { z } from 'zod';
import { type EmailChange, type Verification, type VerificationOutcome, withOutcome } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { formField, readForm } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { readLinkSecret } from '../http/link_address.ts';
import { type OwnPath, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { CallbackUri } from '../lib/ids.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import type { Login, ReturnTo } from './login.ts';
import {
  findWaiting,
  forgetSent,
  frameFields,
  frameOf,
  goOn,
  mustRenew,
  readAttempt,
  readReturnOf,
  withReturn,
} from './middleware.ts';

const linkForm = z.object({ token: formField, ...frameFields });

const PATHS = {
  'verify-email': '/verify-email',
  'sign-in': '/login/link',
  'change-email': '/change-email',
  'undo-email-change': '/undo-email-change',
} as const satisfies Record<string, OwnPath>;
type Purpose = keyof typeof PATHS;

/** What a link turns out to be, before anybody presses anything. */
type Looked = {
  kind: 'open' | 'consumed' | 'expired' | 'unknown' | 'other-browser';
  email: string;
  to: ReturnTo | null;
  /** Page of the publisher that is told what became of it. */
  redirectUrl: CallbackUri | null;
  /** For whoever opened the link where nobody waits for it. */
  code: string | null;
};
type Action = { url: string; key: 'sign-in' | 'continue' | 'ask-again' | 'new-password'; isPrimary: boolean };

export function linkRoutes(options: {
  clients: Clients;
  login: Login;
  verification: Verification;
  emailChange: EmailChange;
  reader: Reader;
  pages: SitePages;
}) {
  const { login, verification, emailChange, reader, pages } = options;

  async function look(ctx: Context, purpose: Purpose, token: string): Promise<Looked> {
    const { realm } = siteOf(ctx);
    const nothing = { email: '', to: null, redirectUrl: null, code: null };
    switch (purpose) {
      case 'verify-email': {
        const looked = await verification.look(realm, token);
        if (looked.kind === 'unknown') return { ...nothing, kind: looked.kind };
        return { ...nothing, ...looked, to: await readReturnOf(ctx, options, looked.handle) };
      }
      case 'sign-in': {
        const looked = await login.codes.lookAtLink(realm, { token, browser: findWaiting(ctx) });
        if (!looked.ok)
          return { ...nothing, kind: looked.reason, code: looked.reason === 'other-browser' ? looked.code : null };
        const to = await readReturnOf(ctx, options, looked.handle);
        return { ...nothing, kind: 'open', email: looked.challenge.recipient, to };
      }
      case 'change-email':
      case 'undo-email-change':
        return { ...nothing, ...(await emailChange.look(realm, purpose, token)) };
      default:
        return purpose satisfies never;
    }
  }

  async function show(ctx: Context, purpose: Purpose) {
    const token = readLinkSecret(ctx, PATHS[purpose]);
    if (token === null) return;
    const looked = await look(ctx, purpose, token);
    if (looked.kind !== 'open') return refuse(ctx, purpose, looked);
    renderButton(ctx, { purpose, token, looked, isRenewed: false });
  }

  async function press(ctx: Context, purpose: Purpose) {
    const form = await readForm(ctx, linkForm);
    const { token } = form;
    const looked = await look(ctx, purpose, token);
    if (looked.kind !== 'open') return refuse(ctx, purpose, looked);
    if (mustRenew(ctx, form, withReturn('/login', looked.to)))
      return renderButton(ctx, { purpose, token, looked, isRenewed: true });
    switch (purpose) {
      case 'verify-email':
        return confirmAddress(ctx, token, looked);
      case 'sign-in':
        return signIn(ctx, token, looked);
      case 'change-email':
        return changeAddress(ctx, token, looked);
      case 'undo-email-change':
        return undoChange(ctx, token, looked);
      default:
        return purpose satisfies never;
    }
  }

  async function confirmAddress(ctx: Context, token: string, looked: Looked) {
    const { realm } = siteOf(ctx);
    const { redirectUrl } = looked;
    const confirmed = await verification.confirm(realm, token, addressOf(ctx)).catch((error: unknown) => {
      // The publisher's page has words for this too; the fault is in our log as always.
      if (redirectUrl === null || error instanceof AppError) throw error;
      ctx.app.emit('error', error, ctx);
      return { outcome: 'internal-error' as const, redirectUrl };
    });
    if (confirmed.redirectUrl !== null) return seeOther(ctx, withOutcome(confirmed.redirectUrl, confirmed.outcome));
    if (confirmed.outcome !== 'email-verified') return refuse(ctx, 'verify-email', { ...looked, kind: 'consumed' });
    // The browser that made the account goes on to its site; any other has only proved the address.
    const entered = await login.pending.enter(await readAttempt(ctx, reader), looked.email);
    if (entered.ok) {
      forgetSent(ctx);
      return goOn(ctx, entered, looked.to);
    }
    const isSignedIn = (await reader.find(ctx)) !== null;
    const onward: Action = isSignedIn
      ? { url: looked.to?.path ?? '/', key: 'continue', isPrimary: true }
      : { url: withReturn('/login', looked.to), key: 'sign-in', isPrimary: true };
    renderResult(ctx, { outcome: 'verify-email-done', email: looked.email, actions: [onward] });
  }

  async function signIn(ctx: Context, token: string, looked: Looked) {
    const attempt = { ...(await readAttempt(ctx, reader)), handle: looked.to?.handle ?? null };
    const finished = await login.codes.finishByLink(attempt, { token, browser: findWaiting(ctx) });
    if (finished.ok) {
      forgetSent(ctx);
      return goOn(ctx, finished, looked.to);
    }
    // A link proves the address, so that nothing is left to be proven.
    if (finished.reason === 'unverified') return seeOther(ctx, withReturn('/login', looked.to));
    const code = finished.reason === 'other-browser' ? finished.code : null;
    refuse(ctx, 'sign-in', { ...looked, kind: finished.reason, code });
  }

  async function changeAddress(ctx: Context, token: string, looked: Looked) {
    const changed = await emailChange.confirm(siteOf(ctx).realm, token, fromOf(ctx));
    if (!changed.ok) return refuseChange(ctx, 'change-email', looked, changed.reason);
    const actions: Action[] = [{ url: '/', key: 'continue', isPrimary: true }];
    renderResult(ctx, { outcome: 'change-email-done', email: changed.account.email ?? looked.email, actions });
  }

  async function undoChange(ctx: Context, token: string, looked: Looked) {
    const undone = await emailChange.undo(siteOf(ctx).realm, token, fromOf(ctx));
    if (!undone.ok) return refuseChange(ctx, 'undo-email-change', looked, undone.reason);
    const email = undone.account.email ?? looked.email;
    renderResult(ctx, {
      outcome: 'undo-email-change-done',
      email,
      actions: [
        { url: `/forgot-password?${new URLSearchParams({ login_hint: email })}`, key: 'new-password', isPrimary: true },
        { url: '/login', key: 'sign-in', isPrimary: false },
      ],
    });
  }

  type ChangeRefused = 'unknown' | 'expired' | 'consumed' | 'wrong-code' | 'taken';

  function refuseChange(ctx: Context, purpose: Purpose, looked: Looked, reason: ChangeRefused) {
    if (reason !== 'taken')
      return refuse(ctx, purpose, { ...looked, kind: reason === 'wrong-code' ? 'unknown' : reason });
    ctx.status = 409;
    const actions: Action[] = [{ url: '/', key: 'continue', isPrimary: true }];
    renderResult(ctx, { outcome: 'email-taken', email: looked.email, actions });
  }

  /** A link that does nothing any more. A publisher's page that waits for the outcome is told. */
  function refuse(ctx: Context, purpose: Purpose, looked: Looked) {
    const { kind, redirectUrl, to } = looked;
    if (kind === 'other-browser')
      return pages.render(ctx, { view: 'login/show_code', data: { code: looked.code ?? '' } });
    if (redirectUrl !== null) {
      const outcome: VerificationOutcome = kind === 'consumed' ? 'token-consumed' : 'invalid-token';
      return seeOther(ctx, withOutcome(redirectUrl, outcome));
    }
    ctx.status = kind === 'unknown' ? 404 : 410;
    const isChange = purpose === 'change-email' || purpose === 'undo-email-change';
    const action: Action = isChange
      ? { url: '/', key: 'continue', isPrimary: true }
      : { url: withReturn('/login', to), key: 'sign-in', isPrimary: true };
    renderResult(ctx, { outcome: `${purpose}-${kind}`, email: looked.email, actions: [action] });
  }

  function renderButton(ctx: Context, page: { purpose: Purpose; token: string; looked: Looked; isRenewed: boolean }) {
    const { purpose, token, looked, isRenewed } = page;
    // After the button the browser may be sent on to the site, or to the page of the publisher (CSP3 form-action).
    const targets = [
      ...(looked.to?.targets ?? []),
      ...(looked.redirectUrl ? [new URL(looked.redirectUrl).origin] : []),
    ];
    pages.render(ctx, {
      view: 'login/confirm_link',
      formTargets: targets,
      data: {
        ...frameOf(ctx, looked.to),
        purpose,
        action: PATHS[purpose],
        token,
        email: looked.email,
        isRenewed,
      },
    });
  }

  const renderResult = (ctx: Context, data: { outcome: string; email: string; actions: Action[] }) =>
    pages.render(ctx, { view: 'login/link_result', data });

  const shown = {
    on: 'auth',
    answers: 'page',
    effect: 'reads',
    csrf: 'none: reads',
    limit: 'none: no write, one indexed read',
  } as const;
  const pressed = {
    on: 'auth',
    answers: 'page',
    effect: 'acts',
    csrf: 'form',
    limit: 'none: a token cannot be guessed',
  } as const;
  return routes([
    {
      ...shown,
      name: 'login.show_verification_link',
      method: 'GET',
      path: '/verify-email',
      handle: (ctx) => show(ctx, 'verify-email'),
    },
    {
      ...pressed,
      name: 'login.verify_email',
      method: 'POST',
      path: '/verify-email',
      handle: (ctx) => press(ctx, 'verify-email'),
    },
    {
      ...shown,
      name: 'login.show_sign_in_link',
      method: 'GET',
      path: '/login/link',
      handle: (ctx) => show(ctx, 'sign-in'),
    },
    {
      ...pressed,
      name: 'login.sign_in_link',
      method: 'POST',
      path: '/login/link',
      handle: (ctx) => press(ctx, 'sign-in'),
    },
    {
      ...shown,
      name: 'login.show_email_change',
      method: 'GET',
      path: '/change-email',
      handle: (ctx) => show(ctx, 'change-email'),
    },
    {
      ...pressed,
      name: 'login.change_email',
      method: 'POST',
      path: '/change-email',
      handle: (ctx) => press(ctx, 'change-email'),
    },
    {
      ...shown,
      name: 'login.show_undo_email_change',
      method: 'GET',
      path: '/undo-email-change',
      handle: (ctx) => show(ctx, 'undo-email-change'),
    },
    {
      ...pressed,
      name: 'login.undo_email_change',
      method: 'POST',
      path: '/undo-email-change',
      handle: (ctx) => press(ctx, 'undo-email-change'),
    },
  ]);
}

const fromOf = (ctx: Context) => ({ address: addressOf(ctx), locale: languageOf(ctx) });
