// A forgotten password: a link or code to the stored address, then a new password. Setting it ends every session and token,
// signs nobody in and goes around no second factor (security 50, 147 to 150).

import type { Audit } from '../audit/audit.ts';
import { type Challenge, type Challenges, isCode } from '../challenges/challenges.ts';
import type { Database } from '../db/database.ts';
import { asAccountId, type ClientRowId } from '../lib/ids.ts';
import { createQueueByKey } from '../lib/one_at_a_time.ts';
import type { Messages } from '../messages/messages.ts';
import type { PasswordFault, Passwords } from '../passwords/passwords.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import { parseLimit, type Realm, type Realms } from '../realms/realms.ts';
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
type From = { address: string | null; locale: string; client?: ClientRowId | null; signal?: AbortSignal };

/** Stands for an account where there is none, so that a wrong code costs the same statements for everybody. */
const NOBODY = asAccountId('0');

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
}) {
  const { db, audit, rateLimits, passwords, challenges, letters, messages, ownership } = options;
  const checkNewPassword = createNewPasswordCheck(options);
  const inTurn = createQueueByKey();

  /** Sends the link. One answer, whether the address is somebody's or not. @param currentHost which site's page to open */
  async function request(
    realm: Realm,
    given: { email: string; currentHost: string | null },
    asker: Asker,
  ): Promise<Requested | { ok: false; reason: 'invalid-email' }> {
    const contact = parseContact(realm, { email: given.email });
    if (!contact) return { ok: false, reason: 'invalid-email' };
    return letters.request(realm, contact, { purpose: 'reset-password', currentHost: given.currentHost }, asker);
  }

  /** Whether a link still works, for the page behind it; changes nothing. */
  async function look(realm: Realm, token: string) {
    const looked = await challenges.look(realm.id, 'reset-password', token);
    return looked.kind === 'open' ? { kind: looked.kind, email: looked.challenge.recipient } : { kind: looked.kind };
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
    return inTurn(challenge.id, () => set(realm, challenge, given.password, from));
  }

  async function set(realm: Realm, challenge: Challenge, password: string, from: From): Promise<ResetDone> {
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

  return { request, look, setByToken, setByCode };
}

const addressValue = (address: string | null) => (address === null ? {} : { address });
