// Passkeys by script, on the auth domain and on every client domain (our own addition to the session-sharing API): sign in,
// second factor, confirm, and what an account page needs. Each ceremony is two requests of one browser on one host: options,
// then what the authenticator answered to them. What a client domain signs in, it signs in as POST /login does there.

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Database } from '../db/database.ts';
import { readJson } from '../http/body.ts';
import { AppError } from '../http/errors.ts';
import { type Context, routes } from '../http/route.ts';
import type { Login, Unverified } from '../login/login.ts';
import { keepSignedIn, readAttempt } from '../login/middleware.ts';
import type { CodeRefused, Mfa, Passkey, Throttled } from '../mfa/mfa.ts';
import { clearChallenge, findChallenge, placeOf, placeToBegin, requireFactorChange } from '../mfa/middleware.ts';
import { addressOf, languageOf, siteOf } from '../realms/middleware.ts';
import { echoToken } from '../sessions/middleware.ts';
import { answerCompleted } from './middleware.ts';

const nothing = z.object({});
const answerBody = z.object({
  ceremony: z.string({ error: 'must be the ceremony that came with the options' }).max(100),
  // Looked at after the ceremony is used up (security 168).
  response: z.record(z.string(), z.unknown(), { error: 'must be the credential as JSON' }),
});
const name = z.string({ error: 'must be a string' }).trim().min(1, 'must not be empty').max(100);
const addBody = answerBody.extend({ name });
const renameBody = z.object({ name });

export function bridgekeeperPasskeyRoutes(options: { db: Database; mfa: Mfa; login: Login; reader: Reader }) {
  const { db, mfa, login, reader } = options;
  const { passkeys } = mfa;

  async function signInOptions(ctx: Context) {
    await readJson(ctx, nothing);
    answerBegun(ctx, await passkeys.beginSignIn(placeToBegin(ctx)));
  }

  async function signIn(ctx: Context) {
    const given = await readJson(ctx, answerBody);
    const outcome = await login.signInWithPasskey(await readAttempt(ctx, reader), placeOf(ctx), given);
    if (!outcome.ok) throw refusalOf(ctx, outcome);
    answerCompleted(ctx, outcome);
  }

  async function secondFactorOptions(ctx: Context) {
    await readJson(ctx, nothing);
    const { accountId } = await requireChallenge(ctx);
    answerBegun(ctx, await passkeys.beginProof(placeToBegin(ctx), { accountId, sessionId: null }));
  }

  async function secondFactor(ctx: Context) {
    const challenge = await requireChallenge(ctx);
    const given = await readJson(ctx, answerBody);
    const attempt = await readAttempt(ctx, reader);
    const outcome = await login.passWithPasskey(attempt, challenge, { place: placeOf(ctx), given });
    if (!outcome.ok) throw refusalOf(ctx, outcome);
    answerCompleted(ctx, outcome);
  }

  async function confirmOptions(ctx: Context) {
    await readJson(ctx, nothing);
    const { account, session } = await reader.require(ctx);
    answerBegun(ctx, await passkeys.beginProof(placeToBegin(ctx), { accountId: account.id, sessionId: session.id }));
  }

  async function confirm(ctx: Context) {
    const signedIn = await reader.require(ctx);
    const given = await readJson(ctx, answerBody);
    const attempt = await readAttempt(ctx, reader);
    const outcome = await login.confirmWithPasskey(attempt, signedIn, { place: placeOf(ctx), given });
    if (!outcome.ok) throw refusalOf(ctx, outcome);
    answerCompleted(ctx, outcome);
  }

  async function list(ctx: Context) {
    const { account } = await reader.require(ctx);
    ctx.body = { passkeys: (await passkeys.list(db, account.id)).map(presentPasskey) };
  }

  async function addOptions(ctx: Context) {
    await readJson(ctx, nothing);
    const { account, session } = await requireOffered(ctx);
    answerBegun(ctx, await passkeys.beginRegistration(placeToBegin(ctx), { account, sessionId: session.id }));
  }

  async function add(ctx: Context) {
    const signedIn = await requireOffered(ctx);
    const given = await readJson(ctx, addBody);
    const outcome = await passkeys.register(placeOf(ctx), readerOf(signedIn), given);
    if (!outcome.ok)
      throw new AppError('invalid_request', {
        description: 'The passkey could not be added. Ask for new options and try again.',
      });
    // The session has proven it now: a new token, as after any other second factor (security 45).
    const raised = await login.raiseWithPasskey(await readAttempt(ctx, reader), signedIn, outcome.amr);
    if (raised.ok && raised.kind === 'session') {
      keepSignedIn(ctx, raised);
      echoToken(ctx, raised.credential);
    }
    ctx.body = {
      id: Number(outcome.id),
      message: 'The passkey is added.',
      ...(outcome.recoveryCodes && { 'recovery-codes': outcome.recoveryCodes }),
    };
  }

  async function rename(ctx: Context) {
    const { account } = await requireFactorChange(ctx, reader);
    const given = await readJson(ctx, renameBody);
    if (!(await passkeys.rename(account.id, { id: idOf(ctx), name: given.name }))) throw unknown();
    ctx.body = { message: 'The passkey has its new name.' };
  }

  async function remove(ctx: Context) {
    const signedIn = await requireFactorChange(ctx, reader);
    const from = { address: addressOf(ctx), locale: languageOf(ctx) };
    const outcome = await passkeys.remove(siteOf(ctx).realm, readerOf(signedIn), idOf(ctx), from);
    if (!outcome.ok) throw outcome.reason === 'unknown' ? unknown() : lastCredential();
    ctx.body = { message: 'The passkey is removed.' };
  }

  async function requireChallenge(ctx: Context) {
    const challenge = await findChallenge(ctx, mfa);
    if (challenge?.need === 'validation') return challenge;
    throw new AppError('unauthenticated', {
      description: 'No sign-in waits for a passkey here: it is over, or had five wrong tries. Sign in again.',
    });
  }

  /** Who may add a factor now, where the realm lets readers have one. */
  async function requireOffered(ctx: Context): Promise<SignedIn> {
    if (siteOf(ctx).realm.settings.second_factor === 'off')
      throw new AppError('not_found', { description: 'Passkeys are not offered here.' });
    return requireFactorChange(ctx, reader);
  }

  const base = { on: 'any', answers: 'json', effect: 'acts', csrf: 'json', limit: 'passkey-address' } as const;
  const signedIn = { ...base, limit: 'none: only what belongs to the caller' } as const;
  return routes([
    {
      ...base,
      name: 'bridgekeeper.passkey_sign_in_options',
      method: 'POST',
      path: '/api/auth/v1/passkeys/sign-in/options',
      handle: signInOptions,
    },
    {
      ...base,
      name: 'bridgekeeper.passkey_sign_in',
      method: 'POST',
      path: '/api/auth/v1/passkeys/sign-in',
      handle: signIn,
    },
    {
      ...base,
      name: 'bridgekeeper.passkey_second_factor_options',
      method: 'POST',
      path: '/api/auth/v1/passkeys/second-factor/options',
      handle: secondFactorOptions,
    },
    {
      ...base,
      name: 'bridgekeeper.passkey_second_factor',
      method: 'POST',
      path: '/api/auth/v1/passkeys/second-factor',
      limit: 'second-factor-account',
      handle: secondFactor,
    },
    {
      ...base,
      name: 'bridgekeeper.passkey_confirm_options',
      method: 'POST',
      path: '/api/auth/v1/passkeys/re-authenticate/options',
      handle: confirmOptions,
    },
    {
      ...base,
      name: 'bridgekeeper.passkey_confirm',
      method: 'POST',
      path: '/api/auth/v1/passkeys/re-authenticate',
      handle: confirm,
    },
    {
      ...signedIn,
      name: 'bridgekeeper.passkeys',
      method: 'GET',
      path: '/api/auth/v1/passkeys',
      effect: 'reads',
      csrf: 'none: reads',
      handle: list,
    },
    {
      ...base,
      name: 'bridgekeeper.passkey_add_options',
      method: 'POST',
      path: '/api/auth/v1/passkeys/options',
      handle: addOptions,
    },
    { ...base, name: 'bridgekeeper.passkey_add', method: 'POST', path: '/api/auth/v1/passkeys', handle: add },
    {
      ...signedIn,
      name: 'bridgekeeper.passkey_rename',
      method: 'POST',
      path: '/api/auth/v1/passkeys/:id',
      handle: rename,
    },
    {
      ...signedIn,
      name: 'bridgekeeper.passkey_remove',
      method: 'DELETE',
      path: '/api/auth/v1/passkeys/:id',
      csrf: 'origin',
      handle: remove,
    },
  ]);
}

