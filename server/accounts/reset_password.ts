// A forgotten password: a link or code to the stored address, then a new password. Setting it ends every session and token,
// signs nobody in and goes around no second factor (security 50, 147 to 150).

import type { Audit } from '../audit/audit.ts';
import { type Challenge, type Challenges, isCode } from '../challenges/challenges.ts';
import type { Database } from '../db/database.ts';
import { parseLimit } from '../lib/duration.ts';
import { type AccountId, asAccountId, type ClientRowId } from '../lib/ids.ts';
import { createQueueByKey } from '../lib/one_at_a_time.ts';
import { createSealer } from '../lib/seal.ts';
import type { Messages } from '../messages/messages.ts';
import type { PasswordFault, Passwords } from '../passwords/passwords.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { Realm, Realms } from '../realms/realms.ts';
import { parseContact } from './contact.ts';
import * as store from './contact_store.ts';
import type { Asker, Letters, Requested } from './letters.ts';
import { createNewPasswordCheck } from './new_password.ts';
import type { Ownership } from './ownership.ts';

export type ResetRefused =
  | { ok: false; reason: 'password'; fault: PasswordFault }
  | { ok: false; reason: 'consumed' | 'expired' | 'unknown' | 'wrong-code' }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number };
export type ResetDone = { ok: true } | ResetRefused;
/** What is needed of a challenge to set a password with it. */
type Proof = Pick<Challenge, 'id' | 'accountId' | 'recipient'>;
type From = { address: string | null; locale: string; client?: ClientRowId | null; signal?: AbortSignal };

/** Stands for an account where there is none, so that a wrong code costs the same statements for everybody. */
const NOBODY = asAccountId('0');
/** A right code is followed by the page for the new password; that long there is time to think of one. */
const PROOF_SECONDS = 600;

export type PasswordReset = ReturnType<typeof createPasswordReset>;

