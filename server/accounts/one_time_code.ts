// One-time codes of the session-sharing API outside of a sign-in: sending them, and what a reader proves with one.

import type { Audit } from '../audit/audit.ts';
import { type Challenge, type Challenges, isCode, isOfBrowser } from '../challenges/challenges.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { ClientRowId, PlainToken } from '../lib/ids.ts';
import type { Realm } from '../realms/realms.ts';
import type { Account, SignedIn } from './accounts.ts';
import type { EmailChange } from './change_email.ts';
import { type Contact, parseContact } from './contact.ts';
import * as store from './contact_store.ts';
import type { Asker, Letters, Requested } from './letters.ts';
import type { Ownership } from './ownership.ts';

/** What a reader wants to have noted with a code. */
export type ProvenChange = {
  email: string | null;
  loginPhoneNumber: string | null;
  phoneNumber: string | null;
  verificationStatus: 'email' | 'phone' | null;
};
export type CodeRefused =
  | { ok: false; reason: 'wrong-code' | 'nobody' | 'taken' | 'invalid-contact' | 'one-contact' }
  /** A new address needs a recent sign-in (security 153). */
  | { ok: false; reason: 'reauth' };

export type OneTimeCodes = ReturnType<typeof createOneTimeCodes>;

export function createOneTimeCodes(options: {
  db: Database;
  audit: Audit;
  challenges: Challenges;
  letters: Letters;
  ownership: Ownership;
  emailChange: EmailChange;
}) {
  const { db, audit, challenges, letters, ownership, emailChange } = options;

  /**
   * Sends a code: to what was typed, or to the own address of somebody who is signed in. Somebody else's address or number is
   * no concern of a reader's session: a code for it only adds it to the own account.
   */
  async function send(
    realm: Realm,
    given: { email: string | null; phone: string | null; alwaysSend: boolean },
    asker: Asker & { signedIn: SignedIn | null },
  ): Promise<Requested | { ok: false; reason: 'invalid-contact' }> {
    const account = asker.signedIn?.account ?? null;
    const typed = given.email !== null || given.phone !== null;
    const contact = typed ? parseContact(realm, given) : account && ownContact(realm, account);
    if (!contact) return { ok: false, reason: 'invalid-contact' };
    if (account && !isOwn(account, contact))
      return letters.request(realm, contact, { purpose: 'add-contact', accountId: account.id }, asker);
    return letters.request(realm, contact, { purpose: 'one-time-code', alwaysSend: given.alwaysSend }, asker);
  }

  /**
   * Notes what a code proves: that the account's address is verified, or that an address or number is the account's from now on.
   * Only what the code went to is ever noted. Without a session it takes the browser that made the account, and notes nothing
   * but that its address is verified.
   */
  async function update(
    realm: Realm,
    who: { signedIn: SignedIn | null; isRecent: boolean; browser: PlainToken | null },
    given: { code: string; change: ProvenChange },
    from: { address: string | null; locale: string; client?: ClientRowId | null },
  ): Promise<{ ok: true; account: Account } | CodeRefused> {
    if (!isCode(given.code)) return { ok: false, reason: 'wrong-code' };
    const { signedIn } = who;
    if (!signedIn) return verifyPending(realm, who.browser, given, from.address);
    const { account } = signedIn;
    const contact = contactOf(realm, account, given.change);
    if ('ok' in contact) return contact;
    const own = isOwn(account, contact);
    if (contact.kind === 'email' && !own && account.email !== null && !who.isRecent)
      return { ok: false, reason: 'reauth' };
    const challenge = await challenges.checkCode(
      {
        realmId: realm.id,
        purpose: own ? 'one-time-code' : 'add-contact',
        accountId: account.id,
        recipient: contact.canonical,
      },
      given.code,
    );
    if (!challenge || challenge.accountId !== account.id) return { ok: false, reason: 'wrong-code' };
    if (contact.kind === 'email' && !own) {
      const changed = await emailChange.apply(realm, challenge, contact, from);
      return changed.ok ? changed : { ok: false, reason: changed.reason === 'taken' ? 'taken' : 'wrong-code' };
    }
    return note(realm, { account, challenge, contact, change: given.change }, from.address);
  }

  async function note(
    realm: Realm,
    proven: { account: Account; challenge: Challenge; contact: Contact; change: ProvenChange },
    address: string | null,
  ): Promise<{ ok: true; account: Account } | CodeRefused> {
    const { challenge, contact, change } = proven;
    try {
      return await db.transaction(async (q) => {
        const account = await store.lockAccount(q, realm.id, proven.account.id);
        if (!account || !(await challenges.consume(q, challenge))) return { ok: false, reason: 'wrong-code' };
        // Who is signed in holds the account already; the proof takes nothing away from them.
        const verified = await ownership.prove(q, account, contact, { isMaker: true, address });
        if (contact.kind === 'email') return { ok: true, account: verified };
        return { ok: true, account: await notePhone(q, verified, { contact, change }, address) };
      });
    } catch (error) {
      if (store.isContactTaken(error)) return { ok: false, reason: 'taken' };
      throw error;
    }
  }

  async function notePhone(
    q: Queryable,
    account: Account,
    { contact, change }: { contact: Contact & { kind: 'phone' }; change: ProvenChange },
    address: string | null,
  ): Promise<Account> {
    const fields = {
      ...(change.loginPhoneNumber !== null && { loginPhoneNumber: contact.number }),
      ...(change.phoneNumber !== null && { phoneNumber: contact.number }),
    };
    if (Object.keys(fields).length === 0) return account;
    const updated = await store.updateContact(q, account.id, fields);
    await audit.record(q, {
      type: 'account.updated',
      realmId: account.realmId,
      accountId: account.id,
      address,
      detail: { fields: Object.keys(fields) },
    });
    return updated;
  }

  /** The way of published sign-up forms: sign-up without a session, send-otp, and the code, all in one browser. */
  async function verifyPending(
    realm: Realm,
    browser: PlainToken | null,
    given: { code: string; change: ProvenChange },
    address: string | null,
  ): Promise<{ ok: true; account: Account } | CodeRefused> {
    const made = browser && (await challenges.findOfBrowser(realm.id, 'sign-up', browser));
    if (!made?.accountId) return { ok: false, reason: 'nobody' };
    const { accountId, recipient } = made;
    const wanted = given.change.email === null ? recipient : parseContact(realm, given.change)?.canonical;
    if (wanted !== recipient || given.change.loginPhoneNumber !== null || given.change.phoneNumber !== null)
      return { ok: false, reason: 'nobody' };
    const of = { realmId: realm.id, purpose: 'one-time-code', accountId, recipient } as const;
    const challenge = await challenges.checkCode(of, given.code);
    if (!challenge || challenge.accountId !== accountId || !isOfBrowser(challenge, browser))
      return { ok: false, reason: 'wrong-code' };
    return db.transaction(async (q) => {
      const account = await store.lockAccount(q, realm.id, accountId);
      if (account?.email?.toLowerCase() !== recipient || account.verificationStatus !== null)
        return { ok: false, reason: 'nobody' };
      if (!(await challenges.consume(q, challenge))) return { ok: false, reason: 'wrong-code' };
      // From here on this browser is like any other: the account is signed in to with its password.
      await challenges.consume(q, made);
      return { ok: true, account: await ownership.prove(q, account, { kind: 'email' }, { isMaker: true, address }) };
    });
  }

  return { send, update };
}

