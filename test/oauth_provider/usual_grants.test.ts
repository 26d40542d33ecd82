// A grant is served in one of two ways: the usual case by one statement for all that come together, anything else step by step.
// Both must answer alike, leave the same behind, and refuse the same. One after the other: what is sent is listened to.

import { createHash } from 'node:crypto';
import test from 'ava';
import type { Database } from '../../server/db/database.ts';
import { AppError } from '../../server/http/errors.ts';
import { hashToken } from '../../server/lib/token.ts';
import { createGrants, createTokens } from '../../server/oauth/oauth.ts';
import type { CodeGiven, RefreshGiven, TokenAnswer } from '../../server/oauth/token_answer.ts';
import { grantByRefreshToken } from '../../server/oauth/usual_grants_store.ts';
import { REALM } from '../support/conformance.ts';
import { peek } from '../support/jws_verifier.ts';
import {
  createRelyingParty,
  makePkce,
  putClients,
  REDIRECT,
  random,
  signedInReader,
} from '../support/relying_party.ts';
import { listenToStatements } from '../support/sent.ts';
import { startTestServer } from '../support/server.ts';

const sentBy = listenToStatements();

const server = await startTestServer({ yaml: REALM });
const { db, audit, accounts, keys, clients, backChannelLogout } = server.services;
const plain = { require_pkce: false, consent: 'implied', scopes: ['openid', 'profile', 'email', 'offline_access'] };
const BARE = ['authorization_code'];
await putClients(server, [
  { id: 'rp', ...plain },
  { id: 'other', ...plain },
  { id: 'page', ...plain, token_endpoint_auth_method: 'none' },
  { id: 'bare', ...plain, grant_types: BARE, scopes: ['email'] },
]);
const realm = await server.realm();
test.after.always(() => server.close());

/** The database as one to which no case is usual. */
const careful: Database = {
  ...db,
  run: async (statement, values) => (statement.name.startsWith('oauth.grant_') ? [] : db.run(statement, values)),
};
const usually = grantsOver(db);
const carefully = grantsOver(careful);
function grantsOver(over: Database) {
  return createGrants({
    db: over,
    audit,
    accounts,
    tokens: createTokens({ keys }),
    noteClient: backChannelLogout.noteClient,
  });
}

const JKT = createHash('sha256').update('a key').digest('base64url');
const { verifier, request: pkce } = makePkce('v'.repeat(43));
type Way = typeof usually;
type Case = {
  client?: string;
  asked?: Record<string, string>;
  jkt?: string;
  code?: Partial<CodeGiven>;
  refresh?: Partial<RefreshGiven> & { client?: string; jkt?: string };
  /** What is done with the refresh token once it was used. */
  next?: 'again' | 'again after its successor' | 'again late';
  before?: (on: { code: string; accountId: string; sessionId: string }) => Promise<unknown>;
};

async function askingOf(id: string, dpopJkt: string | null = null) {
  const client = await clients.find(realm.id, id);
  if (!client) throw new Error(id);
  return { realm, client, dpopJkt, address: '192.0.2.1' };
}

/** What a grant came to: the answer, or the reason that is written into our log. */
async function outcomeOf(work: Promise<TokenAnswer>) {
  try {
    const { access_token: access, refresh_token: refresh, id_token: id, ...rest } = await work;
    const {
      iat,
      exp,
      at_hash: atHash,
      sub,
      sid,
      auth_time: at,
      email,
      ...claims
    }: Record<string, unknown> = id ? (peek(id) as Record<string, unknown>) : {};
    const isOfAccess =
      !id || atHash === createHash('sha256').update(access).digest().subarray(0, 16).toString('base64url');
    const has = {
      sub: !!sub,
      sid: !!sid,
      at: !!at,
      email: !!email,
      refresh: refresh !== undefined,
      lasts: Number(exp) - Number(iat),
    };
    return { shown: { ...rest, claims, isOfAccess, has }, tokens: { access, refresh } };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { shown: { code: error.refusal.code, ...error.refusal.detail }, tokens: null };
  }
}

