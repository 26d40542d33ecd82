// Table accounts, and the hot statement of `GET /users/me`: token hash → session and account in one round trip.

import { isUniqueViolation, type Queryable, type Row } from '../db/database.ts';
import { millisecondsOf, readStatement } from '../db/statement.ts';
import {
  type AccountId,
  asAccountId,
  asRealmId,
  type CanonicalEmail,
  type Host,
  type RealmId,
  type TokenHash,
} from '../lib/ids.ts';
import { LIVE_SESSION_SQL } from '../sessions/sessions.ts';
import type { Account, ProfileChange } from './accounts.ts';
import type { VouchedPerson } from './without_password.ts';

export type SignInRecord = { id: AccountId; passwordHash: string | null; isDisabled: boolean };

export const COLUMN_NAMES = [
  'id',
  'realm_id',
  'sub',
  'email',
  'username',
  'name',
  'first_name',
  'last_name',
  'slug',
  'avatar_url',
  'avatar_s3_key',
  'communication_email',
  'phone_number',
  'login_phone_number',
  'metadata',
  'verification_status',
  'is_tfa_enabled',
  'created_at',
  'updated_at',
] as const;

const asText = (column: string) => `${column}::text`;
const PACKED_BY: Partial<Record<(typeof COLUMN_NAMES)[number], (column: string) => string>> = {
  id: asText,
  realm_id: asText,
  created_at: millisecondsOf,
  updated_at: millisecondsOf,
};
/** A reader as packReader writes one, field by field (packed_reader.ts): one text is read many times faster than thirty columns. */
const PACKED_READER_SQL = `json_build_array(${[
  ...LIVE_SESSION_SQL.values,
  ...COLUMN_NAMES.map((name) => (PACKED_BY[name] ?? String)(`a.${name}`)),
].join(', ')})::text`;

// All that wait in one turn of the event loop are asked about at once.
const FIND_SIGNED_IN = readStatement(
  'accounts.find_signed_in',
  `select asked.nr::int, d.companion_hash, ${PACKED_READER_SQL} as packed
     from unnest($1::bytea[], $2::text[]) with ordinality as asked(token_hash, host, nr)
     join domain_sessions d on d.token_hash = asked.token_hash and d.host = asked.host
     ${LIVE_SESSION_SQL.join}
     join accounts a on a.id = s.account_id
    where ${LIVE_SESSION_SQL.where} and a.disabled_at is null`,
);
/** The account ($1: realm) that an identifier ($2) names: by e-mail address before user name. */
export const FIND_FOR_SIGN_IN_SQL = `(select id, password_hash, disabled_at is not null as is_disabled, 1 as rank from accounts where realm_id = $1 and email_canonical = $2)
   union all
   (select id, password_hash, disabled_at is not null, 2 from accounts where realm_id = $1 and username_canonical = $2)
   order by rank limit 1`;
const FIND_FOR_SIGN_IN = readStatement('accounts.find_for_sign_in', FIND_FOR_SIGN_IN_SQL);

/** Somebody who is signed in by a token, packed, and the hash of the companion that must come with it in a cookie. */
export type FoundByToken = { packed: string; companionHash: Buffer };

/** Who is signed in by each of these tokens on its host, in the order asked; null for nobody. */
export async function findSignedIn(
  q: Queryable,
  asked: readonly { tokenHash: TokenHash; host: Host }[],
): Promise<(FoundByToken | null)[]> {
  const rows = await q.run(FIND_SIGNED_IN, [asked.map(({ tokenHash }) => tokenHash), asked.map(({ host }) => host)]);
  const found: (FoundByToken | null)[] = asked.map(() => null);
  for (const row of rows)
    found[Number(row['nr']) - 1] = {
      packed: row['packed'] as string,
      companionHash: row['companion_hash'] as Buffer,
    };
  return found;
}

export async function findForSignIn(q: Queryable, realmId: RealmId, canonical: string): Promise<SignInRecord | null> {
  const [row] = await q.run(FIND_FOR_SIGN_IN, [realmId, canonical]);
  return toSignInRecord(row);
}

/** A row of FIND_FOR_SIGN_IN_SQL, or none. */
export function toSignInRecord(row: Row | undefined): SignInRecord | null {
  if (!row || row['id'] === null) return null;
  return {
    id: asAccountId(String(row['id'])),
    passwordHash: row['password_hash'] as string | null,
    isDisabled: row['is_disabled'] as boolean,
  };
}

