// Accounts in the session-sharing API: who am I, sign in, sign up, change the profile, erase the account.

import { z } from 'zod';
import type { Accounts, EmailChange, Erasure, ProfileChange, RegisterFault } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { readJson } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { type Context, routes } from '../http/route.ts';
import type { CodeSignInRefused, Completed, Login, SignInRefused, Unverified } from '../login/login.ts';
import { askerOf, keepWaiting, readAttempt, waitingOf } from '../login/middleware.ts';
import { addressOf, languageOf, siteOf } from '../realms/middleware.ts';
import { clearCredential } from '../sessions/middleware.ts';
import { otp, phone, refuseRequest } from './contact_routes.ts';
import { answerCompleted } from './middleware.ts';
import { presentMe, presentPasswordFault, presentTypedUser, presentUser } from './present.ts';

const text = (most: number) =>
  z.string({ error: 'must be a string' }).max(most, `must have at most ${most} characters`);
const credential = text(1024).nullish();
const loginBody = z.object({
  username: text(320).nullish(),
  email: text(320).nullish(),
  password: credential,
  'phone-number': phone.nullish(),
  otp: otp.nullish(),
  'auto-signup': z.boolean({ error: 'must be true or false' }).nullish(),
});
const signupBody = z.object({
  name: text(200).nullish(),
  email: text(320).nullish(),
  username: text(320).nullish(),
  password: credential,
  'login-phone-number': phone.nullish(),
  otp: otp.nullish(),
  'dont-login': z.boolean({ error: 'must be true or false' }).nullish(),
});
const MOST_METADATA_BYTES = 16 * 1024;
const profileBody = z.object({
  name: text(200).nullable().optional(),
  email: text(320).optional(),
  'phone-number': phone.nullable().optional(),
  'first-name': text(200).nullable().optional(),
  'last-name': text(200).nullable().optional(),
  'avatar-url': z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .max(2048)
    .nullable()
    .optional(),
  metadata: z
    .record(z.string(), z.unknown(), { error: 'must be an object' })
    .refine(
      (value) => JSON.stringify(value).length <= MOST_METADATA_BYTES,
      `must have at most ${MOST_METADATA_BYTES} bytes`,
    )
    .nullable()
    .optional(),
});

/** Published screens compare this text letter by letter. */
const ALREADY_EXISTS = 'User Already exists';
const CLOSED = 'Sign-up is closed on this site.';
const CODE_WRONG = 'The code does not match, or it is used or expired. Ask for a new one.';

const CONFIRM_ADDRESS =
  'The new e-mail address counts once it is confirmed: a link is on its way to it. Until then the old one stays.';