/** What is stored of a family and its tokens, without what differs from one to the next. */
async function storedOf(sessionId: string) {
  const { rows } = await db.builder.raw(
    `select f.client_row_id, f.scopes, f.detail - 'authTime' as detail, f.session_id = f.sid as is_online, f.account_id = s.account_id as is_theirs, f.realm_id = s.realm_id as is_here,
            round(extract(epoch from f.expires_at - f.created_at)) as lasts,
            (select json_agg(json_build_array(t.scopes, t.dpop_jkt, round(extract(epoch from t.expires_at - t.issued_at))) order by t.issued_at) from access_tokens t where t.family_id = f.id) as access,
            (select json_agg(json_build_array(r.dpop_jkt, r.used_at is not null, r.successor_hash is not null, round(extract(epoch from r.expires_at - r.issued_at))) order by r.issued_at) from refresh_tokens r where r.family_id = f.id) as refresh,
            (select json_agg(json_build_array(c.consumed_at is not null)) from authorization_codes c where c.family_id = f.id) as codes,
            (select json_agg(json_build_array(n.client_row_id, n.account_sub = p.sub)) from session_clients n join accounts p on p.id = s.account_id where n.session_id = s.id) as clients
       from sessions s left join token_families f on f.sid = s.id where s.id = ?`,
    [sessionId],
  );
  return rows;
}

const cases: Record<string, Case> = {
  'an ID token with a nonce': { asked: { scope: 'openid email', nonce: 'n-0S6_WzA2Mj' } },
  'claims asked for one by one': {
    asked: { scope: 'openid', claims: '{"id_token":{"email":null},"userinfo":{"name":null}}' },
  },
  'a challenge and its verifier': { asked: { scope: 'openid', ...pkce }, code: { verifier } },
  'offline access': { asked: { scope: 'openid offline_access' } },
  'no ID token, no refresh token': { client: 'bare', asked: { scope: 'email' } },
  'a page with a key': { client: 'page', asked: { scope: 'openid', ...pkce }, code: { verifier }, jkt: JKT },
  'a page that comes with another key': {
    client: 'page',
    asked: { scope: 'openid', ...pkce },
    code: { verifier },
    jkt: JKT,
    refresh: { jkt: `${JKT.slice(0, 42)}_` },
  },
  'a code for a key': { asked: { scope: 'openid', dpop_jkt: JKT }, jkt: JKT },
  'a code for a key, without it': { asked: { scope: 'openid', dpop_jkt: JKT } },
  'a refresh for less': { asked: { scope: 'openid email' }, refresh: { scope: 'email email' } },
  'a refresh for more': { asked: { scope: 'openid' }, refresh: { scope: 'openid email' } },
  'a refresh for an odd scope': { asked: { scope: 'openid' }, refresh: { scope: 'openid "' } },
  'a refresh by another client': { asked: { scope: 'openid' }, refresh: { client: 'other' } },
  'a refresh token twice': { next: 'again' },
  'a refresh token after its successor': { next: 'again after its successor' },
  'a refresh token twice, late': { next: 'again late' },
  'another redirect URI': { code: { redirectUri: `${REDIRECT}/` } },
  'no redirect URI': { code: { redirectUri: undefined } },
  'a wrong verifier': { asked: { scope: 'openid', ...pkce }, code: { verifier: 'w'.repeat(43) } },
  'a verifier of a wrong form': { asked: { scope: 'openid', ...pkce }, code: { verifier: 'short' } },
  'a verifier that nobody asked for': { code: { verifier } },
  'no verifier': { asked: { scope: 'openid', ...pkce } },
  'a code that was used': {
    before: async ({ code }) => usually.byAuthorizationCode(await askingOf('rp'), given({ code })),
  },
  'a disabled account': {
    before: ({ accountId }) => db.builder('accounts').where({ id: accountId }).update({ disabled_at: new Date() }),
  },
  'an ended session': { before: ({ sessionId }) => db.builder('sessions').where({ id: sessionId }).delete() },
  'an expired code': {
    before: ({ code }) =>
      db
        .builder('authorization_codes')
        .where({ code_hash: createHash('sha256').update(code).digest() })
        .update({ expires_at: new Date(0) }),
  },
};
const given = (more: Partial<CodeGiven>): CodeGiven => ({
  code: undefined,
  redirectUri: REDIRECT,
  verifier: undefined,
  ...more,
});

