// The e-mail address: proven or not, and a new one, which counts once its mail was answered (security 153).

import { z } from 'zod';
import type { EmailChange, Requested, SignedIn, Verification } from '../accounts/accounts.ts';
import { readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { askerOf, throttled } from '../login/middleware.ts';
import type { Messages } from '../messages/messages.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { type Gate, leaveNote, takeNote } from './middleware.ts';

const PAGE = '/account/email';
const field = z.string().max(8000).default('');
const verifyForm = z.object({ csrf_token: field });
const changeForm = z.object({ csrf_token: field, email: field });
const codeForm = z.object({ csrf_token: field, email: field, code: field });

type Shown = {
  email?: string;
  problem?: string | null;
  /** Where a code is on its way to. */
  sentTo?: string | null;
  codeProblem?: string | null;
  retryAfterSeconds?: number | null;
  isKept?: boolean;
};

export function emailRoutes(
  options: { emailChange: EmailChange; verification: Verification; messages: Messages; pages: SitePages },
  gate: Gate,
) {
  const { emailChange, verification, messages, pages } = options;

  async function show(ctx: Context) {
    const signedIn = await gate.enter(ctx, PAGE);
    if (!signedIn) return;
    const kept = await gate.readKept(ctx, signedIn);
    render(ctx, signedIn, { email: kept?.['email'] ?? '', isKept: kept !== null });
  }

  /** Sends the proof of the present address once more. */
  async function verify(ctx: Context) {
    const form = await readForm(ctx, verifyForm);
    const again = (who: SignedIn) => render(ctx, who, { problem: 'form-renewed' });
    const signedIn = await gate.admit(ctx, { form, path: PAGE, needs: 'session', again });
    if (!signedIn) return;
    const { email, verificationStatus } = signedIn.account;
    if (email === null || verificationStatus === 'email') return seeOther(ctx, PAGE);
    const requested = await verification.request(siteOf(ctx), { email, redirectUrl: null }, askerOf(ctx, null));
    if (!requested.ok) return refuse(ctx, signedIn, requested, {});
    leaveNote(ctx, 'verification-sent', email);
    seeOther(ctx, PAGE);
  }

  async function change(ctx: Context) {
    const form = await readForm(ctx, changeForm);
    const email = form.email.trim();
    const signedIn = await gate.admit(ctx, {
      form,
      path: PAGE,
      needs: 'recent-sign-in',
      kept: { email },
      again: (who) => render(ctx, who, { email, problem: 'form-renewed' }),
    });
    if (!signedIn) return;
    const requested = await emailChange.request(siteOf(ctx).realm, signedIn, email, askerOf(ctx, null));
    if (!requested.ok) return refuse(ctx, signedIn, requested, { email });
    leaveNote(ctx, 'change-sent', email);
    seeOther(ctx, PAGE);
  }

  /** The code out of the mail to the new address, typed instead of opening the link. */
  async function confirm(ctx: Context) {
    const form = await readForm(ctx, codeForm);
    const email = form.email.trim();
    const signedIn = await gate.admit(ctx, {
      form,
      path: PAGE,
      needs: 'session',
      again: (who) => render(ctx, who, { sentTo: email, codeProblem: 'form-renewed' }),
    });
    if (!signedIn) return;
    const given = { email, code: form.code.replace(/\s/g, '') };
    const from = { address: addressOf(ctx), locale: languageOf(ctx) };
    const changed = await emailChange.confirmByCode(siteOf(ctx).realm, signedIn, given, from);
    if (!changed.ok) {
      ctx.status = changed.reason === 'taken' ? 409 : 400;
      const problem = changed.reason === 'taken' ? 'taken' : 'wrong-code';
      return render(ctx, signedIn, { sentTo: email, codeProblem: problem });
    }
    leaveNote(ctx, 'email-changed', email);
    seeOther(ctx, PAGE);
  }

  function refuse(
    ctx: Context,
    signedIn: SignedIn,
    refused: Exclude<Requested, { ok: true }> | { ok: false; reason: 'invalid-email' | 'own' | 'invalid-redirect' },
    shown: Shown,
  ): void {
    if (refused.reason === 'throttled') {
      const retryAfterSeconds = throttled(ctx, refused.retryAfterSeconds);
      render(ctx, signedIn, { ...shown, problem: 'throttled', retryAfterSeconds });
      return;
    }
    ctx.status = refused.reason === 'unreachable' ? 503 : 400;
    render(ctx, signedIn, { ...shown, problem: refused.reason });
  }

  function render(ctx: Context, { account }: SignedIn, shown: Shown): void {
    const note = takeNote(ctx);
    pages.render(ctx, {
      view: 'account_page/email',
      data: {
        csrfToken: csrfToken(ctx),
        note,
        current: account.email,
        isVerified: account.verificationStatus === 'email',
        canSend: messages.canReach('email'),
        email: (shown.email ?? '').slice(0, 254),
        problem: shown.problem ?? null,
        sentTo: shown.sentTo?.slice(0, 254) ?? (note?.kind === 'change-sent' ? note.value : null),
        codeProblem: shown.codeProblem ?? null,
        retryAfterSeconds: shown.retryAfterSeconds ?? null,
        isKept: shown.isKept === true,
      },
    });
  }

  const page = { on: 'auth', answers: 'page', effect: 'acts', csrf: 'form' } as const;
  return routes([
    {
      ...page,
      name: 'account_page.show_email',
      method: 'GET',
      path: '/account/email',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: only what belongs to the caller',
      handle: show,
    },
    {
      ...page,
      name: 'account_page.change_email',
      method: 'POST',
      path: '/account/email',
      limit: 'code-recipient',
      handle: change,
    },
    {
      ...page,
      name: 'account_page.confirm_email',
      method: 'POST',
      path: '/account/email/code',
      limit: 'none: each code has five tries',
      handle: confirm,
    },
    {
      ...page,
      name: 'account_page.verify_email',
      method: 'POST',
      path: '/account/email/verify',
      limit: 'code-recipient',
      handle: verify,
    },
  ]);
}
