// Those who come in the same moment share a statement. What becomes of one of them, whose row somebody else holds or whose client
// is gone, is not to become of the others. One test after the other: they hold rows, and count what is sent.

import { createHash } from 'node:crypto';
import test from 'ava';
import pg from 'pg';
import { asClientRowId, type CallbackUri, type RedirectUri } from '../../server/lib/ids.ts';
import type { LiveSession } from '../../server/sessions/sessions.ts';
import { type Answer, type Browser, send } from '../support/browser.ts';
import { until } from '../support/raw.ts';
import { createRelyingParty, putClients, signedInReader } from '../support/relying_party.ts';
import { listenToStatements } from '../support/sent.ts';
import { landingOf, originOf, startTestServer } from '../support/server.ts';
import { beginSession, countRows } from '../support/signed_in.ts';
import { issueDirectly, landingWith, liveSession, setsSession } from './flow.ts';

const statementsOf = listenToStatements();
const server = await startTestServer();
const other = new pg.Client({ connectionString: server.database.url });
await other.connect();
await putClients(server, [
  { id: 'rp', require_pkce: false, consent: 'implied', scopes: ['openid', 'offline_access'] },
  { id: 'rp2', require_pkce: false, consent: 'implied', scopes: ['openid', 'offline_access'] },
]);
test.after.always(async () => {
  await other.end();
  await server.close();
});
const rp = createRelyingParty(server, 'rp');
const rp2 = createRelyingParty(server, 'rp2');
const hashOf = (token: string) => createHash('sha256').update(token).digest();

/** Somebody else holds a row, which `query` takes, while `work` is done; it ends their transaction itself or leaves that to us. */
async function whileHeld<T>([query, values]: [string, unknown[]], work: () => Promise<T>): Promise<T> {
  await other.query('begin');
  try {
    await other.query(query, values);
    return await work();
  } finally {
    await other.query('rollback');
  }
}

async function readers(count: number): Promise<LiveSession[]> {
  const made: LiveSession[] = [];
  while (made.length < count) {
    const session = await beginSession(server, await server.makeAccountWithoutPassword(), ['auth']);
    made.push(await liveSession(server, session));
  }
  return made;
}
const land = ({ code, flowCookie }: { code: string; flowCookie: string }) =>
  send(server.port, landingWith(code), { headers: { Cookie: flowCookie } });
/**
 * Asks for all at once, the one who is to wait among them: whoever comes first is served alone, and meanwhile the others gather.
 * @returns what the first of them gets, and what the others do
 */
function askTogether<Asked, Got>([own, first, ...others]: readonly Asked[], ask: (asked: Asked) => Promise<Got>) {
  const [before, held, ...after] = [first, own, ...others].map((one) => ask(one as Asked));
  return { own: held as Promise<Got>, others: [before as Promise<Got>, ...after] };
}
const statusesOf = async (answers: readonly Promise<Answer>[]) =>
  (await Promise.all(answers)).map(({ status }) => status);

/** A code of the provider for a reader who is signed in, not yet exchanged. */
async function codeFor(of: typeof rp, browser: Browser): Promise<string> {
  const { answer } = await of.authorize(browser);
  return answer?.get('code') ?? '';
}
const exchange = (of: typeof rp, code: string) => of.redeem(code);

const HOLD_SESSION = 'select from sessions where id = $1 for update';
const HOLD_FAMILY =
  'select from token_families where id = (select family_id from refresh_tokens where token_hash = $1) for update';

test.serial(
  'reliability R-41: a session that somebody holds lets only its own reader wait, when codes are redeemed and when they are issued',
  async (t) => {
    const all = await readers(8);
    const codes = await Promise.all(all.map((session) => issueDirectly(server, session)));
    const held = await whileHeld([HOLD_SESSION, [all[0]?.id]], async () => {
      const landed = askTogether(codes, land);
      // They are answered while the session is still held: who waited for it would not be.
      t.deepEqual(await statusesOf(landed.others), Array(7).fill(303));
      const issued = askTogether(all, (session) => issueDirectly(server, session));
      t.is((await Promise.all(issued.others)).length, 7);
      return { landed: landed.own, issued: issued.own };
    });
    t.true(setsSession(await held.landed));
    t.true(setsSession(await land(await held.issued)), 'a held session has not ended');
  },
);

test.serial('reliability R-41: a token family that somebody holds lets only its own client wait', async (t) => {
  const tokens: string[] = [];
  for (let nr = 0; nr < 8; nr++) tokens.push((await rp.signIn((await signedInReader(server)).browser)).refresh_token);
  for (const step of ['a refresh', 'the same again, within the grace']) {
    const held = await whileHeld([HOLD_FAMILY, [hashOf(tokens[0] as string)]], async () => {
      const refreshed = askTogether(tokens, (token) => rp.refresh(token));
      t.deepEqual(await statusesOf(refreshed.others), Array(7).fill(200), step);
      return { answer: refreshed.own };
    });
    t.is((await held.answer).status, 200, step);
  }
});

for (const [what, query] of [
  ['a session', HOLD_SESSION],
  ['an account', 'select from accounts where id = (select account_id from sessions where id = $1) for update'],
] as const)
  test.serial(`reliability R-41: ${what} that somebody holds lets only one code exchange wait`, async (t) => {
    const codes: string[] = [];
    while (codes.length < 8) codes.push(await codeFor(rp, (await signedInReader(server)).browser));
    const { rows } = await other.query('select session_id from authorization_codes where code_hash = $1', [
      hashOf(codes[0] as string),
    ]);
    const held = await whileHeld([query, [rows[0].session_id]], async () => {
      const exchanged = askTogether(codes, (code) => exchange(rp, code));
      t.deepEqual(await statusesOf(exchanged.others), Array(7).fill(200));
      return { answer: exchanged.own };
    });
    t.is((await held.answer).status, 200);
  });

