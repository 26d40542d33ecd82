// The hosted pages of a forgotten password: the page that asks for the address, and the page for the new password, behind a
// link or a right code. Opening them changes nothing (security 9, 148); setting a password signs nobody in (security 150).

import { z } from 'zod';
import type { PasswordReset } from '../accounts/accounts.ts';
import type { Clients } from '../clients/clients.ts';
import { formField, readForm } from '../http/body.ts';
import { renewCsrf } from '../http/csrf.ts';
import { AppError, clientGone } from '../http/errors.ts';
import { readLinkSecret } from '../http/link_address.ts';
import { readQuery } from '../http/query.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import type { Messages } from '../messages/messages.ts';
import { addressOf, brandedClientOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import type { Login, ReturnTo } from './login.ts';
import {
  askerOf,
  findNote,
  forgetSent,
  frameFields,
  frameOf,
  leaveNote,
  mustRenew,
  noteSent,
  readReturnOf,
  refuseWhenBusy,
  throttled,
  withReturn,
} from './middleware.ts';

const forgotForm = z.object({ email: formField, ...frameFields });
const passwordForm = z.object({
  password: formField,
  /** Of a link. */
  token: formField,
  /** Of a right code. */
  proof: formField,
  ...frameFields,
});

/** What allows a new password: whose, and by what. */
type Right = { email: string; token: string; proof: string };

export function recoveryRoutes(options: {
  clients: Clients;
  login: Login;
  passwordReset: PasswordReset;
  messages: Messages;
  pages: SitePages;
}) {
  const { passwordReset, messages, pages } = options;

  async function showForgot(ctx: Context) {
    const { request_handle: handle, login_hint: hint } = readQuery(ctx, ['request_handle', 'login_hint']);
    requireMail();
    const to = await readReturn(ctx, handle);
    renderForgot(ctx, { to, email: hint ?? '', problem: null, retryAfterSeconds: null });
  }

  async function forgot(ctx: Context) {
    const form = await readForm(ctx, forgotForm);
    requireMail();
    const to = await readReturn(ctx, form.handle);
    const again = (problem: string, retryAfterSeconds: number | null = null) =>
      renderForgot(ctx, { to, email: form.email, problem, retryAfterSeconds });
    if (mustRenew(ctx, form, withReturn('/forgot-password', to))) return again('form-renewed');
    const email = form.email.trim();
    const given = { email, currentHost: to?.client?.host ?? null, handle: to?.handle ?? null };
    const requested = await passwordReset.request(siteOf(ctx).realm, given, askerOf(ctx, null));
    if (!requested.ok && requested.reason === 'throttled')
      return again('throttled', throttled(ctx, requested.retryAfterSeconds));
    if (!requested.ok) {
      ctx.status = 400;
      return again(email === '' ? 'missing' : 'invalid-email');
    }
    noteSent(ctx, { purpose: 'reset-password', to: email });
    seeOther(ctx, withReturn('/reset-password/code', to));
  }

  async function showNewPassword(ctx: Context) {
    const { request_handle: handle } = readQuery(ctx, ['request_handle']);
    const token = readLinkSecret(ctx, '/reset-password');
    if (token === null) return;
    const proof = token === '' ? (findNote(ctx, 'code-proven') ?? '') : '';
    const to = await readReturn(ctx, handle);
    await renderWithRight(ctx, { token, proof, to, problem: null, retryAfterSeconds: null });
  }

  async function setPassword(ctx: Context) {
    const form = await readForm(ctx, passwordForm);
    const to = await readReturn(ctx, form.handle);
    const again = (problem: string, retryAfterSeconds: number | null = null) =>
      renderWithRight(ctx, { token: form.token, proof: form.proof, to, problem, retryAfterSeconds });
    if (mustRenew(ctx, form, withReturn('/forgot-password', to))) return again('form-renewed');
    const { realm } = siteOf(ctx);
    const right = await findRight(ctx, form);
    if (!right) return renderOver(ctx, to);
    const from = {
      address: addressOf(ctx),
      locale: languageOf(ctx),
      client: brandedClientOf(ctx),
      signal: clientGone(ctx),
    };
    const done = await refuseWhenBusy(ctx, () =>
      right.proof === ''
        ? passwordReset.setByToken(realm, { token: right.token, password: form.password }, from)
        : passwordReset.setByProof(realm, { proof: right.proof, password: form.password }, from),
    );
    if (done === 'busy') return again('busy', 3);
    if (!done.ok && done.reason === 'password') {
      ctx.status = 400;
      return again(done.fault);
    }
    if (!done.ok) return renderOver(ctx, to);
    renewCsrf(ctx);
    forgetSent(ctx);
    leaveNote(ctx, { kind: 'password-changed', value: right.email });
    seeOther(ctx, withReturn('/login', to ?? (await readReturn(ctx, right.handle ?? undefined))));
  }

  /** Whose password a link or a right code is for; null when it is used, old, or not ours. Changes nothing. */
  async function findRight(ctx: Context, given: { token: string; proof: string }) {
    const { realm } = siteOf(ctx);
    if (given.proof !== '') {
      const proof = await passwordReset.openProof(realm, given.proof);
      return proof && { email: proof.recipient, token: '', proof: given.proof, handle: null };
    }
    const looked = await passwordReset.look(realm, given.token);
    if (looked.kind !== 'open') return null;
    return { email: looked.email, token: given.token, proof: '', handle: looked.handle };
  }

  const readReturn = (ctx: Context, handle: string | undefined) => readReturnOf(ctx, options, handle);

  function requireMail() {
    if (!messages.canReach('email')) throw new AppError('not_found', { description: 'This server sends no e-mail.' });
  }

  type Shown = { to: ReturnTo | null; problem: string | null; retryAfterSeconds: number | null };

  function renderForgot(ctx: Context, page: Shown & { email: string }) {
    pages.render(ctx, {
      view: 'login/forgot_password',
      here: withReturn('/forgot-password', page.to),
      formTargets: page.to?.targets ?? [],
      data: {
        ...frameOf(ctx, page.to),
        email: page.email.slice(0, 254),
        problem: page.problem,
        retryAfterSeconds: page.retryAfterSeconds,
        signInUrl: withReturn('/login', page.to),
      },
    });
  }

  async function renderWithRight(ctx: Context, page: Shown & { token: string; proof: string }) {
    const right = await findRight(ctx, page);
    if (!right) return renderOver(ctx, page.to);
    const to = page.to ?? (await readReturn(ctx, right.handle ?? undefined));
    renderNewPassword(ctx, { ...page, to }, right);
  }

  function renderNewPassword(ctx: Context, page: Shown, right: Right) {
    pages.render(ctx, {
      view: 'login/new_password',
      formTargets: page.to?.targets ?? [],
      data: {
        ...frameOf(ctx, page.to),
        email: right.email,
        token: right.token,
        proof: right.proof,
        problem: page.problem,
        retryAfterSeconds: page.retryAfterSeconds,
        minimumPasswordLength: siteOf(ctx).realm.settings.password_min_length,
      },
    });
  }

  function renderOver(ctx: Context, to: ReturnTo | null) {
    ctx.status = 410;
    pages.render(ctx, {
      view: 'login/link_result',
      data: {
        outcome: 'reset-over',
        email: '',
        actions: [
          { url: withReturn('/forgot-password', to), key: 'ask-again', isPrimary: true },
          { url: withReturn('/login', to), key: 'sign-in', isPrimary: false },
        ],
      },
    });
  }

  const shown = { on: 'auth', answers: 'page', effect: 'reads', csrf: 'none: reads' } as const;
  const acting = { on: 'auth', answers: 'page', effect: 'acts', csrf: 'form' } as const;
  return routes([
    {
      ...shown,
      name: 'login.show_forgot_password',
      method: 'GET',
      path: '/forgot-password',
      limit: 'none: no write, no look-up',
      handle: showForgot,
    },
    {
      ...acting,
      name: 'login.forgot_password',
      method: 'POST',
      path: '/forgot-password',
      limit: 'code-recipient',
      handle: forgot,
    },
    {
      ...shown,
      name: 'login.show_new_password',
      method: 'GET',
      path: '/reset-password',
      limit: 'none: no write, one indexed read',
      handle: showNewPassword,
    },
    {
      ...acting,
      name: 'login.set_new_password',
      method: 'POST',
      path: '/reset-password',
      limit: 'none: a token cannot be guessed, and hashing waits in its own queue',
      handle: setPassword,
    },
  ]);
}
