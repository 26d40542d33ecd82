// What a sign-in and a sign-out send to PostgreSQL, statement by statement, and that the short way leaves what the long one does.

import test from 'ava';
import pg from 'pg';
import { API, postJson } from '../support/raw.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';

// Before the first connection is opened: the pool keeps the function that it finds.
let sent: { by: pg.Client; what: string }[] = [];
const query = pg.Client.prototype.query as (...given: unknown[]) => unknown;
pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
  const [first] = given as [{ name?: string; text?: string } | string];
  sent.push({ by: this, what: typeof first === 'string' ? first : (first.name ?? first.text ?? '') });
  return query.apply(this, given);
} as typeof pg.Client.prototype.query;

const realmOf = (slug: string, settings: string) =>
  REALM_YAML.replaceAll('test.localhost', `${slug}.localhost`)
    .replace('slug: test', `slug: ${slug}`)
    .replace('signup: open', `signup: open, ${settings}`);
const server = await startTestServer();
// A limit that nobody reaches: its sign-ins go the long way.
await server.apply(realmOf('counted', 'sessions_max: 100, sessions_over: oldest-out'));
await server.apply(realmOf('careful', 'second_factor: required'));
test.after.always(() => server.close());
const at = (slug: string, host: string) => host.replace('test.', `${slug}.`);

/** A node's own statements, on its own time, and what every request on a host reads until memory knows it. */
const OF_THE_NODE = /^(lease\.(renew|say|horizon)|realms\.|clients\.|keys\.|listen |select 1$)|causeway_jobs/i;
const JOB = /pg_try_advisory_xact_lock/;

/** What was sent for a request. */
async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  sent = [];
  await work();
  // A periodic job is a transaction that begins with its lock.
  const jobs = new Set<(typeof sent)[number]>();
  for (const [at, { by, what }] of sent.entries()) {
    if (!JOB.test(what)) continue;
    const own = sent.filter((one) => one.by === by);
    const lock = own.indexOf(sent[at] as (typeof sent)[number]);
    const end = own.findIndex((one, index) => index > lock && /^(commit|rollback)/i.test(one.what));
    for (const one of own.slice(Math.max(0, lock - 1), end < 0 ? undefined : end + 1)) jobs.add(one);
  }
  return sent.filter((one) => !jobs.has(one) && !OF_THE_NODE.test(one.what)).map(({ what }) => what);
}
const login = (email: string, password: string, host: string = HOSTS.news) =>
  postJson(server.port, `http://${host}/api/auth/v1/login`, { email, password });

test.serial('a right password is three statements: the try, its count given back, the session', async (t) => {
  const account = await server.makeAccount();
  for (const _ of ['the first', 'in a browser that is new to the account']) {
    const names = await statementsOf(async () => t.is((await login(account.email, PASSWORD)).status, 200));
    t.deepEqual(names, ['login.begin_try', 'ratelimit.give_back', 'login.begin_session']);
  }
});

test.serial('security 139: an unknown account and a wrong password send the same statements', async (t) => {
  const account = await server.makeAccount();
  const disabled = await server.makeAccount();
  await server.services.db.builder('accounts').where({ id: disabled.id }).update({ disabled_at: new Date() });
  const tries: [string, string][] = [
    [account.email, 'a wrong password'],
    ['nobody-at-all@example.com', PASSWORD],
    ['not an address', PASSWORD],
    [disabled.email, PASSWORD],
  ];
  for (const [email, password] of tries) {
    const names = await statementsOf(async () => t.is((await login(email, password)).status, 401));
    t.deepEqual(names, ['login.begin_try', 'audit.insert'], email);
  }
});

test.serial('signing out is one statement, and one read of who has to hear of it', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  t.is((await browser.me(originOf('news'))).status, 200);
  const names = await statementsOf(async () => t.is((await browser.fetch(`${API}/logout`)).status, 204));
  t.deepEqual(
    names.filter((name) => name !== 'accounts.find_signed_in'),
    ['oidc.end_session', 'lease.find_holders'],
  );
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
});

