// Tables totp_factors, recovery_codes and second_factor_challenges. Whatever may be used once is used up by one statement.

import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { type AccountId, asAccountId, asHost, type Host, type TokenHash } from '../lib/ids.ts';
import type { Challenge, Factor } from './mfa.ts';

const LIST_FACTORS = readStatement(
  'mfa.list_factors',
  `select 'totp' as kind, 'totp' as id, created_at, last_used_at from totp_factors where account_id = $1
   union all
   select 'passkey', id::text, created_at, last_used_at from passkeys where account_id = $1`,
);

/** The second factors of an account; recovery codes are none, they stand in for one. */
export async function listFactors(q: Queryable, accountId: AccountId): Promise<Factor[]> {
  return (await q.run(LIST_FACTORS, [accountId])).map((row) => ({
    kind: row['kind'] as Factor['kind'],
    id: String(row['id']),
    createdAt: row['created_at'] as Date,
    lastUsedAt: row['last_used_at'] as Date | null,
  }));
}

// ------------------------------------------------------------------------------------------------ one-time passwords

const FIND_TOTP = readStatement(
  'mfa.find_totp',
  'select secret_jwe, extract(epoch from causeway_now())::float8 as now from totp_factors where account_id = $1',
);
// RFC 6238 §5.2: a code MUST NOT be accepted a second time. One statement, so that of parallel tries on any nodes one wins;
// a code of an earlier step than the latest that was accepted is as good as used.
const ACCEPT_STEP = writeStatement(
  'mfa.accept_step',
  `update totp_factors set last_step = $2, last_used_at = causeway_now()
    where account_id = $1 and last_step < $2 returning account_id`,
);

/** The encrypted secret of an account and the database's time; null when it has none. */
export async function findTotp(q: Queryable, id: AccountId): Promise<{ secretJwe: string; nowSeconds: number } | null> {
  const [row] = await q.run(FIND_TOTP, [id]);
  return row ? { secretJwe: String(row['secret_jwe']), nowSeconds: Number(row['now']) } : null;
}

/** Accepts a time step unless it, or a later one, was accepted before. */
export async function acceptStep(q: Queryable, id: AccountId, step: number): Promise<boolean> {
  return (await q.run(ACCEPT_STEP, [id, step])).length === 1;
}

/** Adds the factor; false when the account has one already. @param step of the code that confirmed it, used up with that */
export async function insertTotp(
  q: Queryable,
  draft: { accountId: AccountId; secretJwe: string; step: number },
): Promise<boolean> {
  const rows = await q
    .builder('totp_factors')
    .insert({ account_id: draft.accountId, secret_jwe: draft.secretJwe, last_step: draft.step })
    .onConflict('account_id')
    .ignore()
    .returning('account_id');
  return rows.length === 1;
}

export async function deleteTotp(q: Queryable, accountId: AccountId): Promise<boolean> {
  return (await q.builder('totp_factors').where({ account_id: accountId }).delete()) === 1;
}

const NOW = readStatement('mfa.now', 'select extract(epoch from causeway_now())::float8 as now');

export async function readNow(q: Queryable): Promise<number> {
  return Number((await q.run(NOW, []))[0]?.['now']);
}

// ------------------------------------------------------------------------------------------------ recovery codes

const CONSUME_CODE = writeStatement(
  'mfa.consume_recovery_code',
  'delete from recovery_codes where account_id = $1 and code_hash = $2 returning account_id',
);

/** Uses a recovery code up; false when it is none of the account's, or was used. */
export async function consumeRecoveryCode(q: Queryable, accountId: AccountId, hash: TokenHash): Promise<boolean> {
  return (await q.run(CONSUME_CODE, [accountId, hash])).length === 1;
}

/** Puts new codes in the place of all that an account has. */
export async function replaceRecoveryCodes(q: Queryable, accountId: AccountId, hashes: readonly TokenHash[]) {
  await q.builder('recovery_codes').where({ account_id: accountId }).delete();
  if (hashes.length === 0) return;
  await q.builder('recovery_codes').insert(hashes.map((hash) => ({ account_id: accountId, code_hash: hash })));
}