export async function insertAccount(
  q: Queryable,
  draft: {
    realmId: RealmId;
    sub: string;
    email: { address: string; canonical: CanonicalEmail } | null;
    username: { username: string; canonical: string } | null;
    name: string | null;
    /** Null for somebody who signs in without one. */
    passwordHash: string | null;
    /** What else is known of somebody who comes from elsewhere. */
    profile?: Partial<
      Pick<Account, 'firstName' | 'lastName' | 'phoneNumber' | 'loginPhoneNumber' | 'verificationStatus'>
    >;
  },
): Promise<Account> {
  const [row] = await q
    .builder('accounts')
    .insert({
      realm_id: draft.realmId,
      sub: draft.sub,
      email: draft.email?.address ?? null,
      email_canonical: draft.email?.canonical ?? null,
      username: draft.username?.username ?? null,
      username_canonical: draft.username?.canonical ?? null,
      name: draft.name,
      password_hash: draft.passwordHash,
      first_name: draft.profile?.firstName ?? null,
      last_name: draft.profile?.lastName ?? null,
      phone_number: draft.profile?.phoneNumber ?? null,
      login_phone_number: draft.profile?.loginPhoneNumber ?? null,
      verification_status: draft.profile?.verificationStatus ?? null,
    })
    .returning(COLUMN_NAMES);
  return toAccount(row);
}

/** An account without a password; null when its e-mail address is taken. */
export async function insertVouched(
  q: Queryable,
  person: VouchedPerson & { realmId: RealmId; sub: string },
): Promise<Account | null> {
  const [row] = await q
    .builder('accounts')
    .insert({
      realm_id: person.realmId,
      sub: person.sub,
      email: person.email?.address ?? null,
      email_canonical: person.email?.canonical ?? null,
      name: person.name,
      first_name: person.firstName,
      last_name: person.lastName,
      avatar_url: person.avatarUrl,
      verification_status: person.isEmailVerified ? 'email' : null,
    })
    .onConflict()
    .ignore()
    .returning(COLUMN_NAMES);
  return row ? toAccount(row) : null;
}

export async function findByExternalId(
  q: Queryable,
  realmId: RealmId,
  externalId: string,
): Promise<{ id: AccountId; isDisabled: boolean } | null> {
  const row = await q
    .builder('accounts')
    .where({ realm_id: realmId, external_id: externalId })
    .first('id', 'disabled_at');
  return row ? { id: asAccountId(String(row.id)), isDisabled: row.disabled_at !== null } : null;
}

export async function updateExternalId(q: Queryable, id: AccountId, externalId: string): Promise<void> {
  await q.builder('accounts').where({ id }).update({ external_id: externalId });
}

/** Leaves of an account only what its e-mail address stands for, with the profile that its owner brings. */
export async function resetToOwner(q: Queryable, id: AccountId, person: VouchedPerson): Promise<void> {
  await q
    .builder('accounts')
    .where({ id })
    .update({
      password_hash: null,
      username: null,
      username_canonical: null,
      // An old session that is adopted by this id is a way in too.
      external_id: null,
      phone_number: null,
      login_phone_number: null,
      communication_email: null,
      metadata: null,
      is_tfa_enabled: false,
      name: person.name,
      first_name: person.firstName,
      last_name: person.lastName,
      avatar_url: person.avatarUrl,
      verification_status: 'email',
      updated_at: q.builder.raw('causeway_now()'),
    });
}

export async function hasPassword(q: Queryable, id: AccountId): Promise<boolean> {
  return (await q.builder('accounts').where({ id }).whereNotNull('password_hash').first('id')) !== undefined;
}

export async function replacePasswordHash(
  q: Queryable,
  id: AccountId,
  hash: { from: string; to: string },
): Promise<void> {
  await q.builder('accounts').where({ id, password_hash: hash.from }).update({ password_hash: hash.to });
}

// `for share` and not a weaker lock: only that one waits for a change of the password, and makes one wait.
const HOLD_ENABLED = readStatement(
  'accounts.hold_enabled',
  'select from accounts where id = $1 and disabled_at is null and ($2::text is null or password_hash = $2) for share',
);

export async function holdEnabled(q: Queryable, id: AccountId, passwordHash: string | null): Promise<boolean> {
  return (await q.run(HOLD_ENABLED, [id, passwordHash])).length > 0;
}

