// The sign-in journey: identifier and password to a session, sign-up, sign-out, and the way back to where the reader was.
// It knows no OAuth: whoever needs a sign-in hands over a path, and checks everything again when the browser returns.

import {
  type Account,
  type Accounts,
  type CodeAccounts,
  canonicalIdentifier,
  type Letters,
  parseContact,
  type SignedIn,
} from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Challenges } from '../challenges/challenges.ts';
import type { Database } from '../db/database.ts';
import type { AccountId, Host } from '../lib/ids.ts';
import { createSealer } from '../lib/seal.ts';
import { hashToken } from '../lib/token.ts';
import type { Messages } from '../messages/messages.ts';
import type { Mfa } from '../mfa/mfa.ts';
import { LONGEST_PASSWORD, type Passwords } from '../passwords/passwords.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { RevokeReason, Sessions } from '../sessions/sessions.ts';
import { createSessionAdoption } from './adopt_session.ts';
import { createCodeSignIn } from './code_sign_in.ts';
import { type Attempt, type Completed, createCompletion } from './complete.ts';
import { checkElsewhere } from './credential_check.ts';
import { type Device, openDevice } from './device.ts';
import { createNewDeviceNotice } from './new_device.ts';
import { createOldSessions } from './old_session.ts';
import { createPasskeySignIn } from './passkey_sign_in.ts';
import { createPending } from './pending.ts';
import { openReturn, type ReturnTo, sealReturn } from './return_handle.ts';
import { createSecondFactor } from './second_factor.ts';
import { createLimitQuestions } from './session_limit.ts';
import { createSignUp } from './sign_up.ts';
import { beginTry } from './store.ts';
import { signInTakes } from './throttle.ts';

export type { CodeSignIn, CodeSignInRefused, ShowCode } from './code_sign_in.ts';
export type {
  Attempt,
  Completed,
  Identified,
  OverLimit,
  Proof,
  SecondFactorNeeded,
  SignedInNow,
  Unverified,
} from './complete.ts';
export { logoutGate } from './logout_gate.ts';
export type { PendingRefused } from './pending.ts';
export type { ReturnTo } from './return_handle.ts';
export type { LimitQuestion } from './session_limit.ts';
export type { SignedUp, SignUpRefused } from './sign_up.ts';

export type SignInRefused =
  | { ok: false; reason: 'wrong' }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number };
/** A right password that began no session. */
export type Proven = {
  ok: true;
  accountId: AccountId /** Absent for somebody who was adopted by it. */;
  passwordHash?: string;
};

export type Login = ReturnType<typeof createLogin>;