export function createPasswordReset(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  realms: Realms;
  passwords: Passwords;
  challenges: Challenges;
  letters: Letters;
  messages: Messages;
  ownership: Ownership;
  secrets: readonly string[];
}) {
  const { db, audit, rateLimits, passwords, challenges, letters, messages, ownership } = options;
  const checkNewPassword = createNewPasswordCheck(options);
  const inTurn = createQueueByKey();
  const proofSealer = createSealer({ secrets: options.secrets, purpose: 'reset-proof' });

  /** Sends the link. One answer, whether the address is somebody's or not. @param currentHost which site's page to open */
  async function request(
    realm: Realm,
    given: { email: string; currentHost: string | null; handle?: string | null },
    asker: Asker,
  ): Promise<Requested | { ok: false; reason: 'invalid-email' }> {
    const contact = parseContact(realm, { email: given.email });
    if (!contact) return { ok: false, reason: 'invalid-email' };
    const { currentHost, handle = null } = given;
    return letters.request(realm, contact, { purpose: 'reset-password', currentHost, handle }, asker);
  }

  /** Whether a link still works, for the page behind it; changes nothing. */
  async function look(realm: Realm, token: string) {
    const looked = await challenges.look(realm.id, 'reset-password', token);
    if (looked.kind === 'unknown') return looked;
    const { recipient: email, payload } = looked.challenge;
    return { kind: looked.kind, email, handle: payload['handle'] ?? null };
  }

  /** Sets a new password by the token of a link. A password that is refused leaves the link as it was. */
  async function setByToken(realm: Realm, given: { token: string; password: string }, from: From): Promise<ResetDone> {
    return inTurn(given.token, async () => {
      const looked = await challenges.look(realm.id, 'reset-password', given.token);
      return looked.kind === 'open'
        ? set(realm, looked.challenge, given.password, from)
        : { ok: false, reason: looked.kind };
    });
  }

  /** The same by a typed code. Nothing tells an address that is nobody's from a wrong code. */
  async function setByCode(
    realm: Realm,
    given: { email: string; code: string; password: string },
    from: From,
  ): Promise<ResetDone> {
    // By what was typed alone, so that it costs no try of the code and tells nothing of the account.
    const fault = await checkNewPassword(realm, given.password, { email: given.email });
    if (fault) return { ok: false, reason: 'password', fault };
    const proven = await prove(realm, given, from);
    return proven.ok ? inTurn(proven.proof.id, () => set(realm, proven.proof, given.password, from)) : proven;
  }

  /**
   * Judges a typed code for the page that asks for the new password next. The code is not used up: what is given out stands
   * for it, and is worth nothing once the challenge is used, replaced or expired.
   */
  async function checkCode(realm: Realm, given: { email: string; code: string }, from: From) {
    const proven = await prove(realm, given, from);
    if (!proven.ok) return proven;
    const { id, accountId, recipient } = proven.proof;
    const claims = { m: realm.id, c: id, a: accountId, r: recipient };
    return { ok: true as const, proof: await proofSealer.seal(claims, PROOF_SECONDS) };
  }

  /** What a right code was given out as; null when it is not ours, of another realm, or too old. */
  async function openProof(realm: Realm, sealed: string | null): Promise<(Proof & { accountId: AccountId }) | null> {
    const claims = await proofSealer.open(sealed);
    if (claims?.['m'] !== realm.id) return null;
    return { id: String(claims['c']), accountId: asAccountId(String(claims['a'])), recipient: String(claims['r']) };
  }

  /** Sets a new password after a right code. A password that is refused leaves the code as it was. */
  async function setByProof(realm: Realm, given: { proof: string; password: string }, from: From): Promise<ResetDone> {
    const proof = await openProof(realm, given.proof);
    return proof ? inTurn(proof.id, () => set(realm, proof, given.password, from)) : { ok: false, reason: 'expired' };
  }

  async function prove(
    realm: Realm,
    given: { email: string; code: string },
    from: From,
  ): Promise<{ ok: true; proof: Proof } | ResetRefused> {
    const contact = parseContact(realm, { email: given.email });
    if (!contact || !isCode(given.code)) return { ok: false, reason: 'wrong-code' };
    const { points, seconds } = parseLimit(realm.settings.code_tries_per_address) ?? { points: 100, seconds: 900 };
    const takes = [
      { policy: 'code-try-address' as const, key: `${realm.id}:${from.address ?? 'unknown'}`, points, seconds },
    ];
    const taken = await rateLimits.take(takes);
    if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    const owner = await store.findByContact(db, realm.id, contact);
    const of = { realmId: realm.id, accountId: owner?.id ?? NOBODY, recipient: contact.canonical };
    const challenge =
      (await challenges.checkCode({ ...of, purpose: 'reset-password' }, given.code)) ??
      (await challenges.checkCode({ ...of, purpose: 'one-time-code' }, given.code));
    if (!challenge || !owner || challenge.accountId !== owner.id) return { ok: false, reason: 'wrong-code' };
    await rateLimits.giveBack(takes);
    return { ok: true, proof: challenge };
  }

  async function set(realm: Realm, challenge: Proof, password: string, from: From): Promise<ResetDone> {
    const { accountId } = challenge;
    if (accountId === null) return { ok: false, reason: 'unknown' };
    const owner = await store.findByContact(db, realm.id, { kind: 'email', canonical: challenge.recipient });
    const fault = await checkNewPassword(realm, password, owner ?? { email: challenge.recipient });
    if (fault) return { ok: false, reason: 'password', fault };
    const passwordHash = await passwords.hash(password, from.signal);
    return db.transaction(async (q) => {
      const account = await store.lockAccount(q, realm.id, accountId);
      if (account?.email?.toLowerCase() !== challenge.recipient) return { ok: false, reason: 'unknown' };
      if (!(await challenges.consume(q, challenge))) return { ok: false, reason: 'consumed' };
      // Whoever reads the mail owns the address; somebody who never proved that may not keep a foot in the door.
      await ownership.prove(q, account, { kind: 'email' }, { isMaker: false, address: from.address });
      await store.updateContact(q, accountId, { passwordHash });
      await ownership.secure(q, account, { reason: 'password-changed', address: from.address });
      await audit.record(q, { type: 'password.reset', realmId: realm.id, accountId, address: from.address });
      await messages.send(q, {
        realmId: realm.id,
        to: { kind: 'email', address: account.email },
        template: 'password-changed',
        locale: from.locale,
        client: from.client ?? null,
        values: { link: `${realm.authOrigin}/forgot-password`, time: Date.now(), ...addressValue(from.address) },
        expiresInSeconds: null,
      });
      return { ok: true };
    });
  }

  return { request, look, setByToken, setByCode, checkCode, openProof, setByProof };
}

const addressValue = (address: string | null) => (address === null ? {} : { address });
