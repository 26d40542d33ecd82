// The hosted page that asks for a code that was sent: to sign in, to choose a new password, to confirm the address of a new
// account. One page for all three; what was sent, and to whom, stands in the state of this browser and in its form, never in
// an address. It answers alike for addresses that are somebody's and nobody's (security 139).

import { z } from 'zod';
import type { PasswordReset, Requested, Verification } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { isCode, MOST_TRIES, PURPOSES } from '../challenges/challenges.ts';
import type { Clients } from '../clients/clients.ts';
import { formField, readForm } from '../http/body.ts';
import { clientGone } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { type OwnPath, seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { parseLimit } from '../lib/duration.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import type { Completed, Login, ReturnTo } from './login.ts';
import {
  askerOf,
  contactOf,
  findSent,
  forgetSent,
  frameFields,
  frameOf,
  goOn,
  keepWaiting,
  leaveNote,
  mustRenew,
  noteSent,
  noteWrongCode,
  readAttempt,
  readReturnOf,
  type Sent,
  takeNote,
  throttled,
  waitingOf,
  withReturn,
} from './middleware.ts';

const codeForm = z.object({
  code: formField,
  /** Address or number that the code went to. */
  to: formField,
  /** `resend`, or `go-on` for whoever has opened the link elsewhere. */
  act: formField,
  ...frameFields,
});

type Purpose = Sent['purpose'];
/** Where the page of each purpose is, and where it is begun. */
const PAGES: Record<Purpose, { path: OwnPath; start: OwnPath }> = {
  'sign-in': { path: '/login/code', start: '/login' },
  'reset-password': { path: '/reset-password/code', start: '/forgot-password' },
  'verify-email': { path: '/verify-email/code', start: '/login' },
};

type Answered =
  | { kind: 'completed'; completed: Extract<Completed, { ok: true }> }
  /** Proven, and no session begins from here: the sign-in page knows how to go on. */
  | { kind: 'over' }
  | { kind: 'proven'; proof: string }
  | { kind: 'wrong' }
  | { kind: 'throttled'; retryAfterSeconds: number };

export function codeRoutes(options: {
  clients: Clients;
  login: Login;
  verification: Verification;
  passwordReset: PasswordReset;
  reader: Reader;
  pages: SitePages;
}) {
  const { login, verification, passwordReset, reader, pages } = options;

  async function show(ctx: Context, purpose: Purpose) {
    const { request_handle: handle } = readQuery(ctx, ['request_handle']);
    const to = await readReturnOf(ctx, options, handle);
    const sent = findSent(ctx, purpose);
    if (!sent) return seeOther(ctx, withReturn(PAGES[purpose].start, to));
    const isAgain = takeNote(ctx, 'sent-again') !== null;
    render(ctx, { purpose, to, sent, problem: isAgain ? 'sent-again' : null, retryAfterSeconds: null });
  }

  async function answer(ctx: Context, purpose: Purpose) {
    const form = await readForm(ctx, codeForm);
    const to = await readReturnOf(ctx, options, form.handle);
    const { path, start } = PAGES[purpose];
    const noted = findSent(ctx, purpose);
    // Of two tabs with two addresses each asks for its own; the notes in the state of the browser are about the later.
    const isNoted = noted !== null && (form.to === '' || form.to === noted.to);
    const sent = isNoted ? noted : { purpose, to: form.to.slice(0, 320), at: Date.now(), wrong: 0 };
    if (sent.to === '') return seeOther(ctx, withReturn(start, to));
    const again = (problem: string, more: { sent?: Sent; retryAfterSeconds?: number } = {}) =>
      render(ctx, { purpose, to, sent, problem, retryAfterSeconds: null, ...more });
    if (mustRenew(ctx, form, withReturn(start, to))) return again('form-renewed');
    if (form.act === 'resend') {
      const requested = await send(ctx, sent, to);
      if (!requested.ok) {
        const retryAfterSeconds = requested.reason === 'throttled' ? requested.retryAfterSeconds : 60;
        return again('resend-throttled', { retryAfterSeconds: throttled(ctx, retryAfterSeconds) });
      }
      noteSent(ctx, sent);
      leaveNote(ctx, { kind: 'sent-again', value: '' });
      return seeOther(ctx, withReturn(path, to));
    }
    if (form.act === 'go-on') return goOnWhenProven(ctx, to, again);
    // As people copy it: with spaces, in two groups.
    const code = form.code.replace(/[\s-]/gu, '');
    if (!isCode(code)) {
      ctx.status = 400;
      return again(code === '' ? 'missing' : 'invalid');
    }
    const answered = await prove(ctx, { sent, code, to });
    switch (answered.kind) {
      case 'completed':
        forgetSent(ctx);
        return goOn(ctx, answered.completed, to);
      case 'over':
        forgetSent(ctx);
        return seeOther(ctx, withReturn('/login', to));
      case 'proven':
        leaveNote(ctx, { kind: 'code-proven', value: answered.proof });
        return seeOther(ctx, withReturn('/reset-password', to));
      case 'throttled':
        return again('throttled', { retryAfterSeconds: throttled(ctx, answered.retryAfterSeconds) });
      case 'wrong': {
        ctx.status = 401;
        const isOld = Date.now() - sent.at > (PURPOSES[purpose].codeSeconds ?? 0) * 1000;
        const counted = noteWrongCode(ctx, sent);
        return again(isOld ? 'expired' : counted.wrong >= MOST_TRIES ? 'used-up' : 'wrong', { sent: counted });
      }
      default:
        return answered satisfies never;
    }
  }

  /** Asks again for what this page waits for. */
  async function send(ctx: Context, { purpose, to: typed }: Sent, to: ReturnTo | null): Promise<Requested> {
    const site = siteOf(ctx);
    const browser = waitingOf(ctx);
    const asker = askerOf(ctx, browser);
    const handle = to?.handle ?? null;
    keepWaiting(ctx, browser);
    const requested = await (purpose === 'sign-in'
      ? login.codes.start(site.realm, { ...contactOf(typed), handle }, asker)
      : purpose === 'reset-password'
        ? passwordReset.request(site.realm, { email: typed, currentHost: to?.client?.host ?? null, handle }, asker)
        : verification.request(site, { email: typed, redirectUrl: null, handle }, asker));
    // What cannot be an address any more was changed in the form.
    return requested.ok || requested.reason === 'throttled' || requested.reason === 'unreachable'
      ? requested
      : { ok: false, reason: 'unreachable' };
  }

  async function prove(
    ctx: Context,
    { sent, code, to }: { sent: Sent; code: string; to: ReturnTo | null },
  ): Promise<Answered> {
    const { realm } = siteOf(ctx);
    const browser = waitingOf(ctx);
    const attempt = { ...(await readAttempt(ctx, reader)), browser, handle: to?.handle ?? null };
    switch (sent.purpose) {
      case 'sign-in': {
        const finished = await login.codes.finish(attempt, { ...contactOf(sent.to), code, browser });
        if (finished.ok) return { kind: 'completed', completed: finished };
        if (finished.reason === 'throttled') return { ...finished, kind: 'throttled' };
        return { kind: finished.reason === 'unverified' ? 'over' : 'wrong' };
      }
      case 'reset-password': {
        const from = { address: addressOf(ctx), locale: languageOf(ctx), signal: clientGone(ctx) };
        const checked = await passwordReset.checkCode(realm, { email: sent.to, code }, from);
        if (checked.ok) return { kind: 'proven', proof: checked.proof };
        return checked.reason === 'throttled' ? { ...checked, kind: 'throttled' } : { kind: 'wrong' };
      }
      case 'verify-email': {
        const verified = await verification.confirmByCode(realm, { browser, code }, attempt.address);
        if (!verified) return { kind: 'wrong' };
        const entered = await login.pending.enter(attempt, verified.email?.toLowerCase() ?? null);
        return entered.ok ? { kind: 'completed', completed: entered } : { kind: 'over' };
      }
      default:
        return sent.purpose satisfies never;
    }
  }

  /** The button of whoever has opened the link elsewhere. */
  async function goOnWhenProven(ctx: Context, to: ReturnTo | null, again: (problem: string) => void) {
    const entered = await login.pending.enter(await readAttempt(ctx, reader), null);
    if (!entered.ok) {
      // Signed in by another tab meanwhile.
      if (await reader.find(ctx)) return seeOther(ctx, to?.path ?? '/');
      return again('not-yet');
    }
    forgetSent(ctx);
    goOn(ctx, entered, to);
  }

  function render(
    ctx: Context,
    page: {
      purpose: Purpose;
      to: ReturnTo | null;
      sent: Sent;
      problem: string | null;
      retryAfterSeconds: number | null;
    },
  ) {
    const { purpose, sent } = page;
    const { settings } = siteOf(ctx).realm;
    const limit = parseLimit(settings.messages_per_recipient);
    const isLink = purpose === 'sign-in' && sent.to.includes('@') && settings.sign_in_methods.includes('link');
    pages.render(ctx, {
      view: 'login/check_mail',
      here: withReturn(PAGES[purpose].path, page.to),
      formTargets: page.to?.targets ?? [],
      data: {
        ...frameOf(ctx, page.to),
        action: PAGES[purpose].path,
        // What was sent, as far as the words of the page differ.
        kind: isLink ? 'sign-in-link' : purpose === 'sign-in' && !sent.to.includes('@') ? 'sign-in-text' : purpose,
        sentTo: sent.to,
        problem: page.problem,
        triesLeft: Math.max(0, MOST_TRIES - sent.wrong),
        retryAfterSeconds: page.retryAfterSeconds,
        codeMinutes: (PURPOSES[purpose].codeSeconds ?? 0) / 60,
        mostMails: limit?.points ?? 3,
        mostMailsMinutes: Math.max(1, Math.round((limit?.seconds ?? 900) / 60)),
        changeUrl: withReturn(purpose === 'verify-email' ? '/signup' : PAGES[purpose].start, page.to),
        signInUrl: withReturn('/login', page.to),
      },
    });
  }

  const shown = {
    on: 'auth',
    answers: 'page',
    effect: 'reads',
    csrf: 'none: reads',
    limit: 'none: no write, no look-up',
  } as const;
  const answered = { on: 'auth', answers: 'page', effect: 'acts', csrf: 'form' } as const;
  return routes([
    {
      ...shown,
      name: 'login.show_sign_in_code',
      method: 'GET',
      path: '/login/code',
      handle: (ctx) => show(ctx, 'sign-in'),
    },
    {
      ...answered,
      name: 'login.sign_in_code',
      method: 'POST',
      path: '/login/code',
      limit: 'code-try-address',
      handle: (ctx) => answer(ctx, 'sign-in'),
    },
    {
      ...shown,
      name: 'login.show_reset_code',
      method: 'GET',
      path: '/reset-password/code',
      handle: (ctx) => show(ctx, 'reset-password'),
    },
    {
      ...answered,
      name: 'login.reset_code',
      method: 'POST',
      path: '/reset-password/code',
      limit: 'code-try-address',
      handle: (ctx) => answer(ctx, 'reset-password'),
    },
    {
      ...shown,
      name: 'login.show_verification_code',
      method: 'GET',
      path: '/verify-email/code',
      handle: (ctx) => show(ctx, 'verify-email'),
    },
    {
      ...answered,
      name: 'login.verification_code',
      method: 'POST',
      path: '/verify-email/code',
      limit: 'none: five tries for each code, in the browser that waits for it',
      handle: (ctx) => answer(ctx, 'verify-email'),
    },
  ]);
}
