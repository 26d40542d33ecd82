// Codes, verification and forgotten passwords in the session-sharing API. What is asked for somebody else's address answers
// everybody alike (security 139).

import { z } from 'zod';
import type {
  CodeRefused,
  OneTimeCodes,
  PasswordReset,
  ProvenChange,
  Requested,
  ResetRefused,
  Verification,
} from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { readJson } from '../http/body.ts';
import { AppError, clientGone } from '../http/errors.ts';
import { type Context, routes } from '../http/route.ts';
import { parseHost } from '../lib/url.ts';
import { askerOf, findWaiting, keepWaiting, waitingOf } from '../login/middleware.ts';
import { addressOf, brandedClientOf, languageOf, noteBrandOf, siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';
import { presentPasswordFault, presentUser } from './present.ts';

const text = (most: number) =>
  z.string({ error: 'must be a string' }).max(most, `must have at most ${most} characters`);
/** Published clients send a JSON number. */
export const phone = z.union([text(40), z.number().transform((number) => String(number))], {
  error: 'must be a phone number',
});
/** A string and nothing else: a number would lose its zeros. */
export const otp = z.string({ error: 'must be a string' }).regex(/^\d{6}$/, 'must be six digits');
const newPassword = text(1024);

const sendOtpBody = z.object({
  email: text(320).nullish(),
  'phone-number': phone.nullish(),
  'always-send': z.boolean({ error: 'must be true or false' }).nullish(),
  mediums: z.array(text(40), { error: 'must be a list' }).max(5, 'must have at most 5 entries').nullish(),
});
const updateBody = z.object({
  otp,
  user: z.object(
    {
      email: text(320).nullish(),
      'login-phone-number': phone.nullish(),
      'phone-number': phone.nullish(),
      'verification-status': z.enum(['email', 'phone'], { error: 'must be email or phone' }).nullish(),
    },
    { error: 'must be an object' },
  ),
});
const forgotBody = z.object({ email: text(320), 'current-host': text(300).nullish() });
const tokenBody = z.object({
  token: text(200),
  'new-password': newPassword,
  'confirm-password': newPassword,
});
const resetBody = z.object({ email: text(320), otp, 'new-password': newPassword });
const verificationBody = z.object({ email: text(320), 'redirect-url': text(8192).nullish() });

const CODE_SENT = 'If the address or number can be used here, a code is on its way to it.';
const LINK_SENT = 'If there is an account with this address, a link is on its way to it.';
const PASSWORD_SET = 'The password has been changed. Sign in with the new one.';

export function bridgekeeperContactRoutes(options: {
  reader: Reader;
  clients: Clients;
  oneTimeCodes: OneTimeCodes;
  passwordReset: PasswordReset;
  verification: Verification;
}) {
  const { reader, clients, oneTimeCodes, passwordReset, verification } = options;

  async function sendOtp(ctx: Context) {
    const body = await readJson(ctx, sendOtpBody);
    const signedIn = await reader.find(ctx);
    const browser = waitingOf(ctx);
    const wantsPhone = body.mediums?.length ? body.mediums.includes('phone-number') : !body.email;
    const number = body['phone-number'] || null;
    const given = {
      email: wantsPhone && number ? null : body.email || null,
      phone: wantsPhone || !body.email ? number : null,
      alwaysSend: body['always-send'] === true,
    };
    const requested = await oneTimeCodes.send(siteOf(ctx).realm, given, { ...askerOf(ctx, browser), signedIn });
    refuseRequest(requested);
    if (!signedIn) keepWaiting(ctx, browser);
    ctx.body = { message: CODE_SENT };
  }

  async function updateWithOtp(ctx: Context) {
    const body = await readJson(ctx, updateBody);
    const { realm } = siteOf(ctx);
    const signedIn = await reader.find(ctx);
    const isRecent = (signedIn?.session.ageSeconds ?? 0) <= settingSeconds(realm.settings.reauth_window);
    const who = { signedIn, isRecent, browser: findWaiting(ctx) };
    const given = { code: body.otp, change: toChange(body.user) };
    const updated = await oneTimeCodes.update(realm, who, given, fromOf(ctx));
    if (!updated.ok) throw codeRefusal(updated);
    ctx.body = { user: presentUser(updated.account) };
  }

  async function forgotPassword(ctx: Context) {
    const body = await readJson(ctx, forgotBody);
    const given = { email: body.email, currentHost: body['current-host'] || null };
    await noteNamedSite(ctx, given.currentHost);
    refuseRequest(await passwordReset.request(siteOf(ctx).realm, given, askerOf(ctx, null)));
    ctx.body = { message: LINK_SENT };
  }

  /** The letter takes the looks of the site that the app names, as the link in it leads there. */
  async function noteNamedSite(ctx: Context, currentHost: string | null) {
    const named = parseHost(currentHost?.trim().replace(/^https?:\/\/|\/+$/gi, ''));
    const client = named && (await clients.findForHost(named));
    if (client?.realmId === siteOf(ctx).realm.id) noteBrandOf(ctx, client);
  }

  async function resetWithToken(ctx: Context) {
    const body = await readJson(ctx, tokenBody);
    if (body['new-password'] !== body['confirm-password'])
      throw new AppError('invalid_request', { description: 'confirm-password: must be the same as new-password' });
    const { realm } = siteOf(ctx);
    const given = { token: body.token, password: body['new-password'] };
    const done = await passwordReset.setByToken(realm, given, { ...fromOf(ctx), signal: clientGone(ctx) });
    if (!done.ok) throw resetRefusal(done, realm.settings.password_min_length);
    ctx.body = { message: PASSWORD_SET };
  }

  async function resetWithCode(ctx: Context) {
    const body = await readJson(ctx, resetBody);
    const { realm } = siteOf(ctx);
    const given = { email: body.email, code: body.otp, password: body['new-password'] };
    const done = await passwordReset.setByCode(realm, given, { ...fromOf(ctx), signal: clientGone(ctx) });
    if (!done.ok) throw resetRefusal(done, realm.settings.password_min_length);
    ctx.body = { message: PASSWORD_SET };
  }

  async function sendVerificationLink(ctx: Context) {
    const body = await readJson(ctx, verificationBody);
    const given = { email: body.email, redirectUrl: body['redirect-url'] ?? null };
    refuseRequest(await verification.request(siteOf(ctx), given, askerOf(ctx, null)));
    ctx.body = { message: LINK_SENT };
  }

  const base = { on: 'any', answers: 'json', effect: 'acts', method: 'POST', csrf: 'json' } as const;
  return routes([
    {
      ...base,
      name: 'bridgekeeper.send_otp',
      method: 'POST',
      path: '/api/auth/v1/users/send-otp',
      limit: 'code-recipient',
      handle: sendOtp,
    },
    {
      ...base,
      name: 'bridgekeeper.update_with_otp',
      method: 'POST',
      path: '/api/auth/v1/users/update-with-otp',
      limit: 'none: five tries for each code',
      handle: updateWithOtp,
    },
    {
      ...base,
      name: 'bridgekeeper.forgot_password',
      method: 'POST',
      path: '/api/auth/v1/users/forgot-password',
      limit: 'message-recipient',
      handle: forgotPassword,
    },
    {
      ...base,
      name: 'bridgekeeper.reset_password_with_token',
      method: 'POST',
      path: '/api/auth/v1/users/reset-password-with-token',
      limit: 'none: a token cannot be guessed',
      handle: resetWithToken,
    },
    {
      ...base,
      name: 'bridgekeeper.reset_password_token',
      method: 'POST',
      path: '/api/auth/v1/users/reset-password-token',
      limit: 'none: a token cannot be guessed',
      handle: resetWithToken,
    },
    {
      ...base,
      name: 'bridgekeeper.reset_password',
      method: 'POST',
      path: '/api/auth/v1/users/reset-password',
      limit: 'code-try-address',
      handle: resetWithCode,
    },
    {
      ...base,
      name: 'bridgekeeper.send_verification_link',
      method: 'POST',
      path: '/api/auth/v1/users/send-verification-link',
      limit: 'message-address',
      handle: sendVerificationLink,
    },
  ]);
}

const fromOf = (ctx: Context) => ({
  address: addressOf(ctx),
  locale: languageOf(ctx),
  client: brandedClientOf(ctx),
});

function toChange(user: z.infer<typeof updateBody>['user']): ProvenChange {
  return {
    email: user.email || null,
    loginPhoneNumber: user['login-phone-number'] || null,
    phoneNumber: user['phone-number'] || null,
    verificationStatus: user['verification-status'] ?? null,
  };
}

type RequestRefused = Extract<Requested, { ok: false }>;
type OtherFault = 'invalid-contact' | 'invalid-email' | 'invalid-redirect' | 'own';

/** Refuses what was asked for wrongly; never because of who has the address. */
export function refuseRequest(requested: Requested | { ok: false; reason: OtherFault }): void {
  if (requested.ok) return;
  throw requestRefusal(requested);
}

function requestRefusal(refused: RequestRefused | { ok: false; reason: OtherFault }): AppError {
  switch (refused.reason) {
    case 'throttled':
      return new AppError('too_many_requests', { retryAfterSeconds: refused.retryAfterSeconds });
    case 'unreachable':
      return new AppError('invalid_request', { description: 'This site cannot send anything there.' });
    case 'invalid-contact':
      return new AppError('invalid_request', {
        description: 'Send email with an e-mail address, or phone-number with a number such as +4915112345678.',
      });
    case 'invalid-email':
    case 'own':
      return new AppError('invalid_request', { description: 'email: must be an e-mail address' });
    case 'invalid-redirect':
      return new AppError('invalid_request', { description: 'redirect-url: must be a page of this site' });
    default:
      return refused satisfies never;
  }
}

function codeRefusal(refused: CodeRefused): AppError {
  switch (refused.reason) {
    case 'wrong-code':
      return new AppError('code_wrong');
    case 'nobody':
      return new AppError('unauthenticated');
    case 'reauth':
      return new AppError('reauth_required');
    case 'taken':
      return new AppError('invalid_request', { description: 'Another account has this address or number.' });
    case 'invalid-contact':
      return new AppError('invalid_request', {
        description: 'user: must name an e-mail address, or a phone number such as +4915112345678',
      });
    case 'one-contact':
      return new AppError('invalid_request', { description: 'user: may change one address or number at a time' });
    default:
      return refused satisfies never;
  }
}

function resetRefusal(refused: ResetRefused, minimum: number): AppError {
  switch (refused.reason) {
    case 'throttled':
      return new AppError('too_many_requests', { retryAfterSeconds: refused.retryAfterSeconds });
    case 'wrong-code':
      return new AppError('code_wrong');
    case 'password':
      return new AppError('invalid_request', {
        description: `new-password ${presentPasswordFault(refused.fault, minimum)}`,
      });
    default:
      return new AppError('invalid_request', {
        description: 'The link is used, expired or replaced by a newer one. Ask for a new one.',
      });
  }
}
