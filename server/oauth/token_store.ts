// Tables token_families, access_tokens, refresh_tokens, and the provider's side of authorization_codes.

import { ACCOUNT_COLUMNS, type Account, toAccount } from '../accounts/accounts.ts';
import { isForeignKeyViolation, type Queryable, type Row } from '../db/database.ts';
import { readStatement, type Statement, writeStatement } from '../db/statement.ts';
import {
  type AccountId,
  asAccountId,
  asClientRowId,
  asRealmId,
  asSessionId,
  type ClientRowId,
  type RealmId,
  type RedirectUri,
  type SessionId,
  type TokenHash,
} from '../lib/ids.ts';
import { FailureOfOne } from '../lib/one_turn.ts';
import { SESSION_IS_LIVE_SQL } from '../sessions/sessions.ts';

/** What a code and the tokens made from it carry of the sign-in and the request. */
export type GrantDetail = {
  authTime: number;
  amr: readonly string[];
  acr: string;
  /** Claims asked for one by one. */
  userinfoClaims: readonly string[];
  idTokenClaims: readonly string[];
};
export type CodeDetail = GrantDetail & {
  scopes: readonly string[];
  nonce: string | null;
  codeChallenge: string | null;
  dpopJkt: string | null;
};

export type ProviderCode = {
  clientRowId: ClientRowId;
  redirectUri: string;
  sessionId: SessionId;
  accountId: AccountId;
  detail: CodeDetail;
  isExpired: boolean;
  familyId: string | null;
  kind: string;
};
export type Family = {
  id: string;
  realmId: RealmId;
  clientRowId: ClientRowId;
  accountId: AccountId | null;
  sessionId: SessionId | null;
  sid: string | null;
  scopes: readonly string[];
  detail: GrantDetail;
};
export type AccessToken = {
  family: Family;
  scopes: readonly string[];
  dpopJkt: string | null;
  issuedAt: Date;
  expiresAt: Date;
};
export type ActiveToken = AccessToken & {
  /** Null for a client's own token. */
  account: Account | null;
  /** For how long nothing of it runs out by itself. */
  trueForSeconds: number;
};
export type RefreshToken = {
  family: Family;
  dpopJkt: string | null;
  isUsed: boolean;
  isWithinGrace: boolean;
  isSuccessorUsed: boolean;
  successorJwe: string | null;
  isExpired: boolean;
};

const insertCodesSql = (locks: string) =>
  `with live as materialized (
     select a.*
       from unnest($1::bytea[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::integer[])
            as a(code_hash, session_id, client_row_id, redirect_uri, detail, seconds)
       join sessions s on s.id = a.session_id
      where ${SESSION_IS_LIVE_SQL}
      order by s.id for key share of s ${locks})
   insert into authorization_codes (code_hash, kind, session_id, client_row_id, redirect_uri, is_restart, is_silent, detail, expires_at)
   select live.code_hash, 'oidc', live.session_id, live.client_row_id, live.redirect_uri, false, false, live.detail::jsonb,
          causeway_now() + make_interval(secs => live.seconds)
     from live
   returning code_hash`;
// Sessions that somebody else holds are left out: the reference to them would wait, and all the others with it.
const INSERT_CODES = writeStatement('oauth.insert_provider_codes', insertCodesSql('skip locked'));
const INSERT_CODE = writeStatement('oauth.insert_provider_code', insertCodesSql(''));
const CODE_COLUMNS =
  'c.kind, c.client_row_id, c.redirect_uri, c.session_id, s.account_id, c.detail, c.family_id, c.expires_at <= causeway_now() as is_expired';