export async function countRecoveryCodes(q: Queryable, accountId: AccountId): Promise<number> {
  const row = await q.builder('recovery_codes').where({ account_id: accountId }).count('* as count').first();
  return Number(row?.['count'] ?? 0);
}

// ------------------------------------------------------------------------------------------------ challenges

const MOST_TRIES = 5;
const LIVE = `c.token_hash = $1 and c.host = $2 and c.tries < ${MOST_TRIES} and c.expires_at > causeway_now()`;
const COLUMNS = 'c.account_id, c.host, c.need, c.amr, c.setup_jwe, c.proven_amr';
const FIND_CHALLENGE = readStatement(
  'mfa.find_challenge',
  `select ${COLUMNS} from second_factor_challenges c join accounts a on a.id = c.account_id and a.disabled_at is null where ${LIVE}`,
);
// Counted before the code is looked at, so that parallel tries cannot slip past; the sixth finds nothing.
const TAKE_TRY = writeStatement(
  'mfa.take_try',
  `update second_factor_challenges c set tries = c.tries + 1 where ${LIVE} returning c.account_id`,
);
const CONSUME_CHALLENGE = writeStatement(
  'mfa.consume_challenge',
  'delete from second_factor_challenges where token_hash = $1 and expires_at > causeway_now() returning account_id',
);

export async function insertChallenge(
  q: Queryable,
  draft: {
    tokenHash: TokenHash;
    accountId: AccountId;
    host: Host;
    need: Challenge['need'];
    amr: readonly string[];
    setupJwe: string | null;
    ttlSeconds: number;
  },
): Promise<void> {
  await q.builder('second_factor_challenges').insert({
    token_hash: draft.tokenHash,
    account_id: draft.accountId,
    host: draft.host,
    need: draft.need,
    amr: [...draft.amr],
    setup_jwe: draft.setupJwe,
    expires_at: q.builder.raw('causeway_now() + make_interval(secs => ?::integer)', [draft.ttlSeconds]),
  });
}

/** A live challenge of an enabled account on the host where it began. */
export async function findChallenge(q: Queryable, hash: TokenHash, host: Host): Promise<Challenge | null> {
  const [row] = await q.run(FIND_CHALLENGE, [hash, host]);
  return row ? toChallenge(row, hash) : null;
}

/** Counts one try; false when the challenge has none left, has expired or is over. */
export async function takeTry(q: Queryable, { hash, host }: Challenge): Promise<boolean> {
  return (await q.run(TAKE_TRY, [hash, host])).length === 1;
}

/** Ends a challenge; false when another request was first. */
export async function consumeChallenge(q: Queryable, hash: TokenHash): Promise<boolean> {
  return (await q.run(CONSUME_CHALLENGE, [hash])).length === 1;
}

/** The factor is set up: what is left of the challenge is a validation, which it has passed already when `proven` is given. */
export async function turnIntoValidation(q: Queryable, hash: TokenHash, proven: readonly string[]): Promise<boolean> {
  const changed = await q
    .builder('second_factor_challenges')
    .where({ token_hash: hash, need: 'setup' })
    .update({ need: 'validation', setup_jwe: null, proven_amr: [...proven] });
  return changed === 1;
}

export async function deleteChallengesOf(q: Queryable, accountId: AccountId): Promise<void> {
  await q.builder('second_factor_challenges').where({ account_id: accountId }).delete();
}

/** One batch of challenges that are over. True when more may be waiting. */
export async function deleteExpired(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from second_factor_challenges where token_hash in (
       select token_hash from second_factor_challenges where expires_at <= causeway_now() limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}

function toChallenge(row: Row, hash: TokenHash): Challenge {
  return {
    hash,
    accountId: asAccountId(String(row['account_id'])),
    host: asHost(String(row['host'])),
    need: row['need'] as Challenge['need'],
    amr: row['amr'] as string[],
    setupJwe: row['setup_jwe'] as string | null,
    provenAmr: row['proven_amr'] as string[] | null,
  };
}
