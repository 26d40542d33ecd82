// The second factor in the session-sharing API. The cookie `tfa-auth` of a sign-in that is not finished opens these doors and
// no other; a session opens none of them.

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import { readJson } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { type Context, routes } from '../http/route.ts';
import type { Login, Unverified } from '../login/login.ts';
import { readAttempt } from '../login/middleware.ts';
import type { Challenge, Mfa, SetUpRefused } from '../mfa/mfa.ts';
import { clearChallenge, findChallenge } from '../mfa/middleware.ts';
import { addressOf, languageOf, siteOf } from '../realms/middleware.ts';
import { answerCompleted } from './middleware.ts';

const codeBody = z.object({
  // An app may well send the six digits as a number; it cannot keep leading zeros then.
  code: z.union([
    z.string({ error: 'must be a string' }).max(100, 'must have at most 100 characters'),
    z
      .int()
      .min(0)
      .max(999_999)
      .transform((code) => String(code).padStart(6, '0')),
  ]),
});

export function bridgekeeperSecondFactorRoutes(options: { mfa: Mfa; login: Login; reader: Reader }) {
  const { mfa, login, reader } = options;

  async function showQrCode(ctx: Context) {
    const challenge = await requireChallenge(ctx, 'setup');
    const enrolment = await mfa.enrolmentOf(siteOf(ctx).realm, challenge);
    if (!enrolment) throw over(ctx);
    ctx.body = { secret: enrolment.secret, 'otpauth-url': enrolment.uri, 'qr-code': enrolment.qrCode };
  }

  async function enable(ctx: Context) {
    const challenge = await requireChallenge(ctx, 'setup');
    const { code } = await readJson(ctx, codeBody);
    const from = { address: addressOf(ctx), locale: languageOf(ctx) };
    const outcome = await mfa.setUp(siteOf(ctx).realm, challenge, code, from);
    if (!outcome.ok) throw refusalOf(ctx, outcome);
    ctx.body = {
      message: 'The second factor is set up. Keep the recovery codes, then send the next code to /tfa/validate.',
      'recovery-codes': outcome.recoveryCodes,
    };
  }

  async function validate(ctx: Context) {
    const challenge = await requireChallenge(ctx, 'validation');
    const { code } = await readJson(ctx, codeBody);
    const attempt = await readAttempt(ctx, reader);
    const outcome = await login.passSecondFactor(attempt, challenge, code);
    if (!outcome.ok) throw refusalOf(ctx, outcome);
    answerCompleted(ctx, outcome);
  }

  async function requireChallenge(ctx: Context, need: Challenge['need']): Promise<Challenge> {
    const challenge = await findChallenge(ctx, mfa);
    if (!challenge) throw over(ctx);
    // Who has a factor must not be able to put another in its place with a password alone.
    if (challenge.need !== need)
      throw new AppError('forbidden', {
        description:
          need === 'setup'
            ? 'A second factor is set up already. Send its code to /tfa/validate.'
            : 'Set up a second factor first: /tfa/qr-code, then /tfa/enable.',
      });
    return challenge;
  }

  const base = { on: 'any', answers: 'json' } as const;
  return routes([
    {
      ...base,
      name: 'bridgekeeper.tfa_qr_code',
      method: 'GET',
      path: '/api/auth/v1/tfa/qr-code',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: one indexed read',
      handle: showQrCode,
    },
    {
      ...base,
      name: 'bridgekeeper.tfa_enable',
      method: 'POST',
      path: '/api/auth/v1/tfa/enable',
      effect: 'acts',
      csrf: 'json',
      limit: 'second-factor-account',
      handle: enable,
    },
    {
      ...base,
      name: 'bridgekeeper.tfa_validate',
      method: 'POST',
      path: '/api/auth/v1/tfa/validate',
      effect: 'acts',
      csrf: 'json',
      limit: 'second-factor-account',
      handle: validate,
    },
  ]);
}

/** The challenge is over: the cookie goes, the sign-in begins anew. */
function over(ctx: Context): AppError {
  clearChallenge(ctx);
  return new AppError('unauthenticated', {
    description: 'No sign-in waits for a second factor here: it is over, or had five wrong codes. Sign in again.',
  });
}

function refusalOf(ctx: Context, refused: SetUpRefused | Unverified): AppError {
  switch (refused.reason) {
    case 'wrong':
      return new AppError('invalid_credentials', {
        description: 'The code is not right, or was used already. Wait for the next one and try again.',
      });
    case 'throttled':
      return new AppError('too_many_requests', { retryAfterSeconds: refused.retryAfterSeconds });
    case 'has-one':
      return new AppError('conflict', { description: 'A second factor has been set up meanwhile. Sign in again.' });
    case 'over':
      return over(ctx);
    case 'unverified':
      return new AppError('verification_required');
    default:
      return refused satisfies never;
  }
}
