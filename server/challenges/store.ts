// Table challenges.

import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { type AccountId, asAccountId, asRealmId, type RealmId, type TokenHash } from '../lib/ids.ts';
import type { Challenge } from './challenges.ts';
import type { Purpose } from './purposes.ts';

export type StoredChallenge = Challenge & { codeHash: Buffer | null };

const COLUMNS = 'id, realm_id, account_id, purpose, recipient, browser_hash, payload, code_hash';
const IS_OPEN = 'consumed_at is null and expires_at > causeway_now()';

// A newer challenge takes the row of the older: what was sent before is void from the same instant on.
const PUT = writeStatement(
  'challenges.put',
  `insert into challenges (id, realm_id, account_id, purpose, subject, recipient, code_hash, link_hash, browser_hash, payload, code_expires_at, expires_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
           causeway_now() + make_interval(secs => $11), causeway_now() + make_interval(secs => $12))
   on conflict (realm_id, purpose, subject) do update
     set id = excluded.id, account_id = excluded.account_id, recipient = excluded.recipient, code_hash = excluded.code_hash,
         link_hash = excluded.link_hash, browser_hash = excluded.browser_hash, payload = excluded.payload, tries = 0,
         created_at = causeway_now(), code_expires_at = excluded.code_expires_at, expires_at = excluded.expires_at,
         consumed_at = null`,
);
// Counted before it is looked at, and by one statement, so that guesses on many nodes at once share the same few.
const COUNT_TRY = writeStatement(
  'challenges.count_try',
  `update challenges set tries = tries + 1
    where realm_id = $1 and purpose = $2 and subject = $3 and tries < $4 and code_hash is not null
      and code_expires_at > causeway_now() and ${IS_OPEN}
   returning ${COLUMNS}`,
);
const CONSUME = writeStatement(
  'challenges.consume',
  `update challenges set consumed_at = causeway_now() where id = $1 and ${IS_OPEN} returning id`,
);
const FIND_BY_LINK = readStatement(
  'challenges.find_by_link',
  `select ${COLUMNS}, consumed_at is not null as is_consumed, expires_at <= causeway_now() as is_expired
     from challenges where link_hash = $1 and realm_id = $2`,
);
const FIND_BY_BROWSER = readStatement(
  'challenges.find_by_browser',
  `select ${COLUMNS} from challenges where browser_hash = $1 and realm_id = $2 and purpose = $3 and ${IS_OPEN}
    order by created_at desc limit 1`,
);

export async function putChallenge(
  q: Queryable,
  draft: {
    id: string;
    realmId: RealmId;
    accountId: AccountId | null;
    purpose: Purpose;
    subject: string;
    recipient: string;
    codeHash: Buffer | null;
    linkHash: TokenHash | null;
    browserHash: TokenHash | null;
    payload: Record<string, string>;
    codeSeconds: number;
    seconds: number;
  },
): Promise<void> {
  await q.run(PUT, [
    draft.id,
    draft.realmId,
    draft.accountId,
    draft.purpose,
    draft.subject,
    draft.recipient,
    draft.codeHash,
    draft.linkHash,
    draft.browserHash,
    JSON.stringify(draft.payload),
    draft.codeSeconds,
    draft.seconds,
  ]);
}

/** Counts a guess; null when there is nothing (any more) to guess. */
export async function countTry(
  q: Queryable,
  of: { realmId: RealmId; purpose: Purpose; subject: string; mostTries: number },
): Promise<StoredChallenge | null> {
  const [row] = await q.run(COUNT_TRY, [of.realmId, of.purpose, of.subject, of.mostTries]);
  return row ? toChallenge(row) : null;
}

/** Uses a challenge up; false when somebody else did, it expired, or a newer one took its place. */
export async function consumeChallenge(q: Queryable, id: string): Promise<boolean> {
  return (await q.run(CONSUME, [id])).length === 1;
}

export async function findByLink(
  q: Queryable,
  realmId: RealmId,
  linkHash: TokenHash,
): Promise<{ challenge: StoredChallenge; isConsumed: boolean; isExpired: boolean } | null> {
  const [row] = await q.run(FIND_BY_LINK, [linkHash, realmId]);
  return row
    ? {
        challenge: toChallenge(row),
        isConsumed: row['is_consumed'] as boolean,
        isExpired: row['is_expired'] as boolean,
      }
    : null;
}

export async function findByBrowser(
  q: Queryable,
  of: { realmId: RealmId; purpose: Purpose; browserHash: TokenHash },
): Promise<StoredChallenge | null> {
  const [row] = await q.run(FIND_BY_BROWSER, [of.browserHash, of.realmId, of.purpose]);
  return row ? toChallenge(row) : null;
}

/** What was used up stays until it is swept, so that its link can still say so. */
export async function deleteOpenOf(q: Queryable, accountId: AccountId, except: readonly Purpose[]): Promise<void> {
  await q
    .builder('challenges')
    .where({ account_id: accountId })
    .whereNull('consumed_at')
    .whereNotIn('purpose', [...except])
    .delete();
}

/** @param challenge itself is left as it is */
export async function deleteSince(q: Queryable, challenge: Challenge): Promise<void> {
  const { id, accountId, purpose } = challenge;
  await q.builder.raw(
    `delete from challenges where account_id = ? and purpose = ? and id <> ? and consumed_at is null
        and created_at >= (select created_at from challenges where id = ?)`,
    [accountId, purpose, id, id],
  );
}

/** One batch of challenges that are long over. */
export async function deleteExpired(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from challenges where id in (
       select id from challenges where expires_at < causeway_now() - interval '1 day' limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}

function toChallenge(row: Row): StoredChallenge {
  return {
    id: String(row['id']),
    realmId: asRealmId(String(row['realm_id'])),
    accountId: row['account_id'] === null ? null : asAccountId(String(row['account_id'])),
    purpose: row['purpose'] as Purpose,
    recipient: String(row['recipient']),
    browserHash: row['browser_hash'] as Buffer | null,
    payload: row['payload'] as Record<string, string>,
    codeHash: row['code_hash'] as Buffer | null,
  };
}
