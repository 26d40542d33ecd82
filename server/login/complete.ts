// Where every sign-in ends, however it was proven (password, one-time code, link, passkey, another provider): the one place
// that begins a session. What stands between a proof and a session is asked here, so that no way in can go around it.

import type { Account, Accounts, SignedIn } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import { AppError } from '../http/errors.ts';
import type { AccountId, ClientRowId, Host, PlainToken } from '../lib/ids.ts';
import type { Sealer } from '../lib/seal.ts';
import { type Challenge, isMultiFactor, type Mfa } from '../mfa/mfa.ts';
import type { Realm } from '../realms/realms.ts';
import type { Credential, Sessions, SignInFacts } from '../sessions/sessions.ts';
import { beginSession } from './begin_store.ts';
import { openDevice, sealDevice } from './device.ts';
import type { TellOfNewDevice } from './new_device.ts';

/** Who tries, from where: all that a sign-in needs to know of its request. */
export type Attempt = {
  realm: Realm;
  host: Host;
  address: string | null;
  userAgent: string | null;
  /** Language of letters. */
  locale: string;
  /** For which client the reader is here, as far as it is known: letters take its brand. */
  client?: ClientRowId | null;
  /** Value of the device cookie. */
  deviceCookie: string | null;
  /** Cookie of a browser that waits for a code or link. */
  browser: PlainToken | null;
  /** Where the reader wants to go, for the pages behind links in letters. */
  handle?: string | null;
  /** Who is signed in on this host already. */
  current: SignedIn | null;
  /** Whether the answer may be a page with a question (hosted pages); a script's sign-in begins its session anyway. */
  mayAsk?: boolean;
  /** Aborted when the client goes away. */
  signal?: AbortSignal;
};

/** What was proven, and how (RFC 8176: `pwd`, `otp`, `sms`, `hwk`, …). */
export type Proof = { accountId: AccountId; amr: readonly string[] };
/** Also the hash that the password was right for: when it is another one by now, the proof is worth nothing. */
export type PasswordProof = Proof & { passwordHash: string };

export type SignedInNow = {
  ok: true;
  kind: 'session';
  credential: Credential;
  deviceCookie: string;
  signedIn: SignedIn;
};
/** A second factor has to be set up or proven first; the browser keeps the token as `tfa-auth` until then. */
export type SecondFactorNeeded = { ok: true; kind: 'second-factor'; need: Challenge['need']; token: PlainToken };
/** More sessions than the realm allows: the sign-in is held until its reader has said which shall end (session_limit.ts). */
export type OverLimit = { ok: true; kind: 'over-limit'; token: PlainToken };
/** The realm wants a verified address or phone first (security 154); no session has begun. */
export type Unverified = { ok: false; reason: 'unverified'; account: Account };
/** What was proven is not true any more: another password by now, or no such account. */
export type Outdated = { ok: false; reason: 'wrong' };
/** What a proof leads to. */
export type Completed = SignedInNow | SecondFactorNeeded | OverLimit | Unverified;

/** Who somebody has proved to be, while no session begins; nobody is told where the proof would not be enough for one. */
export type Identified =
  | { ok: true; kind: 'identified'; account: Account }
  | { ok: true; kind: 'second-factor'; need: Challenge['need'] }
  | Unverified;

/** Sign-outs everywhere that hit a sign-in one after the other, each between its commit and its answer. */
const MOST_BEGINNINGS = 3;
const OUTDATED: Outdated = { ok: false, reason: 'wrong' };

