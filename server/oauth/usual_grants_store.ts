// Grants of the usual case, each kind one statement for all that come together: tables authorization_codes, token_families,
// access_tokens, refresh_tokens, session_clients. What a row must be like is what grants.ts demands one after the other.

import { ACCOUNT_COLUMNS, type Account, toAccount } from '../accounts/accounts.ts';
import { isForeignKeyViolation, isInTheWay, type Queryable, type Row } from '../db/database.ts';
import { type Statement, writeStatement } from '../db/statement.ts';
import type { ClientRowId, RealmId, TokenHash } from '../lib/ids.ts';
import { FailureOfOne } from '../lib/one_turn.ts';
import { SESSION_IS_LIVE_SQL } from '../sessions/sessions.ts';
import { type CodeDetail, GRACE_SQL, type GrantDetail } from './token_store.ts';
import { ACCESS_TOKEN_SECONDS, FAMILY_SECONDS } from './tokens.ts';

export type AskedByCode = {
  codeHash: TokenHash;
  realmId: RealmId;
  clientRowId: ClientRowId;
  redirectUri: string;
  /** Of the verifier; null without one. */
  challenge: string | null;
  dpopJkt: string | null;
  familyId: string;
  accessHash: TokenHash;
  /** Null for a client that may not refresh. */
  refreshHash: TokenHash | null;
  refreshJkt: string | null;
};
export type AskedByRefreshToken = {
  tokenHash: TokenHash;
  clientRowId: ClientRowId;
  dpopJkt: string | null;
  /** Each once, joined by blanks; null for all that were granted. */
  scope: string | null;
  successorHash: TokenHash;
  successorJwe: string;
  accessHash: TokenHash;
};
/** What the tokens say that were made. */
export type Granted = {
  sub: string;
  /** Of an account whose claims were asked for one by one in the ID token; null for all others. */
  profile: Account | null;
  sid: string | null;
  scopes: readonly string[];
  detail: GrantDetail;
};

// Numbers as texts: JSON's are no longer exact where ours may be.
const PROFILE = ACCOUNT_COLUMNS.map(
  (name) => `'${name}', ${['id', 'realm_id'].includes(name) ? `p.${name}::text` : `p.${name}`}`,
).join(', ');
/** Of an account; a profile is few people's, and taking a row apart costs by the column. `detail`: of the code or family */
const accountIn = (detail: string) =>
  `p.id as account_id, p.sub, case when ${detail} -> 'idTokenClaims' <> '[]' then json_build_object(${PROFILE}) end as profile`;
/** What an answer is made of, in few columns. */
const GIVEN = "live.nr::integer, live.detail, array_to_string(live.scopes, ' ') as scopes, live.sub, live.profile";
const inSeconds = (seconds: string) => `causeway_now() + make_interval(secs => ${seconds}::integer)`;
const SECONDS = [ACCESS_TOKEN_SECONDS, FAMILY_SECONDS.online, FAMILY_SECONDS.offline] as const;

