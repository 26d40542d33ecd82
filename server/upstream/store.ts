// Tables upstream_identities and upstream_attempts.

import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { type AccountId, asAccountId, asSessionId, type RealmId, type SessionId, type TokenHash } from '../lib/ids.ts';
import { createUuid } from '../lib/random.ts';
import type { UpstreamPerson } from './person.ts';
import type { Identity } from './upstream.ts';

const INSERT_ATTEMPT = writeStatement(
  'upstream.insert_attempt',
  `insert into upstream_attempts (state_hash, realm_id, provider, browser_hash, return_handle, link_session_id, expires_at)
   values ($1, $2, $3, $4, $5, $6, causeway_now() + make_interval(secs => $7::integer))`,
);
// Everything that an attempt is bound to stands in the one statement that uses it up (security 158).
const CONSUME_ATTEMPT = writeStatement(
  'upstream.consume_attempt',
  `delete from upstream_attempts
    where state_hash = $1 and realm_id = $2 and provider = $3 and browser_hash = $4 and expires_at > causeway_now()
   returning return_handle, link_session_id`,
);
const FIND_LINKED = readStatement(
  'upstream.find_linked',
  'select account_id from upstream_identities where realm_id = $1 and issuer = $2 and subject = $3',
);
const INSERT_IDENTITY = writeStatement(
  'upstream.insert_identity',
  `insert into upstream_identities (id, realm_id, issuer, subject, account_id, provider, email)
   values ($1, $2, $3, $4, $5, $6, $7) on conflict (realm_id, issuer, subject) do nothing returning id`,
);
const TOUCH_IDENTITY = writeStatement(
  'upstream.touch_identity',
  `update upstream_identities set last_used_at = causeway_now(), email = $4, provider = $5
    where realm_id = $1 and issuer = $2 and subject = $3`,
);
const LIST_IDENTITIES = readStatement(
  'upstream.list_identities',
  `select id, provider, email, created_at, last_used_at from upstream_identities where account_id = $1 order by created_at, id`,
);

export type AttemptDraft = {
  stateHash: TokenHash;
  realmId: RealmId;
  upstreamId: string;
  browserHash: TokenHash;
  returnHandle: string;
  linkSessionId: SessionId | null;
  ttlSeconds: number;
};
export type ConsumedAttempt = { returnHandle: string; linkSessionId: SessionId | null };

export async function insertAttempt(q: Queryable, draft: AttemptDraft): Promise<void> {
  const { stateHash, realmId, upstreamId, browserHash, returnHandle, linkSessionId, ttlSeconds } = draft;
  await q.run(INSERT_ATTEMPT, [stateHash, realmId, upstreamId, browserHash, returnHandle, linkSessionId, ttlSeconds]);
}

/** Uses an attempt up; null when it is none of this realm, provider and browser, was used, or has expired. */
export async function consumeAttempt(
  q: Queryable,
  of: Pick<AttemptDraft, 'stateHash' | 'realmId' | 'upstreamId' | 'browserHash'>,
): Promise<ConsumedAttempt | null> {
  const [row] = await q.run(CONSUME_ATTEMPT, [of.stateHash, of.realmId, of.upstreamId, of.browserHash]);
  if (!row) return null;
  const link = row['link_session_id'];
  return {
    returnHandle: String(row['return_handle']),
    linkSessionId: link === null ? null : asSessionId(String(link)),
  };
}

/** One batch of attempts that have expired; true when there may be more. */
export async function deleteExpiredAttempts(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from upstream_attempts where state_hash in (
       select state_hash from upstream_attempts where expires_at <= causeway_now() limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}

export async function findLinked(q: Queryable, realmId: RealmId, person: UpstreamPerson): Promise<AccountId | null> {
  const [row] = await q.run(FIND_LINKED, [realmId, person.issuer, person.subject]);
  return row ? asAccountId(String(row['account_id'])) : null;
}

/** Connects; false when the subject is connected already. */
export async function insertIdentity(
  q: Queryable,
  of: { realmId: RealmId; accountId: AccountId; upstreamId: string; person: UpstreamPerson },
): Promise<boolean> {
  const { realmId, accountId, upstreamId, person } = of;
  const values = [createUuid(), realmId, person.issuer, person.subject, accountId, upstreamId, emailOf(person)];
  return (await q.run(INSERT_IDENTITY, values)).length === 1;
}

export async function touchIdentity(
  q: Queryable,
  of: { realmId: RealmId; upstreamId: string; person: UpstreamPerson },
): Promise<void> {
  await q.run(TOUCH_IDENTITY, [of.realmId, of.person.issuer, of.person.subject, emailOf(of.person), of.upstreamId]);
}

export async function listIdentities(q: Queryable, accountId: AccountId): Promise<Identity[]> {
  return (await q.run(LIST_IDENTITIES, [accountId])).map(toIdentity);
}

/** Every connection of an account goes. */
export async function deleteIdentitiesOf(q: Queryable, accountId: AccountId): Promise<void> {
  await q.builder('upstream_identities').where({ account_id: accountId }).delete();
}

export async function deleteIdentity(q: Queryable, accountId: AccountId, id: string): Promise<void> {
  await q.builder('upstream_identities').where({ account_id: accountId, id }).delete();
}

/** Keeps whoever else would change what an account signs in with waiting until the transaction ends. */
export async function lockAccount(q: Queryable, accountId: AccountId): Promise<void> {
  await q.builder('accounts').where({ id: accountId }).forNoKeyUpdate().first('id');
}

const emailOf = (person: UpstreamPerson) => person.email?.address ?? null;

function toIdentity(row: Row): Identity {
  return {
    id: String(row['id']),
    upstreamId: String(row['provider']),
    email: row['email'] as string | null,
    createdAt: row['created_at'] as Date,
    lastUsedAt: row['last_used_at'] as Date,
  };
}
