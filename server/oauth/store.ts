// Table authorization_codes.

import { type Queryable, type Row, sqlState } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import {
  asDomainSessionId,
  type CallbackUri,
  type DomainSessionId,
  type RedirectUri,
  type SessionId,
  type TokenHash,
} from '../lib/ids.ts';
import type { SessionDraft } from './authorization.ts';

/** What a code is good for: the landing page of a site, the standard provider, or `sessions/access-token/validate`. */
export type CodeKind = 'session' | 'oidc' | 'session-token';

export type StoredCode = {
  kind: CodeKind;
  clientRowId: string;
  redirectUri: RedirectUri;
  callbackUri: CallbackUri;
  sessionId: SessionId;
  flowHash: Buffer | null;
  isRestart: boolean;
  isSilent: boolean;
  isExpired: boolean;
  /** First used at most a minute ago. */
  isJustUsed: boolean;
  domainSessionId: DomainSessionId | null;
};

const COLUMNS = `c.kind, c.client_row_id, c.redirect_uri, c.callback_uri, c.session_id, c.flow_hash, c.is_restart, c.is_silent,
  c.expires_at <= causeway_now() as is_expired, c.domain_session_id,
  coalesce(c.consumed_at > causeway_now() - interval '60 seconds', false) as is_just_used`;

const INSERT = writeStatement(
  'oauth.insert_code',
  `insert into authorization_codes (code_hash, kind, session_id, client_row_id, redirect_uri, callback_uri, flow_hash, is_restart, is_silent, expires_at)
   select $1, $10, s.id, $3, $4, $5, $6, $7, $8, causeway_now() + make_interval(secs => $9::integer) from sessions s where s.id = $2
   returning code_hash`,
);
// RFC 6749 §4.1.2: one use, decided by one statement. The session is locked before the code, in the order in which a
// sign-out locks them, so that the two never wait for each other.
const CONSUME = writeStatement(
  'oauth.consume_code',
  `with locked as materialized (
     select k.code_hash from authorization_codes k join sessions s on s.id = k.session_id where k.code_hash = $1 for key share of s)
   update authorization_codes c set consumed_at = causeway_now() from locked
    where c.code_hash = locked.code_hash and c.consumed_at is null
   returning ${COLUMNS}`,
);
const FIND = readStatement('oauth.find_code', `select ${COLUMNS} from authorization_codes c where c.code_hash = $1`);
const LOCK = writeStatement(
  'oauth.lock_code',
  'select from authorization_codes where code_hash = $1 for no key update',
);
const NOTE_SESSION = writeStatement(
  'oauth.note_session',
  'update authorization_codes set domain_session_id = $2 where code_hash = $1',
);

/** Stores a code for a live session. False when the session has ended in between. */
export async function insertCode(
  q: Queryable,
  draft: Omit<SessionDraft, 'kind' | 'state'> & {
    kind: Exclude<CodeKind, 'oidc'>;
    codeHash: TokenHash;
    sessionId: SessionId;
    ttlSeconds: number;
  },
): Promise<boolean> {
  try {
    const rows = await q.run(INSERT, [
      draft.codeHash,
      draft.sessionId,
      draft.client.id,
      draft.redirectUri,
      draft.callbackUri,
      draft.flowHash,
      draft.isRestart,
      draft.isSilent,
      draft.ttlSeconds,
      draft.kind,
    ]);
    return rows.length === 1;
  } catch (error) {
    // 23503: the session was deleted between reading and referencing it.
    if (sqlState(error) === '23503') return false;
    throw error;
  }
}

/** Uses a code up and returns it; null when it is unknown or was used before. */
export async function consumeCode(q: Queryable, codeHash: TokenHash): Promise<StoredCode | null> {
  const [row] = await q.run(CONSUME, [codeHash]);
  return row ? toCode(row) : null;
}

export async function findCode(q: Queryable, codeHash: TokenHash): Promise<StoredCode | null> {
  const [row] = await q.run(FIND, [codeHash]);
  return row ? toCode(row) : null;
}

/**
 * Locks a code until the end of the transaction, before the domain session that it made is ended: that writes to the code,
 * and taken the other way round two replays at once would wait for each other.
 */
export async function lockCode(q: Queryable, codeHash: TokenHash): Promise<void> {
  await q.run(LOCK, [codeHash]);
}

/** Notes which domain session a code has made, so that a replay can be answered. */
export async function noteDomainSession(q: Queryable, codeHash: TokenHash, id: DomainSessionId): Promise<void> {
  await q.run(NOTE_SESSION, [codeHash, id]);
}

/** One batch of codes that were over an hour ago; until then a replay is still recognised. */
export async function deleteOldCodes(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from authorization_codes where code_hash in (
       select code_hash from authorization_codes where expires_at < causeway_now() - interval '1 hour' limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}

function toCode(row: Row): StoredCode {
  const domainSessionId = row['domain_session_id'] as string | null;
  return {
    kind: row['kind'] as StoredCode['kind'],
    clientRowId: String(row['client_row_id']),
    redirectUri: row['redirect_uri'] as RedirectUri,
    callbackUri: row['callback_uri'] as CallbackUri,
    sessionId: row['session_id'] as SessionId,
    flowHash: row['flow_hash'] as Buffer | null,
    isRestart: row['is_restart'] as boolean,
    isSilent: row['is_silent'] as boolean,
    isExpired: row['is_expired'] as boolean,
    isJustUsed: row['is_just_used'] as boolean,
    domainSessionId: domainSessionId === null ? null : asDomainSessionId(domainSessionId),
  };
}