/** Signing in, up and out. */
export function createLogin(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  sessions: Sessions;
  accounts: Accounts;
  passwords: Passwords;
  mfa: Mfa;
  challenges: Challenges;
  messages: Pick<Messages, 'send' | 'canReach'>;
  letters: Letters;
  codeAccounts: CodeAccounts;
  secrets: readonly string[];
  /** Guarded against server-side request forgery; for the credential checks and old sessions of realms. */
  fetch: typeof globalThis.fetch;
  /** Of JWTs with which a former system signed its sessions (HS256). */
  oldSessionSecret: string | null;
}) {
  const { db, audit, rateLimits, sessions, accounts, passwords, mfa } = options;
  const deviceSealer = createSealer({ secrets: options.secrets, purpose: 'device' });
  const returnSealer = createSealer({ secrets: options.secrets, purpose: 'return' });
  const tellOfNewDevice = createNewDeviceNotice({ ...options, deviceSealer });
  const completion = createCompletion({
    db,
    audit,
    sessions,
    accounts,
    mfa,
    deviceSealer,
    tellOfNewDevice,
    canWrite: options.messages.canReach('email'),
  });
  const { complete, completePassword, identify, finish } = completion;
  const limitQuestions = createLimitQuestions({ db, audit, sessions, accounts, finish, tellOfNewDevice });
  const oldSessions = createOldSessions({ fetch: options.fetch, secret: options.oldSessionSecret });
  const adoptSession = createSessionAdoption({ db, audit, rateLimits, accounts, oldSessions, complete });
  const { challenges, letters, codeAccounts } = options;
  const pending = createPending({ db, challenges, accounts, complete });
  const signUp = createSignUp({ db, audit, rateLimits, letters, accounts, pending, complete });
  const codes = createCodeSignIn({ db, audit, rateLimits, challenges, letters, codeAccounts, complete, isMaker });

  /** Signs in with identifier and password. One answer for an unknown identifier, a wrong password and a disabled account. */
  async function signIn(
    attempt: Attempt,
    given: { identifier: string; password: string },
  ): Promise<Completed | SignInRefused> {
    if (!attempt.realm.settings.sign_in_methods.includes('password')) return { ok: false, reason: 'wrong' };
    const device = await openDevice(deviceSealer, attempt.deviceCookie);
    const proven = await provePassword(attempt, given, device);
    if (!proven.ok) return proven;
    const proof = { accountId: proven.accountId, amr: ['pwd'] };
    const { passwordHash } = proven;
    const completed = await (passwordHash === undefined
      ? complete(attempt, proof)
      : completePassword(attempt, { ...proof, passwordHash }));
    if (!completed.ok && completed.reason === 'unverified') await sendVerification(attempt, completed.account);
    return completed;
  }

  /** Who has the right password and waits for a proof of the address is sent what it takes, and goes on with it. */
  async function sendVerification(attempt: Attempt, account: Account): Promise<void> {
    const { realm, address, locale, client = null, browser, handle = null } = attempt;
    await pending.remember(attempt, account);
    const contact = parseContact(realm, { email: account.email });
    const asker = { address, locale, client, browserHash: browser && hashToken(browser) };
    if (contact) await letters.request(realm, contact, { purpose: 'verify-email', redirectUrl: null, handle }, asker);
  }

  /** Whether a browser has signed in to an account before, or made it a moment ago: its owner as far as one can know. */
  async function isMaker(attempt: Attempt, account: Account): Promise<boolean> {
    if (attempt.current?.account.id === account.id) return true;
    const device = await openDevice(deviceSealer, attempt.deviceCookie);
    if (device?.accounts.includes(account.id)) return true;
    const made = attempt.browser && (await challenges.findOfBrowser(attempt.realm.id, 'sign-up', attempt.browser));
    return made?.accountId === account.id;
  }

  /** Whether a password is right, behind the same limits and with the same answers as a sign-in; no session begins. */
  async function verifyPassword(
    attempt: Attempt,
    given: { identifier: string; password: string },
  ): Promise<Proven | SignInRefused> {
    const proven = await provePassword(attempt, given, null);
    // A product that asks has no page for the second factor, and a password alone is not who this account says it is.
    const isEnough = proven.ok && (await mfa.needAfter(db, attempt.realm, { ...proven, amr: ['pwd'] })) === null;
    return isEnough || !proven.ok ? proven : { ok: false, reason: 'wrong' };
  }

  /** Whether a signed-in reader types the own password (security 143): counted like every other try at it. */
  async function confirmPassword(
    attempt: Attempt,
    { account }: SignedIn,
    password: string,
  ): Promise<Proven | SignInRefused> {
    const identifier = account.email ?? account.username;
    if (identifier === null) return { ok: false, reason: 'wrong' };
    const device = await openDevice(deviceSealer, attempt.deviceCookie);
    const proven = await provePassword(attempt, { identifier, password }, device);
    return !proven.ok || proven.accountId === account.id ? proven : { ok: false, reason: 'wrong' };
  }

  async function provePassword(
    attempt: Attempt,
    given: { identifier: string; password: string },
    device: Device | null,
  ): Promise<Proven | SignInRefused> {
    const { realm } = attempt;
    const canonical = canonicalIdentifier(given.identifier);
    const nobody = hashToken(canonical ?? given.identifier).toString('base64url');
    const { address } = attempt;
    const { account, takes, taken } = await beginTry(
      db,
      { realmId: realm.id, canonical, nobody, knownAccounts: device?.accounts ?? [] },
      (subject, isKnown) => signInTakes(realm, { subject, knownDevice: isKnown && device ? device.id : null, address }),
    );
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
    const passwordHash = verified.isOutdated
      ? await accounts.rehash(account, given.password, attempt.signal)
      : (stored ?? '');
    await rateLimits.giveBack(takes);
    return { ok: true, accountId: account.id, passwordHash };
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

  /**
   * Ends the reader's SSO session, and with it the session of every domain, from the next request on.
   * @param signedIn null for a credential that is nobody's: another request may just have ended its session, and be waiting
   */
  async function signOut(
    signedIn: SignedIn | null,
    why: { reason: RevokeReason; address: string | null },
  ): Promise<void> {
    if (signedIn) await sessions.end(signedIn.session, why);
    else await db.settled();
  }

  /** The handle that a sign-in page carries. */
  const makeReturn = (host: Host, to: ReturnTo): Promise<string> => sealReturn(returnSealer, host, to);
  /** What a handle leads to; null when it is absent or not ours. */
  const readReturn = (host: Host, handle: string | null | undefined): Promise<ReturnTo | null> =>
    openReturn(returnSealer, host, handle);

  const secondFactor = createSecondFactor({ mfa, complete });
  const passkey = createPasskeySignIn({ mfa, complete });

  return {
    signIn,
    verifyPassword,
    adoptSession,
    signUp,
    codes,
    pending,
    complete,
    completePassword,
    identify,
    limitQuestions,
    ...secondFactor,
    ...passkey,
    signOut,
    confirmPassword,
    makeReturn,
    readReturn,
  };
}