const readerOf = ({ account, session }: SignedIn) => ({ accountId: account.id, sessionId: session.id });
const idOf = (ctx: Context): string => String(ctx['params']?.id ?? '');
const unknown = () => new AppError('not_found', { description: 'None of your passkeys has this id.' });
const lastCredential = () =>
  new AppError('conflict', {
    description: 'This passkey is the only way into the account. Set a password first, then remove it.',
  });

const presentPasskey = ({ id, name: called, createdAt, lastUsedAt, isBackupEligible }: Passkey) => ({
  id: Number(id),
  name: called,
  'created-at': createdAt.getTime(),
  'last-used-at': lastUsedAt?.getTime() ?? null,
  'is-synced': isBackupEligible,
});

function answerBegun(ctx: Context, begun: { ok: true; ceremony: string; options: object } | Throttled): void {
  if (!begun.ok) throw new AppError('too_many_requests', { retryAfterSeconds: begun.retryAfterSeconds });
  ctx.body = { ceremony: begun.ceremony, options: begun.options };
}

/** One refusal for whatever was wrong with a passkey: which check it failed is for nobody outside to know (security 168). */
function refusalOf(ctx: Context, refused: CodeRefused | Unverified): AppError {
  switch (refused.reason) {
    case 'wrong':
      return new AppError('invalid_credentials', {
        description: 'The passkey was not accepted. Try again, or sign in another way.',
      });
    case 'over':
      clearChallenge(ctx);
      return new AppError('unauthenticated', { description: 'This sign-in is over. Sign in again.' });
    case 'throttled':
      return new AppError('too_many_requests', { retryAfterSeconds: refused.retryAfterSeconds });
    case 'unverified':
      return new AppError('verification_required');
    default:
      return refused satisfies never;
  }
}
