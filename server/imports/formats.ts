// The formats that accounts come in: how a file is read, and where its records keep what.

import type { ReadStream } from 'node:fs';
import type { Person } from './person.ts';
import type { FileRecord } from './read.ts';
import { readCsv } from './read_csv.ts';
import { readJsonLines } from './read_lines.ts';
import { readUsers } from './read_users.ts';

/** Our name of a field to the column or path that has it. */
export type FieldMap = Readonly<Record<string, string>>;
export type Format = {
  /** What is imported with it, for help texts. */
  says: string;
  read(source: ReadStream, firstLine: string): AsyncIterable<FileRecord[]>;
  /** The person of a record; null when it is no object. */
  toPerson(record: Fields, map: FieldMap): Person;
};
type Fields = Readonly<Record<string, unknown>>;

const FIELDS = {
  email: 'email',
  email_verified: 'emailVerified',
  username: 'username',
  name: 'name',
  first_name: 'firstName',
  last_name: 'lastName',
  phone: 'phone',
  password_hash: 'passwordHash',
  salt: 'salt',
  external_id: 'externalId',
  created_at: 'createdAt',
  disabled: 'disabled',
} as const satisfies Record<string, keyof Person>;
/** Names on the left of `--map`; besides these `metadata.<key>`. */
export const FIELD_NAMES = Object.keys(FIELDS);
const METADATA = /^metadata\.([A-Za-z0-9_]{1,64})$/;

/** Whether `--map` may name a field. */
export const isFieldName = (name: string): boolean => Object.hasOwn(FIELDS, name) || METADATA.test(name);

const delimiterOf = (firstLine: string) => (firstLine.includes('\t') ? '\t' : /^[^,]*;/.test(firstLine) ? ';' : ',');

/** Our fields under the names of the map, or under their own. */
function mapped(record: Fields, map: FieldMap): Person {
  const person: Person = {};
  for (const [name, key] of Object.entries(FIELDS)) {
    const value = at(record, map[name] ?? name);
    if (value !== undefined) person[key] = value;
  }
  const metadata = isFields(record['metadata']) ? { ...record['metadata'] } : {};
  for (const [name, path] of Object.entries(map)) {
    const [, key] = METADATA.exec(name) ?? [];
    const value = key === undefined ? undefined : at(record, path);
    if (key !== undefined && value !== undefined) metadata[key] = value;
  }
  return { ...person, metadata };
}

/** A column of that name, or what dots lead to. */
function at(record: Fields, path: string): unknown {
  if (Object.hasOwn(record, path)) return record[path];
  return path
    .split('.')
    .reduce<unknown>((value, key) => (isFields(value) && Object.hasOwn(value, key) ? value[key] : undefined), record);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same as `mapped`, where the operator's map goes before the one of the format. */
const renamed = (own: FieldMap) => (record: Fields, map: FieldMap) => mapped(record, { ...own, ...map });

const AUTH0: FieldMap = {
  external_id: 'user_id',
  password_hash: 'passwordHash',
  first_name: 'given_name',
  last_name: 'family_name',
  phone: 'phone_number',
  disabled: 'blocked',
};

/** Auth0 keeps its database's ids as `_id.$oid`; everywhere else they are called `auth0|…`. */
function auth0(record: Fields, map: FieldMap): Person {
  const oid = at(record, '_id.$oid');
  const person = mapped(record, { ...AUTH0, ...map });
  const created = at(record, 'created_at.$date') ?? person.createdAt;
  const metadata = { ...person.metadata, ...(isFields(record['user_metadata']) && record['user_metadata']) };
  return {
    ...person,
    metadata,
    createdAt: created,
    externalId: person.externalId ?? (typeof oid === 'string' ? `auth0|${oid}` : undefined),
  };
}

const KEYCLOAK: FieldMap = {
  external_id: 'id',
  email_verified: 'emailVerified',
  first_name: 'firstName',
  last_name: 'lastName',
  created_at: 'createdTimestamp',
};

function keycloak(record: Fields, map: FieldMap): Person {
  const person = mapped(record, { ...KEYCLOAK, ...map });
  const attributes = isFields(record['attributes']) ? record['attributes'] : {};
  const single = Object.entries(attributes).map(([key, value]) => [
    key,
    Array.isArray(value) && value.length === 1 ? value[0] : value,
  ]);
  return {
    ...person,
    name:
      person.name ?? [person.firstName, person.lastName].filter((part) => typeof part === 'string' && part).join(' '),
    disabled: record['enabled'] === false,
    metadata: { ...Object.fromEntries(single), ...person.metadata },
    passwordHash: keycloakHash(record['credentials']),
  };
}

/** Keycloak keeps what a hash needs in two JSON texts; joined they are what passlib and the PHC write. */
function keycloakHash(credentials: unknown): string | undefined {
  const list = Array.isArray(credentials) ? credentials.filter(isFields) : [];
  const password = list.find((one) => one['type'] === 'password');
  if (!password) return undefined;
  try {
    const data = JSON.parse(String(password['credentialData'])) as Fields;
    const { value, salt } = JSON.parse(String(password['secretData'])) as { value?: unknown; salt?: unknown };
    const [hash, salted] = [value, salt].map((text) => String(text).replace(/=+$/, ''));
    const rounds = Number(data['hashIterations']);
    const algorithm = String(data['algorithm']);
    if (algorithm.startsWith('pbkdf2'))
      return `$${algorithm === 'pbkdf2' ? 'pbkdf2-sha1' : algorithm}$i=${rounds}$${salted}$${hash}`;
    const more = (name: string) =>
      String(at(data, `additionalParameters.${name}.0`) ?? (data['additionalParameters'] as Fields)[name]);
    const [type, memory, lanes] = ['type', 'memory', 'parallelism'].map((name) => String([more(name)].flat()[0]));
    return `$argon2${type}$v=19$m=${memory},t=${rounds},p=${lanes}$${salted}$${hash}`;
  } catch {
    return 'credentials that are not Keycloak’s';
  }
}

const WORDPRESS: FieldMap = {
  external_id: 'ID',
  username: 'user_login',
  email: 'user_email',
  password_hash: 'user_pass',
  name: 'display_name',
  created_at: 'user_registered',
};

const FIREBASE: FieldMap = {
  external_id: 'localId',
  email_verified: 'emailVerified',
  name: 'displayName',
  phone: 'phoneNumber',
  password_hash: 'passwordHash',
  created_at: 'createdAt',
};

/** Every format by its name. */
export const FORMATS = {
  csv: {
    says: 'comma-separated, with a header',
    read: (source, first) => readCsv(source, delimiterOf(first)),
    toPerson: mapped,
  },
  jsonl: { says: 'one JSON object a line', read: readJsonLines, toPerson: mapped },
  keycloak: { says: 'a realm export with users', read: readUsers, toPerson: keycloak },
  auth0: { says: 'a user export, one JSON object a line', read: readJsonLines, toPerson: auth0 },
  wordpress: {
    says: 'wp_users as CSV or TSV',
    read: (source, first) => readCsv(source, delimiterOf(first)),
    toPerson: renamed(WORDPRESS),
  },
  firebase: { says: 'firebase auth:export FILE.json', read: readUsers, toPerson: renamed(FIREBASE) },
} as const satisfies Record<string, Format>;
export type FormatName = keyof typeof FORMATS;
