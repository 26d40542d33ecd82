// Tables token_families, access_tokens, refresh_tokens, consents, pushed_requests, used_identifiers, and the provider's side of
// authorization_codes.

import { type Queryable, type Row, sqlState } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
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
export type RefreshToken = {
  family: Family;
  dpopJkt: string | null;
  isUsed: boolean;
  isWithinGrace: boolean;
  isSuccessorUsed: boolean;
  successorJwe: string | null;
  isExpired: boolean;
};

const INSERT_CODE = writeStatement(
  'oauth.insert_provider_code',
  `insert into authorization_codes (code_hash, kind, session_id, client_row_id, redirect_uri, is_restart, is_silent, detail, expires_at)
   select $1, 'oidc', s.id, $3, $4, false, false, $5, causeway_now() + make_interval(secs => $6::integer)
     from sessions s where s.id = $2 and ${SESSION_IS_LIVE_SQL} returning code_hash`,
);
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
const FAMILY_LIVES = `f.expires_at > causeway_now() and (f.session_id is null or exists (select from sessions s where s.id = f.session_id and ${SESSION_IS_LIVE_SQL}))
      and (f.account_id is null or exists (select from accounts a where a.id = f.account_id and a.disabled_at is null))`;
const FIND_ACCESS = readStatement(
  'oauth.find_access_token',
  `select ${FAMILY_COLUMNS}, t.scopes, t.dpop_jkt, t.issued_at, t.expires_at
     from access_tokens t join token_families f on f.id = t.family_id
    where t.token_hash = $1 and t.expires_at > causeway_now() and ${FAMILY_LIVES}`,
);
// RFC 9700 §4.14.2: a refresh token is used once, decided by one statement; what comes in its place is noted with it.
const ROTATE = writeStatement(
  'oauth.rotate_refresh_token',
  `update refresh_tokens set used_at = causeway_now(), successor_hash = $2, successor_jwe = $3
    where token_hash = $1 and used_at is null and expires_at > causeway_now() returning family_id`,
);
const FIND_REFRESH = readStatement(
  'oauth.find_refresh_token',
  `select ${FAMILY_COLUMNS}, r.dpop_jkt, r.used_at is not null as is_used, r.expires_at <= causeway_now() as is_expired, r.successor_jwe,
          coalesce(r.used_at > causeway_now() - interval '10 seconds', false) as is_within_grace,
          exists (select from refresh_tokens n where n.token_hash = r.successor_hash and n.used_at is not null) as is_successor_used
     from refresh_tokens r join token_families f on f.id = r.family_id
    where r.token_hash = $1 and ${FAMILY_LIVES}`,
);
const USE_IDENTIFIER = writeStatement(
  'oauth.use_identifier',
  `insert into used_identifiers (id_hash, expires_at) values ($1, causeway_now() + make_interval(secs => $2::integer)) on conflict do nothing returning id_hash`,
);
const NOW = readStatement('oauth.now', 'select causeway_now() as now');
const INSERT_PUSHED = writeStatement(
  'oauth.insert_pushed',
  `insert into pushed_requests (handle_hash, client_row_id, parameters, expires_at) values ($1, $2, $3, causeway_now() + make_interval(secs => $4::integer))`,
);
const CONSUME_PUSHED = writeStatement(
  'oauth.consume_pushed',
  `update pushed_requests set consumed_at = causeway_now() where handle_hash = $1 and client_row_id = $2 and consumed_at is null and expires_at > causeway_now() returning parameters`,
);

export async function insertProviderCode(
  q: Queryable,
  draft: {
    codeHash: TokenHash;
    sessionId: SessionId;
    clientRowId: ClientRowId;
    redirectUri: RedirectUri;
    detail: CodeDetail;
    ttlSeconds: number;
  },
): Promise<boolean> {
  try {
    return (
      (
        await q.run(INSERT_CODE, [
          draft.codeHash,
          draft.sessionId,
          draft.clientRowId,
          draft.redirectUri,
          JSON.stringify(draft.detail),
          draft.ttlSeconds,
        ])
      ).length === 1
    );
  } catch (error) {
    if (sqlState(error) === '23503') return false;
    throw error;
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

export async function findAccessToken(q: Queryable, hash: TokenHash): Promise<AccessToken | null> {
  const [row] = await q.run(FIND_ACCESS, [hash]);
  if (!row) return null;
  return {
    family: toFamily(row),
    scopes: row['scopes'] as string[],
    dpopJkt: row['dpop_jkt'] as string | null,
    issuedAt: row['issued_at'] as Date,
    expiresAt: row['expires_at'] as Date,
  };
}

export async function deleteAccessToken(q: Queryable, hash: TokenHash): Promise<void> {
  await q.builder('access_tokens').where({ token_hash: hash }).delete();
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

/** Takes an identifier that may be used once (`jti`); false when it was taken before. */
export async function useIdentifier(q: Queryable, hash: TokenHash, ttlSeconds: number): Promise<boolean> {
  return (await q.run(USE_IDENTIFIER, [hash, ttlSeconds])).length === 1;
}

export async function readNow(q: Queryable): Promise<number> {
  const [row] = await q.run(NOW, []);
  if (!row) throw new Error('the database told no time');
  return (row['now'] as Date).getTime();
}

export async function insertPushedRequest(
  q: Queryable,
  pushed: { hash: TokenHash; clientRowId: ClientRowId; parameters: Record<string, string>; ttlSeconds: number },
): Promise<void> {
  await q.run(INSERT_PUSHED, [pushed.hash, pushed.clientRowId, JSON.stringify(pushed.parameters), pushed.ttlSeconds]);
}

export async function consumePushedRequest(
  q: Queryable,
  hash: TokenHash,
  clientRowId: ClientRowId,
): Promise<Record<string, string> | null> {
  const [row] = await q.run(CONSUME_PUSHED, [hash, clientRowId]);
  return row ? (row['parameters'] as Record<string, string>) : null;
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
