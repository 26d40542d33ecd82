// Table authorization_codes.

import { isForeignKeyViolation, isInTheWay, type Queryable, type Row } from '../db/database.ts';
import { readStatement, type Statement, writeStatement } from '../db/statement.ts';
import {
  asDomainSessionId,
  type CallbackUri,
  type ClientId,
  type ClientRowId,
  type DomainSessionId,
  type Host,
  type RealmId,
  type RedirectUri,
  type SessionId,
  type TokenHash,
} from '../lib/ids.ts';
import { FailureOfOne } from '../lib/one_turn.ts';
import { SESSION_IS_LIVE_SQL } from '../sessions/sessions.ts';
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

const insertSql = (locks: string) =>
  `with live as materialized (
     select a.*
       from unnest($1::bytea[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::boolean[], $9::boolean[], $10::integer[])
            as a(code_hash, kind, session_id, client_row_id, redirect_uri, callback_uri, flow_hash, is_restart, is_silent, seconds)
       join sessions s on s.id = a.session_id
      order by s.id for key share of s ${locks})
   insert into authorization_codes (code_hash, kind, session_id, client_row_id, redirect_uri, callback_uri, flow_hash, is_restart, is_silent, expires_at)
   select live.code_hash, live.kind, live.session_id, live.client_row_id, live.redirect_uri, live.callback_uri, live.flow_hash,
          live.is_restart, live.is_silent, causeway_now() + make_interval(secs => live.seconds)
     from live
   returning code_hash`;
// Codes that are asked for in one turn of the event loop share a statement and a commit. Its sessions are locked here, since the
// reference to one that somebody else holds would wait, and all the others with it.
const INSERT = writeStatement('oauth.insert_codes', insertSql('skip locked'));
const INSERT_ALONE = writeStatement('oauth.insert_code', insertSql(''));
/**
 * Codes that arrive as they should become domain sessions in one statement: consumed, made, noted and put on record for all
 * that came in one turn of the event loop. What it demands is what decideRedeem() calls 'create'; every other code is left as
 * it is, for the general way. The sessions are locked before the codes and by id, as a sign-out does. What somebody else holds
 * is not waited for, because all the others would wait with it: it is left for the general way, too.
 */