// RFC 6749 §4.1.2, §4.1.3: one use, by the client and for the redirect URI that the code was issued to. RFC 7636 §4.6: with the
// verifier of its challenge, or without either. RFC 9449 §10.1: with the key that it was asked for with.
// Sessions are locked first and by id, as a sign-out does. What somebody else holds is not waited for, since all the others would
// wait with it: it is left out, for grants.ts. Accounts are locked because new families refer to them.
const GRANT_BY_CODE = writeStatement(
  'oauth.grant_by_code',
  `with asked as materialized (
     select * from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::bytea[], $9::bytea[], $10::text[])
       with ordinality as a(code_hash, of_realm, client_row_id, redirect_uri, challenge, jkt, family_id, access_hash, refresh_hash, refresh_jkt, nr)),
   live as materialized (
     select a.*, s.id as session_id, k.detail, g.scopes, case when 'offline_access' = any(g.scopes) then $13::integer else $12::integer end as lasts, ${accountIn('k.detail')}
       from asked a
       join authorization_codes k on k.code_hash = a.code_hash and k.client_row_id = a.client_row_id and k.redirect_uri = a.redirect_uri
       join sessions s on s.id = k.session_id
       join accounts p on p.id = s.account_id
       cross join lateral (select array(select jsonb_array_elements_text(k.detail -> 'scopes')) as scopes) g
      where k.kind = 'oidc' and k.consumed_at is null and k.expires_at > causeway_now()
        and k.detail ->> 'codeChallenge' is not distinct from a.challenge
        and (k.detail ->> 'dpopJkt' is null or k.detail ->> 'dpopJkt' = a.jkt)
        and ${SESSION_IS_LIVE_SQL} and p.disabled_at is null
      order by s.id, k.code_hash for key share of s, p skip locked for no key update of k skip locked),
   used as (
     update authorization_codes c set consumed_at = causeway_now(), family_id = live.family_id from live
      where c.code_hash = live.code_hash and c.consumed_at is null
     returning c.family_id as id),
   begun as (
     insert into token_families (id, realm_id, client_row_id, account_id, session_id, sid, scopes, detail, expires_at)
     select live.family_id, live.of_realm, live.client_row_id, live.account_id, case when 'offline_access' = any(live.scopes) then null else live.session_id end,
            live.session_id, live.scopes, live.detail - '{scopes,nonce,codeChallenge,dpopJkt}'::text[], ${inSeconds('live.lasts')}
       from live join used on used.id = live.family_id),
   noted as (
     insert into session_clients (session_id, client_row_id, realm_id, account_sub)
     select live.session_id, live.client_row_id, live.of_realm, live.sub from live join used on used.id = live.family_id
      order by live.session_id, live.client_row_id on conflict do nothing),
   accessed as (
     insert into access_tokens (token_hash, family_id, scopes, dpop_jkt, expires_at)
     select asked.access_hash, asked.family_id, live.scopes, asked.jkt, ${inSeconds('$11')}
       from asked join live using (nr) join used on used.id = asked.family_id),
   refreshed as (
     insert into refresh_tokens (token_hash, family_id, dpop_jkt, expires_at)
     select asked.refresh_hash, asked.family_id, asked.refresh_jkt, ${inSeconds('live.lasts')}
       from asked join live using (nr) join used on used.id = asked.family_id where asked.refresh_hash is not null)
   select ${GIVEN}, live.session_id from live join used on used.id = live.family_id`,
);
/**
 * Refresh tokens of those that may use them, as `live`. RFC 6749 §6: by their client, for no more than was granted; RFC 9449 §5:
 * with their key. Families are locked first and by id: what ends one locks it before its tokens. What somebody else holds is left
 * out, as above. The family of each token is looked up before: without statistics PostgreSQL went through all families of a client for every token.
 */
const liveRefreshTokens = ({ when, locks }: { when: string; locks: string }) => `asked as materialized (
     select a.*, t.family_id
       from unnest($1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bytea[])
            with ordinality as a(token_hash, client_row_id, jkt, scope, successor_hash, successor_jwe, access_hash, nr)
       join refresh_tokens t on t.token_hash = a.token_hash),
   live as materialized (
     select a.*, f.sid, f.detail, r.dpop_jkt, r.successor_jwe as given_jwe, coalesce(string_to_array(a.scope, ' '), f.scopes) as scopes,
            case when f.session_id is null then $10::integer else $9::integer end as lasts, ${accountIn('f.detail')}
       from asked a
       join refresh_tokens r on r.token_hash = a.token_hash
       join token_families f on f.id = a.family_id and f.client_row_id = a.client_row_id
       join accounts p on p.id = f.account_id
       left join sessions s on s.id = f.session_id
      where ${when} and r.expires_at > causeway_now() and (r.dpop_jkt is null or r.dpop_jkt = a.jkt)
        and (a.scope is null or string_to_array(a.scope, ' ') <@ f.scopes)
        and f.expires_at > causeway_now() and (f.session_id is null or (${SESSION_IS_LIVE_SQL})) and p.disabled_at is null
      order by f.id, r.token_hash for key share of f skip locked ${locks})`;
// RFC 9700 §4.14.2: a refresh token is used once, and what comes in its place is noted with it.
const GRANT_BY_REFRESH_TOKEN = writeStatement(
  'oauth.grant_by_refresh_token',
  `with ${liveRefreshTokens({ when: 'r.used_at is null', locks: 'for no key update of r skip locked' })},
   used as (
     update refresh_tokens t set used_at = causeway_now(), successor_hash = live.successor_hash, successor_jwe = live.successor_jwe from live
      where t.token_hash = live.token_hash and t.used_at is null
     returning t.successor_hash as token_hash),
   accessed as (
     insert into access_tokens (token_hash, family_id, scopes, dpop_jkt, expires_at)
     select live.access_hash, live.family_id, live.scopes, live.jkt, ${inSeconds('$8')}
       from live join used on used.token_hash = live.successor_hash),
   refreshed as (
     insert into refresh_tokens (token_hash, family_id, dpop_jkt, expires_at)
     select live.successor_hash, live.family_id, live.dpop_jkt, ${inSeconds('live.lasts')}
       from live join used on used.token_hash = live.successor_hash)
   select ${GIVEN}, live.sid from live join used on used.token_hash = live.successor_hash`,
);
// Parallel tabs, a lost answer: within the grace the same successor again, unless that was used.
const GRANT_AGAIN = writeStatement(
  'oauth.grant_again_by_refresh_token',
  `with ${liveRefreshTokens({
    when: `r.used_at > causeway_now() - ${GRACE_SQL} and not exists (select from refresh_tokens n where n.token_hash = r.successor_hash and n.used_at is not null)`,
    locks: '',
  })},
   accessed as (
     insert into access_tokens (token_hash, family_id, scopes, dpop_jkt, expires_at)
     select live.access_hash, live.family_id, live.scopes, live.jkt, ${inSeconds('$8')} from live)
   select ${GIVEN}, live.sid, live.given_jwe from live`,
);