const CONSUME_CODE = writeStatement(
  'oauth.consume_provider_code',
  `with locked as materialized (
     select k.code_hash, s.account_id from authorization_codes k join sessions s on s.id = k.session_id
      where k.code_hash = $1 and ${SESSION_IS_LIVE_SQL} for key share of s),
   s as (select account_id from locked)
   update authorization_codes c set consumed_at = causeway_now() from locked, s
    where c.code_hash = locked.code_hash and c.consumed_at is null
   returning ${CODE_COLUMNS}`,
);
const FIND_CODE = readStatement(
  'oauth.find_provider_code',
  `select ${CODE_COLUMNS} from authorization_codes c join sessions s on s.id = c.session_id where c.code_hash = $1`,
);
const NOTE_FAMILY = writeStatement(
  'oauth.note_family',
  'update authorization_codes set family_id = $2 where code_hash = $1',
);
const INSERT_FAMILY = writeStatement(
  'oauth.insert_family',
  `insert into token_families (id, realm_id, client_row_id, account_id, session_id, sid, scopes, detail, expires_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, causeway_now() + make_interval(secs => $9::integer))`,
);
const DELETE_FAMILY = writeStatement('oauth.delete_family', 'delete from token_families where id = $1 returning id');
const INSERT_ACCESS = writeStatement(
  'oauth.insert_access_token',
  `insert into access_tokens (token_hash, family_id, scopes, dpop_jkt, expires_at)
   values ($1, $2, $3, $4, causeway_now() + make_interval(secs => $5::integer))`,
);
const INSERT_REFRESH = writeStatement(
  'oauth.insert_refresh_token',
  `insert into refresh_tokens (token_hash, family_id, dpop_jkt, expires_at)
   values ($1, $2, $3, causeway_now() + make_interval(secs => $4::integer))`,
);
const FAMILY_COLUMNS =
  'f.id as family_id, f.realm_id, f.client_row_id, f.account_id, f.session_id, f.sid, f.scopes as family_scopes, f.detail';
/** Whether a family `f` is live: with its session, if it ends with one, and its account, if it has one. */
const FAMILY_LIVES = `f.expires_at > causeway_now() and (f.session_id is null or exists (select from sessions s where s.id = f.session_id and ${SESSION_IS_LIVE_SQL}))
      and (f.account_id is null or exists (select from accounts a where a.id = f.account_id and a.disabled_at is null))`;
// All that wait in one turn of the event loop are asked about at once. A family is live as FAMILY_LIVES says.
const FIND_ACTIVE = readStatement(
  'oauth.find_active_tokens',
  `select asked.nr::int, ${FAMILY_COLUMNS}, t.scopes, t.dpop_jkt, t.issued_at, t.expires_at,
          ${ACCOUNT_COLUMNS.filter((name) => name !== 'realm_id')
            .map((name) => `a.${name}`)
            .join(', ')},
          extract(epoch from least(t.expires_at, f.expires_at, s.expires_at, s.idle_expires_at) - causeway_now())::float8 as true_for_seconds
     from unnest($1::bytea[]) with ordinality as asked(token_hash, nr)
     join access_tokens t on t.token_hash = asked.token_hash
     join token_families f on f.id = t.family_id
     left join accounts a on a.id = f.account_id
     left join sessions s on s.id = f.session_id
    where t.expires_at > causeway_now() and f.expires_at > causeway_now()
      and (f.session_id is null or (${SESSION_IS_LIVE_SQL})) and (f.account_id is null or (a.id is not null and a.disabled_at is null))`,
);
// RFC 9700 §4.14.2: a refresh token is used once, decided by one statement; what comes in its place is noted with it.
const ROTATE = writeStatement(
  'oauth.rotate_refresh_token',
  `update refresh_tokens set used_at = causeway_now(), successor_hash = $2, successor_jwe = $3
    where token_hash = $1 and used_at is null and expires_at > causeway_now() returning family_id`,
);
/** For how long a used refresh token gives its successor again. */
export const GRACE_SQL = "interval '10 seconds'";
const FIND_REFRESH = readStatement(
  'oauth.find_refresh_token',
  `select ${FAMILY_COLUMNS}, r.dpop_jkt, r.used_at is not null as is_used, r.expires_at <= causeway_now() as is_expired, r.successor_jwe,
          coalesce(r.used_at > causeway_now() - ${GRACE_SQL}, false) as is_within_grace,
          exists (select from refresh_tokens n where n.token_hash = r.successor_hash and n.used_at is not null) as is_successor_used
     from refresh_tokens r join token_families f on f.id = r.family_id
    where r.token_hash = $1 and ${FAMILY_LIVES}`,
);
const NOW = readStatement('oauth.now', 'select causeway_now() as now');
export type CodeDraft = {
  codeHash: TokenHash;
  sessionId: SessionId;
  clientRowId: ClientRowId;
  redirectUri: RedirectUri;
  detail: CodeDetail;
  ttlSeconds: number;
};