const PROFILE_COLUMNS = {
  name: 'name',
  firstName: 'first_name',
  lastName: 'last_name',
  avatarUrl: 'avatar_url',
  phoneNumber: 'phone_number',
  metadata: 'metadata',
} as const satisfies Record<keyof ProfileChange, string>;

export async function updateProfile(q: Queryable, id: AccountId, fields: ProfileChange): Promise<Account> {
  const changes: Row = { updated_at: q.builder.raw('causeway_now()') };
  for (const [field, column] of Object.entries(PROFILE_COLUMNS)) {
    const value = fields[field as keyof typeof PROFILE_COLUMNS];
    if (value !== undefined) changes[column] = column === 'metadata' && value !== null ? JSON.stringify(value) : value;
  }
  const [row] = await q.builder('accounts').where({ id }).update(changes).returning(COLUMN_NAMES);
  return toAccount(row);
}

export async function setTfaEnabled(q: Queryable, id: AccountId, isEnabled: boolean): Promise<void> {
  await q.builder('accounts').where({ id }).update({ is_tfa_enabled: isEnabled });
}

export async function deleteAccount(q: Queryable, id: AccountId): Promise<void> {
  await q.builder('accounts').where({ id }).delete();
}

const FIND_BY_ID = readStatement(
  'accounts.find_by_id',
  `select ${COLUMN_NAMES.join(', ')} from accounts where id = $1 and disabled_at is null`,
);

export async function findById(q: Queryable, id: AccountId): Promise<Account | null> {
  const [row] = await q.run(FIND_BY_ID, [id]);
  return row ? toAccount(row) : null;
}

export async function findByEmail(q: Queryable, realmId: RealmId, canonical: CanonicalEmail): Promise<Account | null> {
  const row = await q.builder('accounts').first(COLUMN_NAMES).where({ realm_id: realmId, email_canonical: canonical });
  return row ? toAccount(row) : null;
}

/** An enabled account by what a product knows of it; an e-mail address counts only when it was verified. */
export async function findByReference(
  q: Queryable,
  realmId: RealmId,
  by: { sub: string } | { verifiedEmail: CanonicalEmail },
): Promise<Account | null> {
  const where = 'sub' in by ? { sub: by.sub } : { email_canonical: by.verifiedEmail, verification_status: 'email' };
  const row = await q
    .builder('accounts')
    .first(COLUMN_NAMES)
    .where({ realm_id: realmId, ...where })
    .whereNull('disabled_at');
  return row ? toAccount(row) : null;
}

/** Writes profile fields, and keys of the metadata beside those that are there. */
export async function mergeProfile(
  q: Queryable,
  id: AccountId,
  fields: Omit<ProfileChange, 'metadata'>,
  metadata: Record<string, unknown>,
): Promise<void> {
  await updateProfile(q, id, fields);
  if (Object.keys(metadata).length === 0) return;
  await q
    .builder('accounts')
    .where({ id })
    .update({ metadata: q.builder.raw("coalesce(metadata, '{}'::jsonb) || ?::jsonb", [JSON.stringify(metadata)]) });
}

/** Which identifier an insert or update failed on because somebody of the realm has it; null for any other error. */
export function takenField(error: unknown): 'email' | 'username' | null {
  if (isUniqueViolation(error, 'accounts_email')) return 'email';
  return isUniqueViolation(error, 'accounts_username') ? 'username' : null;
}

export function toAccount(row: Row): Account {
  return {
    id: asAccountId(String(row['id'])),
    realmId: asRealmId(String(row['realm_id'])),
    sub: String(row['sub']),
    email: row['email'] as string | null,
    username: row['username'] as string | null,
    name: row['name'] as string | null,
    firstName: row['first_name'] as string | null,
    lastName: row['last_name'] as string | null,
    slug: row['slug'] as string | null,
    avatarUrl: row['avatar_url'] as string | null,
    avatarS3Key: row['avatar_s3_key'] as string | null,
    communicationEmail: row['communication_email'] as string | null,
    phoneNumber: row['phone_number'] as string | null,
    loginPhoneNumber: row['login_phone_number'] as string | null,
    metadata: row['metadata'] as Record<string, unknown> | null,
    verificationStatus: row['verification_status'] as Account['verificationStatus'],
    isTfaEnabled: row['is_tfa_enabled'] as boolean,
    createdAt: row['created_at'] as Date,
    updatedAt: row['updated_at'] as Date,
  };
}