const REDEEM_FRESH = writeStatement(
  'oauth.redeem_fresh',
  `with asked as materialized (
     select * from unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::bytea[], $9::bytea[], $10::bigint[], $11::text[], $12::inet[])
       with ordinality as a(code_hash, kind, client_row_id, redirect_uri, flow_hashes, id, host, token_hash, companion_hash, realm_id, client_id, address, nr)),
   live as materialized (
     select a.*, k.session_id, k.callback_uri, extract(epoch from s.expires_at - causeway_now())::integer as remaining_seconds
       from asked a
       join authorization_codes k on k.code_hash = a.code_hash and k.kind = a.kind and k.client_row_id = a.client_row_id and k.redirect_uri = a.redirect_uri
       join sessions s on s.id = k.session_id
      where k.consumed_at is null and k.expires_at > causeway_now()
        and encode(k.flow_hash, 'hex') = any(string_to_array(a.flow_hashes, ','))
        and ${SESSION_IS_LIVE_SQL}
      order by s.id, k.code_hash for key share of s skip locked for no key update of k skip locked),
   used as (
     update authorization_codes c set consumed_at = causeway_now(), domain_session_id = live.id from live
      where c.code_hash = live.code_hash and c.consumed_at is null
     returning c.domain_session_id as id),
   made as (
     insert into domain_sessions (id, session_id, host, token_hash, companion_hash)
     select live.id, live.session_id, live.host, live.token_hash, live.companion_hash from live join used on used.id = live.id),
   noted as (
     insert into audit_events (type, realm_id, session_id, client_id, address, detail)
     select 'domain-session.created', live.realm_id, live.session_id, live.client_id, live.address, jsonb_build_object('host', live.host)
       from live join used on used.id = live.id)
   select live.nr::integer, live.callback_uri, live.remaining_seconds from live join used on used.id = live.id`,
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

export type CodeDraft = Omit<SessionDraft, 'kind' | 'state'> & {
  kind: Exclude<CodeKind, 'oidc'>;
  codeHash: TokenHash;
  sessionId: SessionId;
  ttlSeconds: number;
};

/** Stores codes for live sessions. False for each whose session somebody holds just then, or has ended. */
export const insertCodes = (q: Queryable, drafts: readonly CodeDraft[]) => insert(q, INSERT, drafts);

/** Stores a code for a live session, whoever has to be waited for. False when the session has ended in between. */
export async function insertCode(q: Queryable, draft: CodeDraft): Promise<boolean> {
  const [isStored = false] = await insert(q, INSERT_ALONE, [draft]);
  return isStored;
}

async function insert(q: Queryable, statement: Statement, drafts: readonly CodeDraft[]): Promise<boolean[]> {
  try {
    const rows = await q.run(statement, [
      drafts.map((draft) => draft.codeHash),
      drafts.map((draft) => draft.kind),
      drafts.map((draft) => draft.sessionId),
      drafts.map((draft) => draft.client.id),
      drafts.map((draft) => draft.redirectUri),
      drafts.map((draft) => draft.callbackUri),
      drafts.map((draft) => draft.flowHash),
      drafts.map((draft) => draft.isRestart),
      drafts.map((draft) => draft.isSilent),
      drafts.map((draft) => draft.ttlSeconds),
    ]);
    const stored = new Set(rows.map((row) => (row['code_hash'] as Buffer).toString('hex')));
    return drafts.map(({ codeHash }) => stored.has(codeHash.toString('hex')));
  } catch (error) {
    // A client was removed, or a session was, between reading and referencing it.
    if (!isForeignKeyViolation(error)) throw error;
    if (drafts.length > 1) throw new FailureOfOne('a code refers to what is gone', { cause: error });
    return [false];
  }
}

export type FreshRedemption = {
  codeHash: TokenHash;
  kind: CodeKind;
  client: { id: ClientRowId; realmId: RealmId; clientId: ClientId };
  redirectUri: string;
  flowHashes: readonly Buffer[];
  domainSession: { id: DomainSessionId; host: Host; tokenHash: TokenHash; companionHash: TokenHash };
  address: string | null;
};

/** Turns fresh codes into domain sessions; null for each that is not fresh, or not for this site and browser, and is untouched. */
export async function redeemFresh(
  q: Queryable,
  asked: readonly FreshRedemption[],
): Promise<({ callbackUri: CallbackUri; remainingSeconds: number } | null)[]> {
  const values = [
    asked.map((one) => one.codeHash),
    asked.map((one) => one.kind),
    asked.map((one) => one.client.id),
    asked.map((one) => one.redirectUri),
    asked.map((one) => one.flowHashes.map((hash) => hash.toString('hex')).join(',')),
    asked.map((one) => one.domainSession.id),
    asked.map((one) => one.domainSession.host),
    asked.map((one) => one.domainSession.tokenHash),
    asked.map((one) => one.domainSession.companionHash),
    asked.map((one) => one.client.realmId),
    asked.map((one) => one.client.clientId),
    asked.map((one) => one.address),
  ];
  let rows: Row[] = [];
  try {
    rows = await q.run(REDEEM_FRESH, values);
  } catch (error) {
    // A client went away.
    if (isForeignKeyViolation(error) && asked.length > 1)
      throw new FailureOfOne('a code refers to what is gone', { cause: error });
    // One of those who came together may have met somebody else's lock: nothing was done for any.
    if (!isInTheWay(error) && !isForeignKeyViolation(error)) throw error;
  }
  const made: ({ callbackUri: CallbackUri; remainingSeconds: number } | null)[] = asked.map(() => null);
  for (const row of rows)
    made[Number(row['nr']) - 1] = {
      callbackUri: row['callback_uri'] as CallbackUri,
      remainingSeconds: Number(row['remaining_seconds']),
    };
  return made;
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