/** A case from the request to the refresh, served in one of the ways. */
async function play(way: Way, { client = 'rp', asked = { scope: 'openid' }, jkt, ...more }: Case) {
  const { account, browser } = await signedInReader(server);
  const rp = createRelyingParty(server, client, { method: client === 'page' ? 'none' : 'basic' });
  const code = (await rp.authorize(browser, { nonce: undefined, ...asked })).answer?.get('code') ?? '';
  const [session] = await db.builder('sessions').where({ account_id: account.id }).select('id');
  await more.before?.({ code, accountId: account.id, sessionId: session.id });
  const begun = await outcomeOf(way.byAuthorizationCode(await askingOf(client, jkt), given({ code, ...more.code })));
  const { client: who = client, jkt: key = jkt, ...rest } = more.refresh ?? {};
  const asking = await askingOf(who, key);
  const refresh = (refreshToken = '') =>
    outcomeOf(way.byRefreshToken(asking, { refreshToken, scope: undefined, ...rest }));
  const first = begun.tokens?.refresh;
  const refreshed = first === undefined ? null : await refresh(first);
  let again: { shown: object; isSame: boolean } | null = null;
  if (more.next) {
    if (more.next === 'again after its successor') await refresh(refreshed?.tokens?.refresh);
    if (more.next === 'again late')
      await db
        .builder('refresh_tokens')
        .whereNotNull('used_at')
        .update({ used_at: new Date(0) });
    const { shown, tokens } = await refresh(first);
    again = { shown, isSame: tokens?.refresh === refreshed?.tokens?.refresh };
  }
  return { begun: begun.shown, refreshed: refreshed?.shown ?? null, again, stored: await storedOf(session.id) };
}

for (const [title, one] of Object.entries(cases)) {
  test.serial(`security 102, 111: both ways of a grant are one: ${title}`, async (t) => {
    t.deepEqual(await play(usually, one), await play(carefully, one));
  });
}

test.serial('an authorization request and its code are two statements, a refresh is one', async (t) => {
  const { browser } = await signedInReader(server);
  const rp = createRelyingParty(server, 'rp');
  await rp.signIn(browser);
  let tokens: { refresh_token: string } = { refresh_token: '' };
  const begun = await sentBy(async () => {
    tokens = await rp.signIn(browser);
  });
  // A node whose lease has run out on a busy machine asks who is signed in, too.
  const more = begun.filter((name) => name !== 'accounts.find_signed_in');
  t.deepEqual(more, ['oauth.insert_provider_codes', 'oauth.grant_by_code']);
  t.deepEqual(await sentBy(() => rp.refresh(tokens.refresh_token)), ['oauth.grant_by_refresh_token']);
});

test.serial(
  'security 109: of refreshes that come together, one is refused and its family ends; the others are served',
  async (t) => {
    const asking = await askingOf('rp');
    const begin = async () => {
      const rp = createRelyingParty(server, 'rp');
      return (await rp.signIn((await signedInReader(server)).browser)).refresh_token as string;
    };
    const tokens = await Promise.all([begin(), begin(), begin()]);
    const refresh = (refreshToken = '') =>
      outcomeOf(usually.byRefreshToken(asking, { refreshToken, scope: undefined }));
    // The second has been used, and its successor too.
    const successor = await refresh(tokens[1]);
    t.truthy((await refresh(successor.tokens?.refresh)).tokens);
    const outcomes = await Promise.all(tokens.map(refresh));
    t.deepEqual(
      outcomes.map(({ tokens: given }) => given !== null),
      [true, false, true],
    );
    t.deepEqual(outcomes[1]?.shown, { code: 'invalid_grant', reason: 'used before', client: 'rp' });
    t.is((await refresh(outcomes[0]?.tokens?.refresh)).tokens !== null, true, 'its neighbours live on');
    const twice = await Promise.all([refresh(outcomes[2]?.tokens?.refresh), refresh(outcomes[2]?.tokens?.refresh)]);
    t.is(
      new Set(twice.map(({ tokens: given }) => given?.refresh)).size,
      1,
      'one token twice in one turn has one successor',
    );
  },
);

test.serial(
  'security 109: one statement serves those that may be served, and leaves the others as they are',
  async (t) => {
    const { client } = await askingOf('rp');
    const rp = createRelyingParty(server, 'rp');
    const begin = async () => rp.signIn((await signedInReader(server)).browser);
    const [one, two, used] = await Promise.all([begin(), begin(), begin()]);
    await rp.refresh(used.refresh_token);
    const asked = (token: string, clientRowId = client.id) => ({
      tokenHash: hashToken(token),
      clientRowId,
      dpopJkt: null,
      scope: null,
      successorHash: hashToken(random()),
      successorJwe: 'unread',
      accessHash: hashToken(random()),
    });
    const other = (await askingOf('other')).client.id;
    const all = [one.refresh_token, two.refresh_token, two.refresh_token, used.refresh_token, random()];
    const served = await grantByRefreshToken(db, [
      asked(one.refresh_token, other),
      ...all.map((token) => asked(token)),
    ]);
    const isServed = served.map((row) => row !== null);
    t.deepEqual([isServed[0], isServed[1], isServed[4], isServed[5]], [false, true, false, false]);
    t.not(isServed[2], isServed[3], 'asked for twice at once, used once');
    t.is((await rp.userinfo(used.access_token)).status, 200, 'the family of the used one lives on');
  },
);