/** Stores codes for live sessions. False for each whose session somebody holds just then, or has ended. */
export const insertProviderCodes = (q: Queryable, drafts: readonly CodeDraft[]) => insertCodes(q, INSERT_CODES, drafts);

/** Stores a code for a live session, whoever has to be waited for. False when the session has ended in between. */
export async function insertProviderCode(q: Queryable, draft: CodeDraft): Promise<boolean> {
  const [isStored = false] = await insertCodes(q, INSERT_CODE, [draft]);
  return isStored;
}

async function insertCodes(q: Queryable, statement: Statement, drafts: readonly CodeDraft[]): Promise<boolean[]> {
  try {
    const rows = await q.run(statement, [
      drafts.map((draft) => draft.codeHash),
      drafts.map((draft) => draft.sessionId),
      drafts.map((draft) => draft.clientRowId),
      drafts.map((draft) => draft.redirectUri),
      drafts.map((draft) => JSON.stringify(draft.detail)),
      drafts.map((draft) => draft.ttlSeconds),
    ]);
    const stored = new Set(rows.map((row) => (row['code_hash'] as Buffer).toString('hex')));
    return drafts.map(({ codeHash }) => stored.has(codeHash.toString('hex')));
  } catch (error) {
    // A session or client went away between reading and referencing it.
    if (!isForeignKeyViolation(error)) throw error;
    if (drafts.length > 1) throw new FailureOfOne('a code refers to what is gone', { cause: error });
    return [false];
  }
}

export async function consumeProviderCode(q: Queryable, codeHash: TokenHash): Promise<ProviderCode | null> {
  const [row] = await q.run(CONSUME_CODE, [codeHash]);
  return row ? toProviderCode(row) : null;
}

export async function findProviderCode(q: Queryable, codeHash: TokenHash): Promise<ProviderCode | null> {
  const [row] = await q.run(FIND_CODE, [codeHash]);
  return row ? toProviderCode(row) : null;
}

export async function noteFamily(q: Queryable, codeHash: TokenHash, familyId: string): Promise<void> {
  await q.run(NOTE_FAMILY, [codeHash, familyId]);
}

export async function insertFamily(q: Queryable, family: Family, ttlSeconds: number): Promise<void> {
  await q.run(INSERT_FAMILY, [
    family.id,
    family.realmId,
    family.clientRowId,
    family.accountId,
    family.sessionId,
    family.sid,
    family.scopes,
    JSON.stringify(family.detail),
    ttlSeconds,
  ]);
}

/** Ends a family: every token of it is gone. False when it had ended before. */
export async function deleteFamily(q: Queryable, id: string): Promise<boolean> {
  return (await q.run(DELETE_FAMILY, [id])).length === 1;
}

export async function insertAccessToken(
  q: Queryable,
  token: { hash: TokenHash; familyId: string; scopes: readonly string[]; dpopJkt: string | null; ttlSeconds: number },
): Promise<void> {
  await q.run(INSERT_ACCESS, [token.hash, token.familyId, token.scopes, token.dpopJkt, token.ttlSeconds]);
}

export async function insertRefreshToken(
  q: Queryable,
  token: { hash: TokenHash; familyId: string; dpopJkt: string | null; ttlSeconds: number },
): Promise<void> {
  await q.run(INSERT_REFRESH, [token.hash, token.familyId, token.dpopJkt, token.ttlSeconds]);
}

