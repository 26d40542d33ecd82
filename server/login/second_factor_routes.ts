// The hosted page of the second factor on the auth domain: a code, or setting one up where the realm asks for it. It serves
// whoever has just proved a first factor (cookie tfa-auth) and readers who are signed in with one factor only.

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import type { Database } from '../db/database.ts';
import { formField, readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { AppError } from '../http/errors.ts';
import { readQuery } from '../http/query.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { type Challenge, isMultiFactor, type Mfa, type SetUpRefused } from '../mfa/mfa.ts';
import { clearChallenge, findChallenge, placeOf, readPasskey } from '../mfa/middleware.ts';
import { addressOf, languageOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';
import type { Login, ReturnTo, Unverified } from './login.ts';
import { frameFields, goOn, mustRenew, readAttempt, readReturnOf, throttled, withReturn } from './middleware.ts';

const PATH = '/login/second-factor';
const codeForm = z.object({
  code: formField,
  /** Instead of a code: what a passkey answered. */
  ceremony: formField,
  response: formField,
  /** `recovery` when the page asks for a recovery code. */
  with: formField,
  /** `1` on the button that says that the recovery codes are saved. */
  saved: formField,
  ...frameFields,
});

/** Where a browser stands that comes to this page. */
type State =
  | { kind: 'set-up' | 'saved' | 'validation'; challenge: Challenge }
  | { kind: 'step-up'; signedIn: SignedIn }
  /** Signed in with all that could be asked for, or has to begin at another page. */
  | { kind: 'elsewhere'; at: 'return' | 'sign-in' | 'two-step' };

export function secondFactorRoutes(options: {
  db: Database;
  login: Login;
  mfa: Mfa;
  reader: Reader;
  clients: Clients;
  pages: SitePages;
}) {
  const { db, login, mfa, reader, pages } = options;

  async function stateOf(ctx: Context): Promise<State> {
    const challenge = await findChallenge(ctx, mfa);
    if (challenge?.provenAmr) return { kind: 'saved', challenge };
    if (challenge) return { kind: challenge.need === 'setup' ? 'set-up' : 'validation', challenge };
    const signedIn = await reader.find(ctx);
    if (!signedIn) return { kind: 'elsewhere', at: 'sign-in' };
    const isRecent = signedIn.session.ageSeconds <= settingSeconds(siteOf(ctx).realm.settings.reauth_window);
    // With an old sign-in the endpoint behind the handle asks for a whole new one.
    if (isMultiFactor(signedIn.session.amr) || !isRecent) return { kind: 'elsewhere', at: 'return' };
    return signedIn.account.isTfaEnabled ? { kind: 'step-up', signedIn } : { kind: 'elsewhere', at: 'two-step' };
  }

  async function show(ctx: Context) {
    const { request_handle: handle, with: way } = readQuery(ctx, ['request_handle', 'with']);
    const to = await readReturn(ctx, handle);
    await render(ctx, await stateOf(ctx), {
      to,
      isRecovery: way === 'recovery',
      problem: null,
      retryAfterSeconds: null,
    });
  }

  async function answer(ctx: Context) {
    const form = await readForm(ctx, codeForm);
    const to = await readReturn(ctx, form.handle);
    const state = await stateOf(ctx);
    const isRecovery = form.with === 'recovery';
    const again = (problem: string | null, retryAfterSeconds: number | null = null) =>
      render(ctx, state, { to, isRecovery, problem, retryAfterSeconds });
    if (state.kind === 'elsewhere') return leave(ctx, state, to);
    if (mustRenew(ctx, form, withReturn(PATH, to))) return again('form-renewed');
    // The set-up form sent once more, by a reload: the codes are not shown again, but nobody is hurried past them either.
    if (state.kind === 'saved' && form.saved !== '1') return again(null);
    if (form.code.trim() === '' && form.ceremony === '' && state.kind !== 'saved') {
      ctx.status = 400;
      return again('missing');
    }
    const outcome = await act(ctx, state, form);
    if (outcome.ok)
      return 'recoveryCodes' in outcome ? showCodes(ctx, outcome.recoveryCodes, to) : goOn(ctx, outcome, to);
    const isPasskey = form.ceremony !== '' && outcome.reason === 'wrong';
    await refuse(ctx, outcome, {
      to,
      again: (problem, seconds = null) => again(isPasskey ? 'wrong-passkey' : problem, seconds),
    });
  }

  async function act(ctx: Context, state: Exclude<State, { kind: 'elsewhere' }>, form: z.infer<typeof codeForm>) {
    const attempt = await readAttempt(ctx, reader);
    const { code } = form;
    const passkey = form.ceremony === '' ? null : { place: placeOf(ctx), given: readPasskey(form) };
    switch (state.kind) {
      case 'set-up':
        return mfa.setUp(attempt.realm, state.challenge, code, {
          address: addressOf(ctx),
          locale: languageOf(ctx),
        });
      case 'saved':
        return login.finishSetUp(attempt, state.challenge);
      case 'validation':
        return passkey
          ? login.passWithPasskey(attempt, state.challenge, passkey)
          : login.passSecondFactor(attempt, state.challenge, code);
      case 'step-up':
        return passkey
          ? login.confirmWithPasskey(attempt, state.signedIn, passkey)
          : login.stepUp(attempt, state.signedIn, code);
      default:
        return state satisfies never;
    }
  }

  async function refuse(
    ctx: Context,
    refused: SetUpRefused | Unverified,
    on: { to: ReturnTo | null; again: (problem: string, retryAfterSeconds?: number | null) => Promise<void> },
  ) {
    switch (refused.reason) {
      case 'wrong':
        ctx.status = 401;
        return on.again('wrong');
      case 'throttled':
        return on.again('throttled', throttled(ctx, refused.retryAfterSeconds));
      case 'over':
      case 'has-one':
        clearChallenge(ctx);
        ctx.status = 401;
        return pages.render(ctx, { view: 'mfa/over', data: { signInUrl: withReturn('/login', on.to) } });
      case 'unverified':
        throw new AppError('verification_required');
      default:
        return refused satisfies never;
    }
  }

  function leave(ctx: Context, state: Extract<State, { kind: 'elsewhere' }>, to: ReturnTo | null) {
    const target =
      state.at === 'return'
        ? (to?.path ?? '/')
        : withReturn(state.at === 'sign-in' ? '/login' : '/account/two-step', to);
    seeOther(ctx, target);
  }

  type Shown = { to: ReturnTo | null; isRecovery: boolean; problem: string | null; retryAfterSeconds: number | null };

  async function render(ctx: Context, state: State, page: Shown) {
    if (state.kind === 'elsewhere') return leave(ctx, state, page.to);
    const common = {
      action: PATH,
      csrfToken: csrfToken(ctx),
      handle: page.to?.handle ?? null,
      problem: page.problem,
      retryAfterSeconds: page.retryAfterSeconds,
    };
    const formTargets = page.to?.targets ?? [];
    if (state.kind === 'saved')
      return pages.render(ctx, { view: 'mfa/recovery_codes', formTargets, data: { ...common, codes: null } });
    if (state.kind === 'set-up') {
      const enrolment = await mfa.enrolmentOf(siteOf(ctx).realm, state.challenge);
      if (!enrolment) return leave(ctx, { kind: 'elsewhere', at: 'sign-in' }, page.to);
      return pages.render(ctx, {
        view: 'mfa/set_up',
        formTargets,
        data: {
          ...common,
          enrolment,
          accountName: await nameOf(state),
          carried: null,
          isRequired: true,
          cancelUrl: null,
        },
      });
    }
    const isStepUp = state.kind === 'step-up';
    const kinds = (await mfa.factorsOf(db, isStepUp ? state.signedIn.account.id : state.challenge.accountId)).map(
      ({ kind }) => kind,
    );
    const options = `/api/auth/v1/passkeys/${isStepUp ? 're-authenticate' : 'second-factor'}/options`;
    const query = (way: string | null) => {
      const parameters = new URLSearchParams({
        ...(way && { with: way }),
        ...(page.to?.handle && { request_handle: page.to.handle }),
      });
      return parameters.size > 0 ? `${PATH}?${parameters}` : PATH;
    };
    pages.render(ctx, {
      view: 'mfa/code',
      formTargets,
      data: {
        ...common,
        clientName: page.to?.client?.name ?? null,
        accountName: await nameOf(state),
        isRecovery: page.isRecovery,
        isStepUp,
        hasApp: kinds.includes('totp'),
        passkey: kinds.includes('passkey') ? { options } : null,
        otherWayUrl: query(page.isRecovery ? null : 'recovery'),
        signInUrl: isStepUp ? null : withReturn('/login', page.to),
      },
    });
  }

  /** Whose second factor is asked for: a challenge that somebody slipped into this browser is another account's. */
  async function nameOf(state: Exclude<State, { kind: 'elsewhere' }>): Promise<string> {
    const account = 'signedIn' in state ? state.signedIn.account : await mfa.accountOf(state.challenge);
    return account?.email ?? account?.username ?? account?.name ?? '';
  }

  const showCodes = (ctx: Context, codes: readonly string[], to: ReturnTo | null) =>
    pages.render(ctx, {
      view: 'mfa/recovery_codes',
      formTargets: to?.targets ?? [],
      data: {
        action: PATH,
        csrfToken: csrfToken(ctx),
        handle: to?.handle ?? null,
        problem: null,
        retryAfterSeconds: null,
        codes,
      },
    });

  const readReturn = (ctx: Context, handle: string | undefined) => readReturnOf(ctx, options, handle);

  const page = { on: 'auth', answers: 'page' } as const;
  return routes([
    {
      ...page,
      name: 'login.show_second_factor',
      method: 'GET',
      path: '/login/second-factor',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: no write, two indexed reads',
      handle: show,
    },
    {
      ...page,
      name: 'login.second_factor',
      method: 'POST',
      path: '/login/second-factor',
      effect: 'acts',
      csrf: 'form',
      limit: 'second-factor-session',
      handle: answer,
    },
  ]);
}