/** All rows that the sign-ins of an account left, without what differs every time. */
async function rowsOf(accountId: string) {
  const { builder } = server.services.db;
  const seconds = (column: string) =>
    builder.raw(`round(extract(epoch from ${column} - created_at))::int as ${column}_after`);
  const sessions = await builder('sessions')
    .where({ account_id: accountId })
    .orderBy('id')
    .select('amr', 'last_seen_host', 'idle_seconds', 'user_agent', 'address', 'is_held')
    .select(seconds('expires_at'), seconds('idle_expires_at'), seconds('authenticated_at'), seconds('last_seen_at'));
  const domains = await builder('domain_sessions as d')
    .join('sessions as s', 's.id', 'd.session_id')
    .where({ 's.account_id': accountId })
    .select('d.host')
    .select(builder.raw('length(d.token_hash) as token, length(d.companion_hash) as companion'));
  const events = await builder('audit_events as e')
    .where({ account_id: accountId })
    .orderBy('id')
    .select('type', 'client_id', 'address', 'detail')
    .select(builder.raw('exists (select from sessions s where s.id = e.session_id) as has_session'));
  const limits = await builder('rate_limits').where('key', 'like', `sign-in-account:%:${accountId}`).pluck('points');
  return JSON.parse(JSON.stringify({ sessions, domains, events, limits }).replaceAll('counted.', 'test.'));
}

test.serial('the short way and the long one leave the same rows and give the same answer', async (t) => {
  const [quick, long] = [await server.makeAccount(), await server.makeAccount({ realm: 'counted' })];
  const answers = [];
  for (const _ of ['first', 'second']) {
    const short = await login(quick.email, PASSWORD);
    const names = await statementsOf(async () => {
      const answer = await login(long.email, PASSWORD, at('counted', HOSTS.news));
      t.is(answer.status, 200);
      const shape = ({ json }: typeof answer) => Object.keys(json());
      t.deepEqual(
        shape(answer).filter((key) => key !== 'sessions-max'),
        shape(short),
      );
      answers.push(answer);
    });
    t.true(names.includes('sessions.lock_limit'), 'the long way');
  }
  const rows = await rowsOf(quick.id);
  t.deepEqual(rows, await rowsOf(long.id));
  t.deepEqual(
    rows.events.map(({ type }: { type: string }) => type).filter((type: string) => type.startsWith('sign-in')),
    ['sign-in.succeeded', 'sign-in.new-device', 'sign-in.succeeded'],
  );
  t.deepEqual(rows.limits, [0]);
});

test.serial('of several sign-ins at once each gets its own answer', async (t) => {
  const accounts = await Promise.all([1, 2, 3, 4].map(() => server.makeAccount()));
  const halfway = await server.makeAccount({ realm: 'careful' });
  const answers = await Promise.all([
    ...accounts.map(({ email }, index) => login(email, index === 2 ? 'a wrong password' : PASSWORD)),
    login(halfway.email, PASSWORD, at('careful', HOSTS.news)),
    login('nobody-at-all@example.com', PASSWORD),
  ]);
  t.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 401, 200, 200, 401],
  );
  const counts = accounts.map(({ id }) => countRows(server, 'sessions', { account_id: id }));
  t.deepEqual(await Promise.all(counts), [1, 1, 0, 1]);
  t.is(await countRows(server, 'sessions', { account_id: halfway.id }), 0);
});

test.serial('an account with a second factor gets no session by its password alone', async (t) => {
  const account = await server.makeAccount();
  const { db } = server.services;
  await db.builder('totp_factors').insert({ account_id: account.id, secret_jwe: 'x', last_step: 0 });
  const answer = await login(account.email, PASSWORD);
  t.is(answer.status, 200);
  t.deepEqual(Object.keys(answer.json()).includes('user'), false);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
});