/** The one contact that a change is about. */
function contactOf(realm: Realm, account: Account, change: ProvenChange): Contact | CodeRefused {
  const { email, loginPhoneNumber, phoneNumber, verificationStatus } = change;
  const typedPhone = loginPhoneNumber ?? phoneNumber;
  const typedEmail = email === null ? null : parseContact(realm, { email });
  const typedNumber = typedPhone === null ? null : parseContact(realm, { phone: typedPhone });
  if ((email !== null && !typedEmail) || (typedPhone !== null && !typedNumber))
    return { ok: false, reason: 'invalid-contact' };
  const others = [typedEmail, typedNumber].filter((contact) => contact !== null && !isOwn(account, contact));
  if (others.length > 1) return { ok: false, reason: 'one-contact' };
  const [other] = others;
  if (other) return other;
  const byStatus = verificationStatus === 'phone' ? (typedNumber ?? phoneOf(realm, account)) : null;
  const own = byStatus ?? typedEmail ?? typedNumber ?? ownContact(realm, account);
  return own ?? { ok: false, reason: 'invalid-contact' };
}

const phoneOf = (realm: Realm, account: Account): Contact | null =>
  parseContact(realm, { phone: account.loginPhoneNumber ?? account.phoneNumber });

/** Where somebody who is signed in is reached by default. */
function ownContact(realm: Realm, account: Account): Contact | null {
  return parseContact(realm, { email: account.email, phone: account.loginPhoneNumber });
}

function isOwn(account: Account, contact: Contact): boolean {
  return contact.kind === 'email'
    ? account.email?.toLowerCase() === contact.canonical
    : account.loginPhoneNumber === contact.canonical;
}
