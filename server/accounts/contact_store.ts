// Table accounts, as far as it is about how somebody is reached and proven: address, phone, password, verification.

import { isUniqueViolation, type Queryable } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import type { Email } from '../lib/email.ts';
import type { AccountId, RealmId } from '../lib/ids.ts';
import type { Account } from './accounts.ts';
import type { Contact } from './contact.ts';
import { COLUMN_NAMES, toAccount } from './store.ts';

const LIST = COLUMN_NAMES.join(', ');

// Everything that uses a challenge up or voids one holds this row first, so that no two of them wait for each other.
const LOCK = writeStatement(
  'accounts.lock',
  `select ${LIST} from accounts where id = $1 and realm_id = $2 and disabled_at is null for no key update`,
);
const FIND_BY_EMAIL = readStatement(
  'accounts.find_enabled_by_email',
  `select ${LIST} from accounts where realm_id = $1 and email_canonical = $2 and disabled_at is null`,
);
const FIND_BY_PHONE = readStatement(
  'accounts.find_enabled_by_phone',
  `select ${LIST} from accounts where realm_id = $1 and login_phone_number = $2 and disabled_at is null`,
);

/** Holds an enabled account until the transaction ends; null when it is gone or disabled. */
export async function lockAccount(q: Queryable, realmId: RealmId, id: AccountId): Promise<Account | null> {
  const [row] = await q.run(LOCK, [id, realmId]);
  return row ? toAccount(row) : null;
}

/** The enabled account that signs in with a contact. */
export async function findByContact(
  q: Queryable,
  realmId: RealmId,
  contact: Pick<Contact, 'kind' | 'canonical'>,
): Promise<Account | null> {
  const [row] = await q.run(contact.kind === 'email' ? FIND_BY_EMAIL : FIND_BY_PHONE, [realmId, contact.canonical]);
  return row ? toAccount(row) : null;
}

/** Whether anybody, disabled or not, signs in with a contact: it cannot be given to somebody else then. */
export async function isTaken(q: Queryable, realmId: RealmId, contact: Contact): Promise<boolean> {
  const column = contact.kind === 'email' ? 'email_canonical' : 'login_phone_number';
  const row = await q
    .builder('accounts')
    .first('id')
    .where({ realm_id: realmId, [column]: contact.canonical });
  return row !== undefined;
}

export type ContactChange = {
  email?: Email;
  loginPhoneNumber?: string;
  phoneNumber?: string;
  verificationStatus?: 'email' | 'phone';
  passwordHash?: string;
};

/** Writes what was proven. @throws unique violations: see takenContact */
export async function updateContact(q: Queryable, id: AccountId, change: ContactChange): Promise<Account> {
  const [row] = await q
    .builder('accounts')
    .where({ id })
    .update({
      updated_at: q.builder.raw('causeway_now()'),
      ...(change.email && { email: change.email.address, email_canonical: change.email.canonical }),
      ...(change.loginPhoneNumber && { login_phone_number: change.loginPhoneNumber }),
      ...(change.phoneNumber && { phone_number: change.phoneNumber }),
      ...(change.verificationStatus && { verification_status: change.verificationStatus }),
      ...(change.passwordHash && { password_hash: change.passwordHash }),
    })
    .returning(COLUMN_NAMES);
  return toAccount(row);
}

/** Takes away what somebody may have set up to get in again. */
export async function dropWaysIn(q: Queryable, id: AccountId): Promise<void> {
  await q.builder('accounts').where({ id }).update({
    password_hash: null,
    // An old session that is adopted by this id is a way in too.
    external_id: null,
    phone_number: null,
    login_phone_number: null,
    communication_email: null,
    is_tfa_enabled: false,
  });
}

/** Whether a write failed because somebody of the realm has that address or number; false for any other error. */
export function isContactTaken(error: unknown): boolean {
  return isUniqueViolation(error, 'accounts_email') || isUniqueViolation(error, 'accounts_login_phone');
}
