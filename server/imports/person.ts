// From what another system says of a person to the account that it becomes, by the rules of sign-up: the same addresses and
// user names are accepted and have the same canonical form. Pure; every refusal is a sentence for the operator that holds
// nothing of the password.

import { type AccountDraft, parseEmail, parsePhone, parseUsername } from '../accounts/accounts.ts';
import { isCleanText } from '../http/text.ts';
import { createToken } from '../lib/token.ts';
import { type HashParameters, toStoredHash } from '../passwords/passwords.ts';

/** What a format reads of one person; values as the file has them. */
export type Person = {
  email?: unknown;
  emailVerified?: unknown;
  username?: unknown;
  name?: unknown;
  firstName?: unknown;
  lastName?: unknown;
  phone?: unknown;
  passwordHash?: unknown;
  salt?: unknown;
  externalId?: unknown;
  createdAt?: unknown;
  disabled?: unknown;
  metadata?: Record<string, unknown> | undefined;
};

export type Drafted = { ok: true; draft: AccountDraft } | { ok: false; reason: string };

const LONGEST_TEXT = 200;
const LONGEST_METADATA = 16_384;
/** PostgreSQL keeps no NUL and no lone surrogate, however they are escaped. */
const UNCLEAN_JSON = /\\u0000|\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f]/i;

class Refusal extends Error {}

/** How a file is to be understood. */
export type Reading = {
  /** How its hashes were made; null if they say so themselves. */
  hashParameters: HashParameters | null;
  /** Of phone numbers without a country. */
  country: string | null;
};

/** The account of a person, or why there can be none. */
export function draftAccount(person: Person, reading: Reading): Drafted {
  try {
    return { ok: true, draft: draft(person, reading) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.message };
    throw error;
  }
}

function draft(person: Person, reading: Reading): AccountDraft {
  const typedEmail = readText(person.email, 'email');
  const email = typedEmail === null ? null : parseEmail(typedEmail);
  if (typedEmail !== null && !email) throw new Refusal('email is not an address that is accepted');
  const typedName = readText(person.username, 'username');
  const parsedName = typedName === null ? null : parseUsername(typedName);
  // A name with a space, or somebody else's address, signs nobody in here; who has an address is not kept out for that.
  const isForeignAddress = parsedName?.canonical.includes('@') && parsedName.canonical !== email?.canonical;
  const username = isForeignAddress ? null : parsedName;
  if (!email && !username)
    throw new Refusal(
      typedName === null
        ? 'neither email nor username is there'
        : 'username is not one that is accepted, and there is no email',
    );
  const former = typedName !== null && !username ? { former_username: typedName } : {};
  const phone = readText(person.phone, 'phone');
  return {
    sub: createToken(),
    email: email?.address ?? null,
    email_canonical: email?.canonical ?? null,
    username: username?.username ?? null,
    username_canonical: username?.canonical ?? null,
    name: readText(person.name, 'name'),
    first_name: readText(person.firstName, 'first_name'),
    last_name: readText(person.lastName, 'last_name'),
    phone_number: phone === null ? null : (parsePhone(phone, reading.country) ?? phone),
    password_hash: readHash(person, reading.hashParameters),
    verification_status: email && readFlag(person.emailVerified, 'email_verified') ? 'email' : null,
    metadata: readMetadata({ ...person.metadata, ...former }),
    external_id: readText(person.externalId, 'external_id'),
    is_disabled: readFlag(person.disabled, 'disabled'),
    created_at: readTime(person.createdAt),
  };
}

function readText(value: unknown, name: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' && typeof value !== 'number') throw new Refusal(`${name} is no text`);
  const text = String(value).trim();
  if (text === '') return null;
  if (text.length > (name === 'email' ? 254 : LONGEST_TEXT))
    throw new Refusal(`${name} is longer than ${LONGEST_TEXT} characters`);
  if (!isCleanText(text)) throw new Refusal(`${name} holds control characters or broken Unicode`);
  return text;
}

function readFlag(value: unknown, name: string): boolean {
  if (value === undefined || value === null || value === '') return false;
  if (typeof value === 'boolean') return value;
  const text = String(value).trim().toLowerCase();
  if (['1', 'true', 't', 'yes', 'y'].includes(text)) return true;
  if (['0', 'false', 'f', 'no', 'n', 'null'].includes(text)) return false;
  throw new Refusal(`${name} is neither true nor false`);
}

const MYSQL_TIME = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d+)?)$/;

/** Seconds or milliseconds since 1970, ISO 8601, or the form of MySQL, which is taken for UTC. */
function readTime(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  const text = String(value).trim();
  if (text === '' || text.startsWith('0000-00-00')) return null;
  const count = /^\d{1,14}(?:\.\d+)?$/.test(text) ? Number(text) : null;
  const time = count === null ? Date.parse(text.replace(MYSQL_TIME, '$1T$2Z')) : count < 1e11 ? count * 1000 : count;
  // Before the web or after now, by more than clocks differ: the column means something else.
  if (Number.isNaN(time) || time < Date.UTC(1970, 0, 1) || time > Date.now() + 86_400_000)
    throw new Refusal('created_at is not a time in the past');
  return new Date(time).toISOString();
}

function readHash(person: Person, parameters: HashParameters | null): string | null {
  const { passwordHash: hash, salt } = person;
  if (hash === undefined || hash === null || hash === '') return null;
  if (typeof hash !== 'string') throw new Refusal('password_hash is no text');
  const stored = toStoredHash({ hash, salt: typeof salt === 'string' ? salt : null }, parameters);
  if (stored === null) throw new Refusal('password_hash is of no kind that is known, or takes too long to verify');
  return stored;
}

function readMetadata(metadata: Record<string, unknown>): Record<string, unknown> | null {
  const present = Object.fromEntries(
    Object.entries(metadata).filter(([, value]) => value !== undefined && value !== ''),
  );
  if (Object.keys(present).length === 0) return null;
  const text = JSON.stringify(present);
  if (text.length > LONGEST_METADATA) throw new Refusal(`metadata is longer than ${LONGEST_METADATA} characters`);
  if (UNCLEAN_JSON.test(text)) throw new Refusal('metadata holds NUL or broken Unicode');
  return present;
}
