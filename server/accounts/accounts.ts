// Accounts: the persons of a realm. Everything that reads or changes one goes through here.

import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import { parseEmail } from '../lib/email.ts';
import type { AccountId, CanonicalEmail, RealmId } from '../lib/ids.ts';
import { createToken } from '../lib/token.ts';
import type { PasswordFault, Passwords } from '../passwords/passwords.ts';
import type { Realm, Realms } from '../realms/realms.ts';
import type { LiveSession, Sessions } from '../sessions/sessions.ts';
import { createNewPasswordCheck } from './new_password.ts';
import { createSignedInSearch } from './signed_in.ts';
import type { SignedInMemory } from './signed_in_memory.ts';
import * as store from './store.ts';
import { parseUsername } from './username.ts';
import { createVouched } from './without_password.ts';

export { parseEmail } from '../lib/email.ts';
export { type AccountDraft, importAccounts, type Outcome } from './bulk.ts';
export { createEmailChange, type EmailChange } from './change_email.ts';
export { createPasswordChange, type PasswordChange } from './change_password.ts';
export { type CodeAccounts, createCodeAccounts } from './code_accounts.ts';
export { type Contact, parseContact } from './contact.ts';
export { createErasure, type Erasure } from './erase.ts';
export { type Asker, createLetters, type Letters, type Requested } from './letters.ts';
export { LINK_PATHS } from './links.ts';
export { type CheckNewPassword, type Choosing, createNewPasswordCheck } from './new_password.ts';
export { type CodeRefused, createOneTimeCodes, type OneTimeCodes, type ProvenChange } from './one_time_code.ts';
export { createOwnership, type OwnerHook, type Ownership } from './ownership.ts';
export { sessionIdIn, unpackReader } from './packed_reader.ts';
export { parsePhone } from './phone.ts';
export { createPasswordReset, type PasswordReset, type ResetRefused } from './reset_password.ts';
export { createSignedInMemory, type Remembered, type SignedInMemory } from './signed_in_memory.ts';
export { COLUMN_NAMES as ACCOUNT_COLUMNS, FIND_FOR_SIGN_IN_SQL, toAccount, toSignInRecord } from './store.ts';
export { parseUsername } from './username.ts';
export { createVerification, type Verification, type VerificationOutcome, withOutcome } from './verify_email.ts';
export { hasOwnWayIn } from './ways_in.ts';
export type { VouchedPerson } from './without_password.ts';

export type Account = {
  id: AccountId;
  realmId: RealmId;
  /** Identifier in tokens: opaque, never used again for somebody else (OpenID Connect Core §8). */
  sub: string;
  email: string | null;
  username: string | null;
  name: string | null;
  firstName: string | null;
  lastName: string | null;
  slug: string | null;
  avatarUrl: string | null;
  avatarS3Key: string | null;
  communicationEmail: string | null;
  phoneNumber: string | null;
  loginPhoneNumber: string | null;
  metadata: Record<string, unknown> | null;
  verificationStatus: 'email' | 'phone' | null;
  isTfaEnabled: boolean;
  createdAt: Date;
  updatedAt: Date;
};

/** A reader who is signed in on the host that was asked. */
export type SignedIn = { session: LiveSession; account: Account };

export type RegisterFault = {
  field: 'email' | 'username' | 'password';
  fault: 'missing' | 'invalid' | 'taken' | PasswordFault;
};
export type Registered = { ok: true; account: Account } | { ok: false; faults: RegisterFault[] };
/** Somebody who comes from an older user base; at least one of e-mail address and user name is there. */
export type AdoptedPerson = {
  email: { address: string; canonical: CanonicalEmail } | null;
  isEmailVerified: boolean;
  username: { username: string; canonical: string } | null;
  name: string | null;
  firstName: string | null;
  lastName: string | null;
  phoneNumber: string | null;
  password: string;
  /** Its identifier there. */
  uid: string;
};
export type ProfileChange = Partial<
  Pick<Account, 'name' | 'firstName' | 'lastName' | 'avatarUrl' | 'phoneNumber' | 'metadata'>