/** Exchanges codes; null for each that is not to be exchanged in this way, and is untouched. */
export async function grantByCode(
  q: Queryable,
  asked: readonly AskedByCode[],
): Promise<((Granted & { nonce: string | null }) | null)[]> {
  const made = await runForAll(q, GRANT_BY_CODE, asked.length, [
    asked.map((one) => one.codeHash),
    asked.map((one) => one.realmId),
    asked.map((one) => one.clientRowId),
    asked.map((one) => one.redirectUri),
    asked.map((one) => one.challenge),
    asked.map((one) => one.dpopJkt),
    asked.map((one) => one.familyId),
    asked.map((one) => one.accessHash),
    asked.map((one) => one.refreshHash),
    asked.map((one) => one.refreshJkt),
    ...SECONDS,
  ]);
  return made.map(
    (row) => row && { ...toGranted(row), sid: String(row['session_id']), nonce: (row['detail'] as CodeDetail).nonce },
  );
}

/** Uses refresh tokens; null for each that is not to be used in this way, and is untouched. */
export async function grantByRefreshToken(
  q: Queryable,
  asked: readonly AskedByRefreshToken[],
): Promise<(Granted | null)[]> {
  const made = await runForAll(q, GRANT_BY_REFRESH_TOKEN, asked.length, refreshValues(asked));
  return made.map((row) => row && { ...toGranted(row), sid: row['sid'] as string | null });
}

/** More access tokens for refresh tokens that were used just now, and the form in which the successor is kept; null for any other. */
export async function grantAgain(
  q: Queryable,
  asked: readonly AskedByRefreshToken[],
): Promise<((Granted & { successorJwe: string }) | null)[]> {
  const made = await runForAll(q, GRANT_AGAIN, asked.length, refreshValues(asked));
  return made.map(
    (row) => row && { ...toGranted(row), sid: row['sid'] as string | null, successorJwe: row['given_jwe'] as string },
  );
}

const refreshValues = (asked: readonly AskedByRefreshToken[]) => [
  asked.map((one) => one.tokenHash),
  asked.map((one) => one.clientRowId),
  asked.map((one) => one.dpopJkt),
  asked.map((one) => one.scope),
  asked.map((one) => one.successorHash),
  asked.map((one) => one.successorJwe),
  asked.map((one) => one.accessHash),
  ...SECONDS,
];

/** The row of each that was served, in the order asked. */
async function runForAll(
  q: Queryable,
  statement: Statement,
  count: number,
  values: readonly unknown[],
): Promise<(Row | null)[]> {
  const served: (Row | null)[] = Array.from({ length: count }, () => null);
  let rows: Row[] = [];
  try {
    rows = await q.run(statement, values);
  } catch (error) {
    // A client, session or family went away.
    if (isForeignKeyViolation(error) && count > 1)
      throw new FailureOfOne('a grant refers to what is gone', { cause: error });
    // One of those who came together met somebody else's lock: nothing was done for any.
    if (!isInTheWay(error) && !isForeignKeyViolation(error)) throw error;
  }
  for (const row of rows) served[Number(row['nr']) - 1] = row;
  return served;
}

const toGranted = (row: Row) => ({
  sub: String(row['sub']),
  profile: row['profile'] === null ? null : toProfile(row['profile'] as Row),
  scopes: String(row['scopes']).split(' ').filter(Boolean),
  detail: row['detail'] as GrantDetail,
});

/** An account that came as JSON, which has no times. */
const toProfile = (row: Row): Account =>
  toAccount({
    ...row,
    created_at: new Date(String(row['created_at'])),
    updated_at: new Date(String(row['updated_at'])),
  });
