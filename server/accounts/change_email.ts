// A new e-mail address (security 153): the new address is verified before it counts, the old one signs in until then and is told
// with a link that takes the change back for seven days.

import type { Audit } from '../audit/audit.ts';
import { type Challenge, type Challenges, isCode, PURPOSES } from '../challenges/challenges.ts';
import type { Database, Queryable } from '../db/database.ts';
import { parseEmail } from '../lib/email.ts';
import type { ClientRowId } from '../lib/ids.ts';
import type { Messages } from '../messages/messages.ts';
import type { Realm } from '../realms/realms.ts';
import type { Account, SignedIn } from './accounts.ts';
import { type Contact, parseContact } from './contact.ts';
import * as store from './contact_store.ts';
import type { Asker, Letters, Requested } from './letters.ts';
import { linkTo } from './links.ts';
import type { Ownership } from './ownership.ts';

export type EmailChanged =
  | { ok: true; account: Account }
  | { ok: false; reason: 'unknown' | 'expired' | 'consumed' | 'wrong-code' | 'taken' };
type From = { address: string | null; locale: string; client?: ClientRowId | null };
type EmailContact = Extract<Contact, { kind: 'email' }>;

const UNDO_SECONDS = PURPOSES['undo-email-change'].linkSeconds;

export type EmailChange = ReturnType<typeof createEmailChange>;

export function createEmailChange(options: {
  db: Database;
  audit: Audit;
  challenges: Challenges;
  letters: Letters;
  messages: Messages;
  ownership: Ownership;
}) {
  const { db, audit, challenges, letters, messages, ownership } = options;

  /** Asks for a change; nothing changes yet. Whoever calls has made sure of a recent sign-in. */
  async function request(
    realm: Realm,
    signedIn: SignedIn,
    email: string,
    asker: Asker,
  ): Promise<Requested | { ok: false; reason: 'invalid-email' | 'own' }> {
    const contact = parseContact(realm, { email });
    if (!contact) return { ok: false, reason: 'invalid-email' };
    if (contact.canonical === signedIn.account.email?.toLowerCase()) return { ok: false, reason: 'own' };
    return letters.request(realm, contact, { purpose: 'change-email', accountId: signedIn.account.id }, asker);
  }

  /** What the page behind a link shows before its button is pressed; changes nothing. */
  async function look(realm: Realm, purpose: 'change-email' | 'undo-email-change', token: string) {
    const looked = await challenges.look(realm.id, purpose, token);
    return looked.kind === 'unknown' ? looked : { kind: looked.kind, email: looked.challenge.recipient };
  }

  /** The button behind the link to the new address. */
  async function confirm(realm: Realm, token: string, from: From): Promise<EmailChanged> {
    const looked = await challenges.look(realm.id, 'change-email', token);
    return looked.kind === 'open' ? applyStored(realm, looked.challenge, from) : { ok: false, reason: looked.kind };
  }

  /** The same by the typed code, signed in. */
  async function confirmByCode(
    realm: Realm,
    signedIn: SignedIn,
    given: { email: string; code: string },
    from: From,
  ): Promise<EmailChanged> {
    const contact = parseContact(realm, { email: given.email });
    if (!contact || !isCode(given.code)) return { ok: false, reason: 'wrong-code' };
    const of = { realmId: realm.id, accountId: signedIn.account.id, recipient: contact.canonical };
    const challenge = await challenges.checkCode({ ...of, purpose: 'change-email' }, given.code);
    return challenge ? applyStored(realm, challenge, from) : { ok: false, reason: 'wrong-code' };
  }

  async function applyStored(realm: Realm, challenge: Challenge, from: From): Promise<EmailChanged> {
    const email = parseEmail(challenge.payload['email'] ?? challenge.recipient);
    return email ? apply(realm, challenge, { kind: 'email', ...email }, from) : { ok: false, reason: 'unknown' };
  }

  /** Puts the proven address in the place of the old one. */
  async function apply(realm: Realm, challenge: Challenge, contact: EmailContact, from: From): Promise<EmailChanged> {
    const { accountId } = challenge;
    if (accountId === null || contact.canonical !== challenge.recipient) return { ok: false, reason: 'unknown' };
    return refuseTaken(() =>
      db.transaction(async (q) => {
        const before = await store.lockAccount(q, realm.id, accountId);
        if (!before) return { ok: false, reason: 'unknown' };
        if (!(await challenges.consume(q, challenge))) return { ok: false, reason: 'consumed' };
        const account = await store.updateContact(q, accountId, { email: contact, verificationStatus: 'email' });
        await challenges.voidAllOf(q, accountId);
        await audit.record(q, { type: 'email.changed', realmId: realm.id, accountId, address: from.address });
        await tellOldAddress(q, realm, before, from);
        return { ok: true, account };
      }),
    );
  }

  async function tellOldAddress(q: Queryable, realm: Realm, before: Account, from: From): Promise<void> {
    // An address that was never verified is no way back: it may be anybody's.
    if (before.email === null || before.verificationStatus !== 'email') return;
    const { token } = await challenges.create(q, {
      realmId: realm.id,
      accountId: before.id,
      purpose: 'undo-email-change',
      recipient: before.email.toLowerCase(),
      payload: { email: before.email },
    });
    await messages.send(q, {
      realmId: realm.id,
      to: { kind: 'email', address: before.email },
      template: 'email-changed',
      locale: from.locale,
      client: from.client ?? null,
      values: { link: linkTo(realm, 'undo-email-change', token), days: UNDO_SECONDS / 86_400, time: Date.now() },
      expiresInSeconds: null,
    });
  }

  /**
   * Takes a change back: the old address stands again, every session ends, and so do the ways back of later changes. Those of
   * earlier ones stay, so that of two people who disagree the one who was there first has the last word.
   */
  async function undo(realm: Realm, token: string, from: From): Promise<EmailChanged> {
    const looked = await challenges.look(realm.id, 'undo-email-change', token);
    if (looked.kind !== 'open') return { ok: false, reason: looked.kind };
    const { challenge } = looked;
    const email = parseEmail(challenge.payload['email'] ?? '');
    const { accountId } = challenge;
    if (!email || accountId === null) return { ok: false, reason: 'unknown' };
    return refuseTaken(() =>
      db.transaction(async (q) => {
        const before = await store.lockAccount(q, realm.id, accountId);
        if (!before) return { ok: false, reason: 'unknown' };
        if (!(await challenges.consume(q, challenge))) return { ok: false, reason: 'consumed' };
        const account = await store.updateContact(q, accountId, { email, verificationStatus: 'email' });
        await ownership.secure(q, account, { reason: 'email-change-undone', address: from.address });
        await challenges.voidSince(q, challenge);
        await audit.record(q, { type: 'email.change-undone', realmId: realm.id, accountId, address: from.address });
        return { ok: true, account };
      }),
    );
  }

  return { request, look, confirm, confirmByCode, apply, undo };
}

/** Somebody else of the realm may have taken the address while the letter was on its way. */
async function refuseTaken(work: () => Promise<EmailChanged>): Promise<EmailChanged> {
  try {
    return await work();
  } catch (error) {
    if (store.isContactTaken(error)) return { ok: false, reason: 'taken' };
    throw error;
  }
}
