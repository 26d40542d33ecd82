// Table accounts, many rows at a time. A batch goes to PostgreSQL as one JSON text, which both sides read and write in C.

import type { Queryable } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { type AccountId, asAccountId, type RealmId } from '../lib/ids.ts';
import type { AccountDraft, Match } from './bulk.ts';

const FIELDS = `sub text, email text, email_canonical text, username text, username_canonical text, name text, first_name text,
  last_name text, phone_number text, password_hash text, verification_status text, metadata jsonb, external_id text,
  is_disabled boolean, created_at timestamptz`;

// Without a target, so that e-mail address, user name and external id all count as conflicts.
const INSERT_MANY = writeStatement(
  'accounts.insert_many',
  `insert into accounts (realm_id, sub, email, email_canonical, username, username_canonical, name, first_name, last_name,
     phone_number, password_hash, verification_status, metadata, external_id, disabled_at, created_at)
   select $1, r.sub, r.email, r.email_canonical, r.username, r.username_canonical, r.name, r.first_name, r.last_name,
     r.phone_number, r.password_hash, r.verification_status, r.metadata, r.external_id,
     case when r.is_disabled then causeway_now() end, coalesce(r.created_at, causeway_now())
   from json_to_recordset($2::json) as r(${FIELDS})
   on conflict do nothing
   returning sub`,
);

const MATCH_ONE = (field: string) => `
  select r.sub, a.id, '${field}' as field,
    a.email_canonical = r.email_canonical and a.verification_status = 'email' and r.verification_status = 'email' as is_proven
  from r join accounts a on a.realm_id = $1 and a.${field} = r.${field}`;
const FIND_MATCHES = readStatement(
  'accounts.find_matches',
  `with r as (select * from json_to_recordset($2::json) as r(${FIELDS}))
   ${['external_id', 'email_canonical', 'username_canonical'].map(MATCH_ONE).join(' union all ')}`,
);

// A password that was chosen here, or hashed anew here, is newer than the file.
const UPDATE_MANY = writeStatement(
  'accounts.update_many',
  `update accounts a set
     name = coalesce(r.name, a.name), first_name = coalesce(r.first_name, a.first_name),
     last_name = coalesce(r.last_name, a.last_name), phone_number = coalesce(r.phone_number, a.phone_number),
     external_id = coalesce(a.external_id, r.external_id),
     metadata = case when r.metadata is null then a.metadata else coalesce(a.metadata, '{}'::jsonb) || r.metadata end,
     password_hash = case when a.password_hash like '$argon2id$v=19$m=19456,p=1,t=2$%' then a.password_hash
                     else coalesce(r.password_hash, a.password_hash) end,
     disabled_at = case when r.is_disabled then coalesce(a.disabled_at, causeway_now()) else a.disabled_at end,
     updated_at = causeway_now()
   from json_to_recordset($2::json) as r(id bigint, ${FIELDS})
   where a.realm_id = $1 and a.id = r.id`,
);

/** @returns the subs that were inserted */
export async function insertMany(
  q: Queryable,
  realmId: RealmId,
  drafts: readonly AccountDraft[],
): Promise<Set<string>> {
  const rows = await q.run(INSERT_MANY, [realmId, JSON.stringify(drafts)]);
  return new Set(rows.map((row) => String(row['sub'])));
}

export async function findMatches(q: Queryable, realmId: RealmId, drafts: readonly AccountDraft[]): Promise<Match[]> {
  const rows = await q.run(FIND_MATCHES, [realmId, JSON.stringify(drafts)]);
  return rows.map((row) => ({
    sub: String(row['sub']),
    accountId: asAccountId(String(row['id'])),
    field: row['field'] as Match['field'],
    isProven: row['is_proven'] === true,
  }));
}

export async function updateMany(
  q: Queryable,
  realmId: RealmId,
  changes: readonly (AccountDraft & { id: AccountId })[],
): Promise<void> {
  await q.run(UPDATE_MANY, [realmId, JSON.stringify(changes)]);
}