/** @param options deviceSealer: of the device cookie */
export function createCompletion(options: {
  db: Database;
  audit: Audit;
  sessions: Sessions;
  accounts: Accounts;
  mfa: Mfa;
  tellOfNewDevice: TellOfNewDevice;
  deviceSealer: Sealer;
  /** Whether letters can be sent. */
  canWrite: boolean;
}) {
  const { db, audit, sessions, accounts, mfa, deviceSealer, tellOfNewDevice, canWrite } = options;

  /**
   * Begins the session of somebody who has just proved who they are. The token is new whatever was there before (session
   * fixation); the same account keeps its session and its other domains, another account's session on this browser ends.
   */
  async function begin(attempt: Attempt, proof: Proof | PasswordProof, again = 0): Promise<Completed | Outdated> {
    const { realm, current } = attempt;
    const { accountId } = proof;
    const facts = {
      host: attempt.host,
      amr: proof.amr,
      userAgent: attempt.userAgent?.slice(0, 500) ?? null,
      address: attempt.address,
    };
    const atOnce = await beginAtOnce(attempt, proof, facts);
    if (atOnce) return atOnce;
    const unverified = await findUnverified(realm, accountId);
    if (unverified) return unverified;
    const need = await mfa.needAfter(db, realm, proof);
    if (need) {
      const token = await db.transaction(async (q) =>
        (await isOutdated(q, proof)) ? null : mfa.begin(q, { accountId, amr: proof.amr, host: attempt.host, need }),
      );
      return token === null ? OUTDATED : { ok: true, kind: 'second-factor', need, token };
    }
    const begun = await db.transaction(async (q) => {
      if (await isOutdated(q, proof)) return null;
      const isSame = current?.account.id === accountId;
      if (!isSame && attempt.mayAsk && (await sessions.mustAsk(q, realm, accountId)))
        return { kind: 'over-limit', token: await sessions.hold(q, realm, accountId, facts) } as const;
      if (current && !isSame)
        await sessions.revoke(q, current.session, { reason: 'replaced', address: attempt.address });
      const made = isSame
        ? { sessionId: current.session.id, credential: await sessions.renew(q, realm, current.session, facts) }
        : await sessions.create(q, realm, accountId, facts);
      await tellOfNewDevice(q, attempt, { accountId, sessionId: made.sessionId });
      await audit.record(q, {
        type: 'sign-in.succeeded',
        realmId: realm.id,
        accountId,
        sessionId: made.sessionId,
        address: attempt.address,
      });
      return { kind: 'session', credential: made.credential } as const;
    });
    if (begun === null) return OUTDATED;
    if (begun.kind === 'over-limit') return { ok: true, ...begun };
    const now = await finish(attempt, accountId, begun.credential);
    if (now) return now;
    // It was ended in between, from elsewhere. If the proof still stands, a new one begins.
    if (again < MOST_BEGINNINGS) return begin({ ...attempt, current: null }, proof, again + 1);
    throw new AppError('unavailable', {
      retryAfterSeconds: 1,
      detail: { reason: 'sessions end as soon as they begin' },
    });
  }

  /** The usual case in one round trip; null for every other, and for a proof that is outdated. */
  async function beginAtOnce(
    attempt: Attempt,
    proof: Proof | PasswordProof,
    facts: SignInFacts,
  ): Promise<SignedInNow | null> {
    const { realm, current } = attempt;
    const { second_factor: secondFactor, verification, sessions_max: most } = realm.settings;
    const isFactorProven = isMultiFactor(proof.amr);
    if (current || most > 0 || (secondFactor === 'required' && !isFactorProven)) return null;
    const device = await openDevice(deviceSealer, attempt.deviceCookie);
    const asks = {
      accountId: proof.accountId,
      passwordHash: 'passwordHash' in proof ? proof.passwordHash : null,
      isFactorProven,
      isUnverifiedEnough: verification !== 'before-session',
      isKnownDevice: device?.accounts.includes(proof.accountId) ?? false,
      mayWrite: canWrite,
    };
    const { draft, credential } = sessions.draftSession(realm);
    const signedIn = await beginSession(db, asks, draft, facts);
    if (!signedIn) return null;
    const deviceCookie = await sealDevice(deviceSealer, device, proof.accountId);
    return { ok: true, kind: 'session', credential, deviceCookie, signedIn };
  }

  async function findUnverified(realm: Realm, accountId: AccountId): Promise<Unverified | null> {
    if (realm.settings.verification !== 'before-session') return null;
    const account = await accounts.findById(db, accountId);
    return account && account.verificationStatus === null ? { ok: false, reason: 'unverified', account } : null;
  }

  /** Who has proved to be somebody; begins nothing. @throws AppError when the account is gone or disabled by now */
  async function identify(realm: Realm, proof: Proof): Promise<Identified> {
    const unverified = await findUnverified(realm, proof.accountId);
    if (unverified) return unverified;
    const need = await mfa.needAfter(db, realm, proof);
    if (need) return { ok: true, kind: 'second-factor', need };
    const account = await accounts.findById(db, proof.accountId);
    if (!account) throw new AppError('invalid_credentials');
    return { ok: true, kind: 'identified', account };
  }

  /** A sign-in that was under way when the account was disabled or its password changed must not outlive that. */
  const isOutdated = async (q: Queryable, proof: Proof | PasswordProof): Promise<boolean> =>
    !(await accounts.holdEnabled(q, proof.accountId, 'passwordHash' in proof ? proof.passwordHash : null));

  /** Ends a sign-in that was proven by anything but a password. @throws AppError when the account is gone or disabled by now */
  async function complete(attempt: Attempt, proof: Proof): Promise<Completed> {
    const completed = await begin(attempt, proof);
    if (!completed.ok && completed.reason === 'wrong') throw new AppError('invalid_credentials');
    return completed;
  }

  /** What a browser keeps of a session that has begun; null when it has ended in between. */
  async function finish(attempt: Attempt, accountId: AccountId, credential: Credential): Promise<SignedInNow | null> {
    const signedIn = await accounts.findSignedIn({ kind: 'cookie', ...credential }, attempt.host);
    if (!signedIn) return null;
    const device = await openDevice(deviceSealer, attempt.deviceCookie);
    const deviceCookie = await sealDevice(deviceSealer, device, accountId);
    return { ok: true, kind: 'session', credential, deviceCookie, signedIn };
  }

  return { complete, completePassword: begin, identify, finish };
}