/** Access tokens that are good for something, in the order asked; null for each that is not. */
export async function findActiveTokens(q: Queryable, hashes: readonly TokenHash[]): Promise<(ActiveToken | null)[]> {
  const found: (ActiveToken | null)[] = hashes.map(() => null);
  for (const row of await q.run(FIND_ACTIVE, [hashes]))
    found[Number(row['nr']) - 1] = {
      family: toFamily(row),
      scopes: row['scopes'] as string[],
      dpopJkt: row['dpop_jkt'] as string | null,
      issuedAt: row['issued_at'] as Date,
      expiresAt: row['expires_at'] as Date,
      account: row['account_id'] === null ? null : toAccount(row),
      trueForSeconds: Number(row['true_for_seconds']),
    };
  return found;
}

/** False when it had ended before. */
export async function deleteAccessToken(q: Queryable, hash: TokenHash): Promise<boolean> {
  return (await q.builder('access_tokens').where({ token_hash: hash }).delete()) === 1;
}

export async function rotateRefreshToken(
  q: Queryable,
  hash: TokenHash,
  successor: { hash: TokenHash; jwe: string },
): Promise<boolean> {
  return (await q.run(ROTATE, [hash, successor.hash, successor.jwe])).length === 1;
}

export async function findRefreshToken(q: Queryable, hash: TokenHash): Promise<RefreshToken | null> {
  const [row] = await q.run(FIND_REFRESH, [hash]);
  if (!row) return null;
  return {
    family: toFamily(row),
    dpopJkt: row['dpop_jkt'] as string | null,
    isUsed: row['is_used'] as boolean,
    isExpired: row['is_expired'] as boolean,
    isWithinGrace: row['is_within_grace'] as boolean,
    isSuccessorUsed: row['is_successor_used'] as boolean,
    successorJwe: row['successor_jwe'] as string | null,
  };
}

export async function readNow(q: Queryable): Promise<number> {
  const [row] = await q.run(NOW, []);
  if (!row) throw new Error('the database told no time');
  return (row['now'] as Date).getTime();
}

/** One batch each of what is over. True when more may be waiting. */
export async function deleteExpiredTokens(q: Queryable): Promise<boolean> {
  let isMore = false;
  for (const [table, key] of [
    ['access_tokens', 'token_hash'],
    ['refresh_tokens', 'token_hash'],
    ['token_families', 'id'],
    ['pushed_requests', 'handle_hash'],
    ['used_identifiers', 'id_hash'],
  ] as const) {
    const { rowCount } = await q.builder.raw(
      'delete from ?? where ?? in (select ?? from ?? where expires_at < causeway_now() limit 1000 for update skip locked)',
      [table, key, key, table],
    );
    isMore ||= rowCount === 1000;
  }
  return isMore;
}

function toProviderCode(row: Row): ProviderCode {
  return {
    kind: String(row['kind']),
    clientRowId: asClientRowId(String(row['client_row_id'])),
    redirectUri: String(row['redirect_uri']),
    sessionId: asSessionId(String(row['session_id'])),
    accountId: asAccountId(String(row['account_id'])),
    detail: row['detail'] as CodeDetail,
    isExpired: row['is_expired'] as boolean,
    familyId: row['family_id'] as string | null,
  };
}

function toFamily(row: Row): Family {
  const [account, session] = [row['account_id'], row['session_id']];
  return {
    id: String(row['family_id']),
    realmId: asRealmId(String(row['realm_id'])),
    clientRowId: asClientRowId(String(row['client_row_id'])),
    accountId: account === null ? null : asAccountId(String(account)),
    sessionId: session === null ? null : asSessionId(String(session)),
    sid: row['sid'] as string | null,
    scopes: row['family_scopes'] as string[],
    detail: row['detail'] as GrantDetail,
  };
}
