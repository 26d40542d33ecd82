// The sign-in journey: identifier and password to a session, sign-up, sign-out, and the way back to where the reader was.
// It knows no OAuth: whoever needs a sign-in hands over a path, and checks everything again when the browser returns.

import {
  type Account,
  type Accounts,
  canonicalIdentifier,
  type RegisterFault,
  type SignedIn,
} from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import type { AccountId, Host } from '../lib/ids.ts';
import { createSealer } from '../lib/seal.ts';
import { hashToken } from '../lib/token.ts';
import { LONGEST_PASSWORD, type Passwords } from '../passwords/passwords.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { RevokeReason, Sessions } from '../sessions/sessions.ts';
import { type Attempt, type Completed, createCompletion } from './complete.ts';
import { checkElsewhere } from './credential_check.ts';
import { type Device, openDevice } from './device.ts';
import { openReturn, type ReturnTo, sealReturn } from './return_handle.ts';
import { signInTakes, signUpTakes } from './throttle.ts';

export type { Attempt, Completed, Proof, SignedInNow } from './complete.ts';
export { logoutGate } from './logout_gate.ts';
export type { ReturnTo } from './return_handle.ts';

export type SignInRefused =
  | { ok: false; reason: 'wrong' }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number };
/** A right password that began no session. */
export type Proven = { ok: true; accountId: AccountId };
export type SignUpRefused =
  | { ok: false; reason: 'faults'; faults: RegisterFault[] }
  | { ok: false; reason: 'closed' }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number };

export type Login = ReturnType<typeof createLogin>;

