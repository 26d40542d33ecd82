// Accounts in the session-sharing API: who am I, sign in, sign up, change the profile, erase the account.

import { z } from 'zod';
import type { Accounts, ProfileChange, RegisterFault } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { readJson } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { type Context, routes } from '../http/route.ts';
import type { Login, SignInRefused } from '../login/login.ts';
import { readAttempt } from '../login/middleware.ts';
import { addressOf, siteOf } from '../realms/middleware.ts';
import { clearCredential } from '../sessions/middleware.ts';
import { answerCompleted } from './middleware.ts';
import { presentMe, presentUser } from './present.ts';

const text = (most: number) =>
  z.string({ error: 'must be a string' }).max(most, `must have at most ${most} characters`);
const credential = text(1024).nullish();
const loginBody = z.object({ username: text(320).nullish(), email: text(320).nullish(), password: credential });
const signupBody = z.object({
  name: text(200).nullish(),
  email: text(320).nullish(),
  username: text(320).nullish(),
  password: credential,
  'dont-login': z.boolean({ error: 'must be true or false' }).nullish(),
});
const MOST_METADATA_BYTES = 16 * 1024;
const profileBody = z.object({
  name: text(200).nullable().optional(),
  email: text(320).optional(),
  // Published clients send a JSON number.
  'phone-number': z
    .union([text(40), z.number().transform(String)])
    .nullable()
    .optional(),
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

export function bridgekeeperUserRoutes(options: { accounts: Accounts; login: Login; reader: Reader }) {
  const { accounts, login, reader } = options;

  async function me(ctx: Context) {
    ctx.body = presentMe(await reader.require(ctx));
  }

  async function signIn(ctx: Context) {
    const body = await readJson(ctx, loginBody);
    const identifier = body.email?.trim() || body.username?.trim() || '';
    const attempt = await readAttempt(ctx, reader);
    // An empty field is a wrong one: an account without a password must not be told apart.
    if (identifier === '' || !body.password) throw new AppError('invalid_credentials');
    const outcome = await login.signIn(attempt, { identifier, password: body.password });
    if (!outcome.ok) throw signInRefusal(outcome);
    answerCompleted(ctx, outcome);
  }

  async function signUp(ctx: Context) {
    const body = await readJson(ctx, signupBody);
    const attempt = await readAttempt(ctx, reader);
    const outcome = await login.signUp(attempt, {
      email: body.email ?? '',
      password: body.password ?? '',
      username: body.username || null,
      name: body.name || null,
      mayBegin: body['dont-login'] !== true,
    });
    if (!outcome.ok) {
      if (outcome.reason === 'throttled')
        throw new AppError('too_many_requests', { retryAfterSeconds: outcome.retryAfterSeconds });
      if (outcome.reason === 'closed')
        throw new AppError('forbidden', { description: 'Sign-up is closed on this site.' });
      throw signUpRefusal(outcome.faults, siteOf(ctx).realm.settings.password_min_length);
    }
    if (!outcome.credential) {
      ctx.body = { user: presentUser(outcome.account) };
      return;
    }
    answerCompleted(ctx, outcome);
  }

  async function updateProfile(ctx: Context) {
    const signedIn = await reader.require(ctx);
    const body = await readJson(ctx, profileBody);
    // A new address is a new way into the account: like a password, it is not changed by a session alone.
    if (body.email !== undefined && body.email !== signedIn.account.email) await reader.requireRecent(ctx);
    const outcome = await accounts.updateProfile(signedIn, toProfileChange(body), addressOf(ctx));
    if (!outcome.ok) {
      const description =
        outcome.reason === 'email-taken'
          ? 'Another account has this e-mail address.'
          : 'email: must be an e-mail address';
      throw new AppError('invalid_request', { description });
    }
    ctx.body = { user: presentUser(outcome.account) };
  }

  async function erase(ctx: Context) {
    const signedIn = await reader.requireRecent(ctx);
    await accounts.erase(signedIn, addressOf(ctx));
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

function signInRefusal(refused: SignInRefused): AppError {
  return refused.reason === 'wrong'
    ? new AppError('invalid_credentials')
    : new AppError('too_many_requests', { retryAfterSeconds: refused.retryAfterSeconds });
}

function signUpRefusal(faults: readonly RegisterFault[], minimum: number): AppError {
  if (faults.some(({ fault }) => fault === 'taken')) return new AppError('conflict', { description: ALREADY_EXISTS });
  const texts: Record<Exclude<RegisterFault['fault'], 'taken'>, string> = {
    missing: 'is missing',
    invalid: 'is not valid',
    'too-short': `must have at least ${minimum} characters`,
    'too-long': 'is too long',
  };
  return new AppError('invalid_request', {
    description: faults.map(({ field, fault }) => `${field} ${fault === 'taken' ? '' : texts[fault]}`).join('; '),
  });
}

function toProfileChange(body: z.infer<typeof profileBody>): ProfileChange {
  const change = {
    name: body.name,
    email: body.email,
    phoneNumber: body['phone-number'],
    firstName: body['first-name'],
    lastName: body['last-name'],
    avatarUrl: body['avatar-url'],
    metadata: body.metadata,
  };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as ProfileChange;
}