export function bridgekeeperUserRoutes(options: {
  accounts: Accounts;
  emailChange: EmailChange;
  erasure: Erasure;
  login: Login;
  reader: Reader;
}) {
  const { accounts, emailChange, erasure, login, reader } = options;

  async function me(ctx: Context) {
    ctx.body = presentMe(await reader.require(ctx));
  }

  async function signIn(ctx: Context) {
    const body = await readJson(ctx, loginBody);
    const identifier = body.email?.trim() || body.username?.trim() || '';
    const attempt = await readAttempt(ctx, reader);
    if (body.otp) {
      const given = { email: body.email, phone: body['phone-number'], code: body.otp };
      const outcome = await login.codes.signIn(attempt, { ...given, mayCreate: body['auto-signup'] === true });
      if (!outcome.ok) throw codeSignInRefusal(outcome);
      return answerCompleted(ctx, outcome);
    }
    // An empty field is a wrong one: an account without a password must not be told apart.
    if (identifier === '' || !body.password) throw new AppError('invalid_credentials');
    const outcome = await login.signIn(attempt, { identifier, password: body.password });
    if (!outcome.ok) throw signInRefusal(outcome);
    answerCompleted(ctx, outcome);
  }

  async function signUp(ctx: Context) {
    const body = await readJson(ctx, signupBody);
    if (body.otp) return signUpWithCode(ctx, { ...body, otp: body.otp });
    const attempt = { ...(await readAttempt(ctx, reader)), browser: waitingOf(ctx) };
    const typed = { email: body.email ?? '', username: body.username || null, name: body.name || null };
    const given = { ...typed, password: body.password ?? '', mayBegin: body['dont-login'] !== true };
    const outcome = await login.signUp(attempt, given);
    if (!outcome.ok) {
      switch (outcome.reason) {
        case 'throttled':
          throw new AppError('too_many_requests', { retryAfterSeconds: outcome.retryAfterSeconds });
        case 'closed':
          throw new AppError('forbidden', { description: CLOSED });
        case 'unverified':
          throw new AppError('verification_required');
        default:
          throw signUpRefusal(outcome.faults, siteOf(ctx).realm.settings.password_min_length);
      }
    }
    if (outcome.kind === 'registered') {
      // Whoever made an account may prove its address in the same browser, without a session.
      keepWaiting(ctx, attempt.browser);
      ctx.body = { user: outcome.account ? presentUser(outcome.account) : presentTypedUser(typed) };
      return;
    }
    answerCompleted(ctx, outcome);
  }

  async function signUpWithCode(ctx: Context, body: z.infer<typeof signupBody> & { otp: string }) {
    const attempt = await readAttempt(ctx, reader);
    const given = { email: body.email, phone: body['login-phone-number'], code: body.otp };
    const outcome: Completed | CodeSignInRefused = await login.codes.signUp(attempt, given);
    if (!outcome.ok) throw codeSignInRefusal(outcome);
    answerCompleted(ctx, outcome);
  }

  async function updateProfile(ctx: Context) {
    const signedIn = await reader.require(ctx);
    const { email, ...body } = await readJson(ctx, profileBody);
    // A new address is a new way into the account: like a password, it is not changed by a session alone (security 153).
    const isNew = email !== undefined && email.trim().toLowerCase() !== signedIn.account.email?.toLowerCase();
    if (isNew) {
      await reader.requireRecent(ctx);
      refuseRequest(await emailChange.request(siteOf(ctx).realm, signedIn, email, askerOf(ctx, null)));
    }
    const change = toProfileChange(body);
    const account =
      Object.keys(change).length > 0
        ? await accounts.updateProfile(signedIn, change, addressOf(ctx))
        : signedIn.account;
    ctx.body = { user: presentUser(account), ...(isNew && { message: CONFIRM_ADDRESS }) };
  }

  async function erase(ctx: Context) {
    const signedIn = await reader.requireRecent(ctx);
    await erasure.erase(signedIn, { address: addressOf(ctx), locale: languageOf(ctx) });
    clearCredential(ctx, siteOf(ctx).domain.host);
    ctx.body = { message: 'The account has been deleted.' };
  }

  const base = { on: 'any', answers: 'json', effect: 'acts' } as const;
  const own = 'none: changes only what belongs to the caller';
  return routes([
    {
      ...base,
      name: 'bridgekeeper.me',
      method: 'GET',
      path: '/api/auth/v1/users/me',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: one indexed read',
      handle: me,
    },
    {
      ...base,
      name: 'bridgekeeper.delete_me',
      method: 'DELETE',
      path: '/api/auth/v1/users/me',
      csrf: 'origin',
      limit: own,
      handle: erase,
    },
    {
      ...base,
      name: 'bridgekeeper.login',
      method: 'POST',
      path: '/api/auth/v1/login',
      csrf: 'json',
      limit: 'sign-in-account',
      handle: signIn,
    },
    {
      ...base,
      name: 'bridgekeeper.signup',
      method: 'POST',
      path: '/api/auth/v1/signup',
      csrf: 'json',
      limit: 'sign-up-address',
      handle: signUp,
    },
    {
      ...base,
      name: 'bridgekeeper.profile',
      method: 'POST',
      path: '/api/auth/v1/users/profile',
      csrf: 'json',
      limit: own,
      handle: updateProfile,
    },
  ]);
}

function signInRefusal(refused: SignInRefused | Unverified): AppError {
  switch (refused.reason) {
    case 'wrong':
      return new AppError('invalid_credentials');
    case 'unverified':
      return new AppError('verification_required');
    default:
      return new AppError('too_many_requests', { retryAfterSeconds: refused.retryAfterSeconds });
  }
}

function codeSignInRefusal(refused: CodeSignInRefused | Unverified): AppError {
  switch (refused.reason) {
    case 'wrong':
      return new AppError('invalid_credentials', { description: CODE_WRONG });
    case 'no-account':
      return new AppError('invalid_credentials', {
        description: 'Nobody has this address or number yet. Sign up, or send auto-signup.',
      });
    case 'taken':
      return new AppError('conflict', { description: ALREADY_EXISTS });
    case 'closed':
      return new AppError('forbidden', { description: CLOSED });
    case 'unverified':
      return new AppError('verification_required');
    default:
      return new AppError('too_many_requests', { retryAfterSeconds: refused.retryAfterSeconds });
  }
}

function signUpRefusal(faults: readonly RegisterFault[], minimum: number): AppError {
  if (faults.some(({ fault }) => fault === 'taken')) return new AppError('conflict', { description: ALREADY_EXISTS });
  const describe = ({ field, fault }: RegisterFault) => {
    if (fault === 'taken') return field;
    return `${field} ${fault === 'invalid' ? 'is not valid' : presentPasswordFault(fault, minimum)}`;
  };
  return new AppError('invalid_request', { description: faults.map(describe).join('; ') });
}

function toProfileChange(body: Omit<z.infer<typeof profileBody>, 'email'>): ProfileChange {
  const change = {
    name: body.name,
    phoneNumber: body['phone-number'],
    firstName: body['first-name'],
    lastName: body['last-name'],
    avatarUrl: body['avatar-url'],
    metadata: body.metadata,
  };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as ProfileChange;
}