/** Signing in, up and out. */
export function createLogin(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  sessions: Sessions;
  accounts: Accounts;
  passwords: Passwords;
  secrets: readonly string[];
  /** Guarded against server-side request forgery; for the credential checks of realms. */
  fetch: typeof globalThis.fetch;
}) {
  const { db, audit, rateLimits, sessions, accounts, passwords } = options;
  const deviceSealer = createSealer({ secrets: options.secrets, purpose: 'device' });
  const returnSealer = createSealer({ secrets: options.secrets, purpose: 'return' });
  const complete = createCompletion({ db, audit, sessions, accounts, deviceSealer });

  /** Signs in with identifier and password. One answer for an unknown identifier, a wrong password and a disabled account. */
  async function signIn(
    attempt: Attempt,
    given: { identifier: string; password: string },
  ): Promise<Completed | SignInRefused> {
    const device = await openDevice(deviceSealer, attempt.deviceCookie);
    const proven = await provePassword(attempt, given, device);
    return proven.ok ? complete(attempt, { accountId: proven.accountId, amr: ['pwd'] }) : proven;
  }

  /** Whether a password is right, behind the same limits and with the same answers as a sign-in; no session begins. */
  const verifyPassword = (
    attempt: Attempt,
    given: { identifier: string; password: string },
  ): Promise<Proven | SignInRefused> => provePassword(attempt, given, null);

  async function provePassword(
    attempt: Attempt,
    given: { identifier: string; password: string },
    device: Device | null,
  ): Promise<Proven | SignInRefused> {
    const { realm } = attempt;
    const account = await accounts.findForSignIn(realm.id, given.identifier);
    const subject =
      account?.id ?? hashToken(canonicalIdentifier(given.identifier) ?? given.identifier).toString('base64url');
    const knownDevice = account && device?.accounts.includes(account.id) ? device.id : null;
    const takes = signInTakes(realm, { subject, knownDevice, address: attempt.address });
    const taken = await rateLimits.take(takes);
    if (!taken.isAllowed) {
      await audit.record(db, {
        type: 'sign-in.throttled',
        realmId: realm.id,
        accountId: account?.id ?? null,
        address: attempt.address,
        detail: { limit: taken.policy },
      });
      return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    }
    const stored = given.password.length > LONGEST_PASSWORD ? null : (account?.passwordHash ?? null);
    const verified = await passwords.verify(stored, given.password.slice(0, LONGEST_PASSWORD), {
      signal: attempt.signal,
      alike: realm.foreignHash,
    });
    const adopted = account ? null : await adopt(attempt, given);
    if (adopted !== null) {
      await rateLimits.giveBack(takes);
      return { ok: true, accountId: adopted };
    }
    if (!account || !verified.isRight || account.isDisabled) {
      const reason = !account ? 'unknown' : verified.isRight ? 'disabled' : 'wrong-password';
      await audit.record(db, {
        type: 'sign-in.failed',
        realmId: realm.id,
        accountId: account?.id ?? null,
        address: attempt.address,
        detail: { reason },
      });
      return { ok: false, reason: 'wrong' };
    }
    if (verified.isOutdated) await accounts.rehash(account, given.password, attempt.signal);
    await rateLimits.giveBack(takes);
    return { ok: true, accountId: account.id };
  }

  /** Somebody unknown whom the older user base of the realm vouches for becomes an account; null for everybody else. */
  async function adopt(attempt: Attempt, given: { identifier: string; password: string }): Promise<AccountId | null> {
    const { realm, address } = attempt;
    const check = realm.settings.credential_check;
    const login = given.identifier.trim();
    if (
      !check ||
      given.password === '' ||
      given.password.length > LONGEST_PASSWORD ||
      canonicalIdentifier(login) === null
    )
      return null;
    const checked = await checkElsewhere(check, { login, password: given.password }, options.fetch);
    const fail = (reason: string) =>
      audit.record(db, { type: 'credential-check.failed', realmId: realm.id, address, detail: { reason } });
    if (!checked.ok) {
      if (checked.reason === 'failed') await fail(checked.why);
      return null;
    }
    const adopted = await accounts.adopt(realm, checked.person, {
      address,
      ...(attempt.signal && { signal: attempt.signal }),
    });
    if (adopted) return adopted.id;
    // Two sign-ins of the same person at once: the other one made the account. Or the identifier is somebody else's.
    const now = await accounts.findForSignIn(realm.id, login);
    const isSame =
      now !== null &&
      !now.isDisabled &&
      (await passwords.verify(now.passwordHash, given.password, { signal: attempt.signal })).isRight;
    if (!isSame) await fail('the e-mail address or user name belongs to another account');
    return isSame ? now.id : null;
  }

  /** Makes an account and, unless told otherwise, signs it in. */
  async function signUp(
    attempt: Attempt,
    given: { email: string; password: string; username: string | null; name: string | null; mayBegin: boolean },
  ): Promise<Completed | { ok: true; account: Account; credential: null } | SignUpRefused> {
    const { realm } = attempt;
    if (realm.settings.signup === 'closed') return { ok: false, reason: 'closed' };
    const taken = await rateLimits.take(signUpTakes(realm, attempt.address));
    if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    const from = { address: attempt.address, ...(attempt.signal && { signal: attempt.signal }) };
    const registered = await accounts.register(realm, given, from);
    if (!registered.ok) return { ok: false, reason: 'faults', faults: registered.faults };
    if (!given.mayBegin) return { ok: true, account: registered.account, credential: null };
    return complete(attempt, { accountId: registered.account.id, amr: ['pwd'] });
  }

  /** Ends the reader's SSO session, and with it the session of every domain, from the next request on. */
  async function signOut(signedIn: SignedIn, why: { reason: RevokeReason; address: string | null }): Promise<void> {
    await db.transaction((q) => sessions.revoke(q, signedIn.session, why));
  }

  /** The handle that a sign-in page carries. */
  const makeReturn = (host: Host, to: ReturnTo): Promise<string> => sealReturn(returnSealer, host, to);
  /** What a handle leads to; null when it is absent or not ours. */
  const readReturn = (host: Host, handle: string | null | undefined): Promise<ReturnTo | null> =>
    openReturn(returnSealer, host, handle);

  return { signIn, verifyPassword, signUp, complete, signOut, makeReturn, readReturn };
}