>;

export type Accounts = ReturnType<typeof createAccounts>;

/** The accounts of this server. */
export function createAccounts(options: {
  db: Database;
  audit: Audit;
  realms: Realms;
  passwords: Passwords;
  sessions: Pick<Sessions, 'touch'>;
  memory?: SignedInMemory;
}) {
  const { db, audit, passwords } = options;
  const checkNewPassword = createNewPasswordCheck(options);

  /** The account that an identifier (e-mail or user name) names, with its password hash; null when none does. */
  async function findForSignIn(realmId: RealmId, identifier: string): Promise<store.SignInRecord | null> {
    const canonical = canonicalIdentifier(identifier);
    return canonical === null ? null : store.findForSignIn(db, realmId, canonical);
  }

  /**
   * Makes an account with a password. All faults of the input are returned at once; `taken` only when nothing else is wrong.
   * @param from address of the person, null for an operator
   */
  async function register(
    realm: Realm,
    input: { email: string; password: string; username?: string | null; name?: string | null },
    from: { address: string | null; signal?: AbortSignal },
  ): Promise<Registered> {
    const faults: RegisterFault[] = [];
    const email = parseEmail(input.email);
    if (!email) faults.push({ field: 'email', fault: input.email.trim() === '' ? 'missing' : 'invalid' });
    const username = input.username ? parseUsername(input.username) : null;
    const isForeignAddress = username?.canonical.includes('@') && username.canonical !== email?.canonical;
    if (input.username && (!username || isForeignAddress)) faults.push({ field: 'username', fault: 'invalid' });
    const passwordFault = await checkNewPassword(realm, input.password, input);
    if (passwordFault) faults.push({ field: 'password', fault: passwordFault });
    if (faults.length > 0 || !email) return { ok: false, faults };

    const passwordHash = await passwords.hash(input.password, from.signal);
    try {
      return await db.transaction(async (q) => {
        const draft = {
          realmId: realm.id,
          sub: createToken(),
          email,
          username,
          name: input.name?.trim() || null,
          passwordHash,
        };
        const account = await store.insertAccount(q, draft);
        await audit.record(q, {
          type: 'account.created',
          realmId: realm.id,
          accountId: account.id,
          address: from.address,
        });
        return { ok: true, account };
      });
    } catch (error) {
      const field = store.takenField(error);
      if (!field) throw error;
      return { ok: false, faults: [{ field, fault: 'taken' }] };
    }
  }

  /**
   * Makes an account of somebody whom another user base vouches for, with the password that was typed.
   * Null when an identifier belongs to somebody already: that account is never touched.
   */
  async function adopt(
    realm: Realm,
    person: AdoptedPerson,
    from: { address: string | null; signal?: AbortSignal },
  ): Promise<Account | null> {
    const { email, username, name, password, ...rest } = person;
    const passwordHash = await passwords.hash(password, from.signal);
    const profile = {
      firstName: rest.firstName,
      lastName: rest.lastName,
      phoneNumber: rest.phoneNumber,
      verificationStatus: rest.isEmailVerified && email ? ('email' as const) : null,
    };
    try {
      return await db.transaction(async (q) => {
        const account = await store.insertAccount(q, {
          realmId: realm.id,
          sub: createToken(),
          email,
          username,
          name,
          passwordHash,
          profile,
        });
        await audit.record(q, {
          type: 'account.adopted',
          realmId: realm.id,
          accountId: account.id,
          address: from.address,
          detail: { uid: rest.uid },
        });
        return account;
      });
    } catch (error) {
      if (store.takenField(error) === null) throw error;
      return null;
    }
  }

  /** The enabled account that a product means: by sub, or by an e-mail address that was verified. */
  async function findByReference(
    q: Queryable,
    realmId: RealmId,
    by: { sub: string } | { verifiedEmail: string },
  ): Promise<Account | null> {
    if ('sub' in by) return store.findByReference(q, realmId, by);
    const email = parseEmail(by.verifiedEmail);
    return email && store.findByReference(q, realmId, { verifiedEmail: email.canonical });
  }

  /** The account that an import or an old session brought under that id, disabled or not. */
  const findByExternalId = (q: Queryable, realmId: RealmId, externalId: string) =>
    store.findByExternalId(q, realmId, externalId);

  /** Remembers what an account was called where it came from. */
  const keepExternalId = (q: Queryable, id: AccountId, externalId: string): Promise<void> =>
    store.updateExternalId(q, id, externalId);

  /** Writes what a product knows better, in the caller's transaction. Never an identifier or a password. */
  async function pushProfile(
    q: Queryable,
    account: Account,
    change: { fields: Omit<ProfileChange, 'metadata'>; metadata: Record<string, unknown> },
    from: { clientId: string; address: string | null },
  ): Promise<void> {
    await store.mergeProfile(q, account.id, change.fields, change.metadata);
    const names = [...Object.keys(change.fields), ...Object.keys(change.metadata)];
    await audit.record(q, {
      type: 'account.updated',
      realmId: account.realmId,
      accountId: account.id,
      clientId: from.clientId,
      address: from.address,
      detail: { fields: names },
    });
  }

  /** Replaces a hash that was made with weaker parameters, unless the password changed meanwhile. @returns the new hash */
  async function rehash(account: store.SignInRecord, password: string, signal?: AbortSignal): Promise<string> {
    const passwordHash = await passwords.hash(password, signal);
    await store.replacePasswordHash(db, account.id, { from: account.passwordHash ?? '', to: passwordHash });
    return passwordHash;
  }

  /**
   * Whether an account is there and enabled, and its password still the one that was proven (null: whichever), for the
   * transaction that builds on it: a change waits for that transaction, or is seen by it.
   */
  const holdEnabled = (q: Queryable, id: AccountId, passwordHash: string | null): Promise<boolean> =>
    store.holdEnabled(q, id, passwordHash);

  /** Changes the given fields of a profile and nothing else. A new e-mail address is another matter: change_email.ts. */
  async function updateProfile(signedIn: SignedIn, change: ProfileChange, address: string | null): Promise<Account> {
    return db.transaction(async (q) => {
      const updated = await store.updateProfile(q, signedIn.account.id, change);
      await audit.record(q, {
        type: 'account.updated',
        realmId: updated.realmId,
        accountId: updated.id,
        sessionId: signedIn.session.id,
        address,
        detail: { fields: Object.keys(change) },
      });
      return updated;
    });
  }

  /** An account by its address, for an operator's command. */
  const findByEmail = (q: Queryable, realmId: RealmId, email: string): Promise<Account | null> => {
    const parsed = parseEmail(email);
    return parsed ? store.findByEmail(q, realmId, parsed.canonical) : Promise.resolve(null);
  };

  /** Notes whether an account has a second factor, in the transaction that adds or removes one. */
  const noteSecondFactor = (q: Queryable, id: AccountId, isEnabled: boolean): Promise<void> =>
    store.setTfaEnabled(q, id, isEnabled);

  /** An enabled account by its id; null when it is gone or disabled. */
  const findById = (q: Queryable, id: AccountId): Promise<Account | null> => store.findById(q, id);

  /** Whether an account has a password to sign in with. */
  const hasPassword = (q: Queryable, id: AccountId): Promise<boolean> => store.hasPassword(q, id);

  return {
    ...createVouched({ audit }),
    findSignedIn: createSignedInSearch(options),
    hasPassword,
    findById,
    findForSignIn,
    register,
    rehash,
    holdEnabled,
    updateProfile,
    findByEmail,
    adopt,
    findByReference,
    findByExternalId,
    keepExternalId,
    pushProfile,
    noteSecondFactor,
  };
}

/** The form under which an identifier is looked up and its tries are counted; null when it can be nobody's. */
export function canonicalIdentifier(identifier: string): string | null {
  return parseEmail(identifier)?.canonical ?? parseUsername(identifier)?.canonical ?? null;
}