test.serial(
  'security 5: a code that another node is just redeeming is waited for alone, and found used; a refresh token, too, and its family ends',
  async (t) => {
    const [reader, neighbour] = await readers(2);
    if (!reader || !neighbour) throw new Error('two were to be made');
    const [code, next] = [await issueDirectly(server, reader), await issueDirectly(server, neighbour)];
    await other.query('begin');
    await other.query('update authorization_codes set consumed_at = causeway_now() where code_hash = $1', [
      hashOf(code.code),
    ]);
    const late = land(code);
    t.true(setsSession(await land(next)));
    await other.query('commit');
    t.false(setsSession(await late));

    const { refresh_token: token } = await rp.signIn((await signedInReader(server)).browser);
    const { refresh_token: another } = await rp.signIn((await signedInReader(server)).browser);
    await other.query('begin');
    const { rows } = await other.query(
      "update refresh_tokens set used_at = causeway_now() - interval '1 minute' where token_hash = $1 returning family_id",
      [hashOf(token)],
    );
    const reused = rp.refresh(token);
    t.is((await rp.refresh(another)).status, 200);
    await other.query('commit');
    t.is((await reused).status, 400);
    t.is(await countRows(server, 'token_families', { id: rows[0].family_id }), 0);
  },
);

test.serial(
  'reliability R-41: when a shared statement gives up waiting for a lock, each goes on alone, and only one fails',
  async (t) => {
    const asked: { client: typeof rp; code: string }[] = [];
    for (const client of [rp, rp2, rp2, rp2, rp2])
      asked.push({ client, code: await codeFor(client, (await signedInReader(server)).browser) });
    await whileHeld(["select from clients where client_id = 'rp' for update", []], async () => {
      const { own, others } = askTogether(asked, ({ client, code }) => exchange(client, code));
      t.deepEqual(await statusesOf([own, ...others]), [503, 200, 200, 200, 200]);
    });
    t.is((await exchange(rp, asked[0]?.code as string)).status, 200, 'nothing was done to it');
  },
);

test.serial('two nodes that exchange codes of one session for two clients do not wait for each other', async (t) => {
  const { browser } = await signedInReader(server);
  const { rows: clients } = await other.query(
    "select id, realm_id, client_id from clients where client_id in ('rp', 'rp2') order by id",
  );
  const [low, high] = clients.map(({ client_id: id }) => (id === 'rp' ? rp : rp2));
  if (!low || !high) throw new Error('two were to be there');
  // In the order of codes the greater one comes first.
  let codes: [string, string];
  do codes = [await codeFor(low, browser), await codeFor(high, browser)];
  while (Buffer.compare(hashOf(codes[0]), hashOf(codes[1])) < 0);
  const { rows } = await other.query('select session_id from authorization_codes where code_hash = $1', [
    hashOf(codes[0]),
  ]);
  const note = ({ id, realm_id: realm }: Record<string, unknown>) =>
    other.query(
      "insert into session_clients (session_id, client_row_id, realm_id, account_sub) values ($1, $2, $3, 'x') on conflict do nothing",
      [rows[0].session_id, id, realm],
    );
  // Whoever comes first is served alone.
  const stranger = await codeFor(rp, (await signedInReader(server)).browser);
  await other.query('delete from session_clients where session_id = $1', [rows[0].session_id]);
  const { rows: before } = await other.query(DEADLOCKS);
  await other.query('begin');
  await note(clients[0]);
  const first = exchange(rp, stranger);
  const answers = [first, exchange(low, codes[0]), exchange(high, codes[1])];
  await until(async () => (await server.services.db.builder.raw(WAITING)).rows.length > 0);
  await note(clients[1]);
  await other.query('commit');
  t.deepEqual(await statusesOf(answers), [200, 200, 200]);
  t.deepEqual((await other.query(DEADLOCKS)).rows, before);
});
const DEADLOCKS =
  'select pg_stat_force_next_flush()::text as flushed, deadlocks from pg_stat_database where datname = current_database()';
const WAITING =
  "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()";

test.serial(
  'a code for a client that is gone is found by halves: few statements, and everybody else gets theirs',
  async (t) => {
    const [reader] = await readers(1);
    if (!reader) throw new Error('none was made');
    const client = await server.services.clients.find((await server.realm()).id, 'news');
    if (!client) throw new Error('no such client');
    const { oauth } = server.services;
    const issueFor = (nr: number) =>
      oauth.issueCode(reader, {
        kind: 'session',
        client: nr === 5 ? { ...client, id: asClientRowId('999999999') } : client,
        redirectUri: landingOf('news') as RedirectUri,
        callbackUri: `${originOf('news')}/page` as CallbackUri,
        state: null,
        flowHash: hashOf(String(nr)),
        isRestart: false,
        isSilent: false,
      });
    const sent = await statementsOf(async () => {
      const codes = await Promise.all(Array.from({ length: 32 }, (_, nr) => issueFor(nr)));
      t.deepEqual(
        codes.flatMap((code, nr) => (code === null ? [nr] : [])),
        [5],
      );
    });
    t.is(sent.filter((name) => name === 'oauth.insert_codes').length, 1 + 2 * 5);
    t.is(sent.filter((name) => name === 'oauth.insert_code').length, 1);
  },
);
