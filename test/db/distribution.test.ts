// What sharding by account would ask of the statements, checked against what the hot operations really run. The tables of
// docs/scale.md are the plan: which keys of each table tell its shard, and which statements do not carry one yet.

import { readFileSync } from 'node:fs';
import test from 'ava';
import pg from 'pg';
import { listStatements } from '../../server/db/statement.ts';
import { authorizeUrl } from '../support/browser.ts';
import { createRelyingParty, putClients } from '../support/relying_party.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { findUnrouted, type Schema } from './routing.ts';

// Before the first connection is opened: the pool keeps the function that it finds.
const ran = new Set<string>();
const query = pg.Client.prototype.query as (...given: unknown[]) => unknown;
pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
  const [first] = given as [{ name?: string } | undefined];
  if (typeof first?.name === 'string') ran.add(first.name);
  return query.apply(this, given);
} as typeof pg.Client.prototype.query;

const server = await startTestServer();
test.after.always(() => server.close());
const root = new URL('../../', import.meta.url);

const schema: Schema = Object.fromEntries(
  [
    ...readFileSync(new URL('test/schema.sql', root), 'utf8').matchAll(
      /^create (?:unlogged )?table (\w+) \(\n([\s\S]*?)\n\)/gm,
    ),
  ].map(([, table = '', body = '']) => [
    table,
    body
      .split('\n')
      .map((line) => line.trim().split(' ')[0] ?? '')
      .filter((word) => word !== 'constraint'),
  ]),
);
/** The rows of a table of the page, cells without their marks of code. */
function rowsUnder(heading: string): string[][] {
  const page = readFileSync(new URL('docs/scale.md', root), 'utf8');
  const section = page.slice(page.indexOf(heading)).split(/\n##+ /)[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
}
const codeIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
const plan = rowsUnder('## Sharding').flatMap(([tables, how, keys]) =>
  codeIn(tables).map((table) => ({ table, how: how ?? '', keys: codeIn(keys) })),
);
const routes = Object.fromEntries(plan.filter(({ how }) => how === 'account').map(({ table, keys }) => [table, keys]));
const exceptions = rowsUnder('### Statements that name no shard').flatMap(([statement, tables, reason]) =>
  codeIn(statement).map((name) => ({ name, tables: codeIn(tables).sort(), reason: reason ?? '' })),
);

/** The named statements that ran while `work` did. */
async function namesRunBy(work: () => Promise<unknown>): Promise<string[]> {
  ran.clear();
  await work();
  return [...ran].sort();
}

test('docs/scale.md says of every table how it is distributed, by columns that it has', (t) => {
  const planned = plan.map(({ table }) => table);
  const unplanned = Object.keys(schema).filter((table) => !planned.includes(table));
  t.deepEqual(unplanned, [], 'give each new table a row below "Sharding" in docs/scale.md');
  t.deepEqual(
    planned.filter((table) => !schema[table]),
    [],
    'tables that are no more',
  );
  for (const { table, how, keys } of plan) {
    t.true(['account', 'reference', 'local'].includes(how), table);
    t.is(keys.length > 0, how === 'account', table);
    for (const key of keys) t.true(schema[table]?.includes(key), `${table}.${key}`);
  }
});

// Serial: what is recorded is everything that this process sends.
test.serial(
  'every statement of a hot operation names the shard of its rows, or docs/scale.md says why it does not',
  async (t) => {
    const [news, auth] = [originOf('news'), originOf('auth')];
    const account = await server.makeAccount();
    await putClients(server, [{ id: 'scale', require_pkce: false, scopes: ['openid', 'offline_access'] }]);
    const browser = server.browser();
    const rp = createRelyingParty(server, 'scale');
    const statusOf = async (answer: Promise<{ status: number }>) => (await answer).status;
    let refreshToken = '';
    const operations: [string, () => Promise<unknown>, unknown][] = [
      [
        'login',
        () => statusOf(browser.post(`${auth}/api/auth/v1/login`, { email: account.email, password: PASSWORD })),
        200,
      ],
      [
        'hop',
        async () => (await browser.follow(authorizeUrl(news, 'news', `${news}/`), { from: `${news}/` })).hops.at(-1),
        `${news}/`,
      ],
      ['users/me', () => statusOf(browser.me(news)), 200],
      [
        'users/me a minute later',
        async () => {
          await server.database.moveClock(61);
          return statusOf(browser.me(news));
        },
        200,
      ],
      [
        'code and token',
        async () => {
          const tokens = await rp.signIn(browser, { scope: 'openid offline_access', prompt: 'consent' });
          refreshToken = tokens.refresh_token;
          return typeof refreshToken;
        },
        'string',
      ],
      ['refresh', () => statusOf(rp.refresh(refreshToken)), 200],
      ['logout', () => statusOf(browser.fetch(`${news}/api/auth/v1/logout`)), 204],
    ];
    const missing: Record<string, string[]> = {};
    for (const [operation, work, wanted] of operations) {
      const names = await namesRunBy(async () => t.is(await work(), wanted, operation));
      t.true(names.length > 0, `${operation} ran no named statement`);
      t.log(`${operation}: ${names.join(', ')}`);
      for (const name of names) {
        const text = listStatements().find((statement) => statement.name === name)?.text;
        if (text === undefined) continue;
        const unrouted = findUnrouted(text, schema, routes);
        if (unrouted.length > 0) missing[name] = unrouted;
      }
    }
    t.deepEqual(missing, Object.fromEntries(exceptions.map(({ name, tables }) => [name, tables])));
    for (const { name, reason } of exceptions) t.true(reason.length > 20, name);
  },
);

const KEYS = { sessions: ['id', 'account_id'], domain_sessions: ['token_hash', 'session_id'], accounts: ['id'] };
const cases: [string, string, string[]][] = [
  ['a key that is a parameter', 'select 1 from sessions where id = $1', []],
  ['a column that is no key', 'select 1 from sessions s where s.last_seen_host = $1', ['sessions']],
  ['a list of keys', 'select 1 from sessions where id = any($1::uuid[])', []],
  [
    'a row reached by its parent',
    'select 1 from domain_sessions d join sessions s on s.id = d.session_id join accounts a on a.id = s.account_id where d.token_hash = $1',
    [],
  ],
  [
    'a join by something else',
    'select 1 from sessions s join accounts a on a.email = s.last_seen_host where s.id = $1',
    ['accounts'],
  ],
  ['an insert with its key', 'insert into domain_sessions (id, session_id, host) values ($1, $2, $3)', []],
  [
    'an insert of what was selected',
    'insert into domain_sessions (id, session_id) select $1, s.id from sessions s where s.id = $2',
    [],
  ],
  ['an insert without', 'insert into domain_sessions (id, host) values ($1, $2)', ['domain_sessions']],
  ['a subquery of its own', 'select 1 from sessions s where s.id = $1 and exists (select from accounts)', ['accounts']],
  [
    'a subquery that looks out',
    'select 1 from sessions s where s.id = $1 and exists (select from accounts a where a.id = s.account_id)',
    [],
  ],
  ['a key in a text is none', "select 'id = $1' from sessions", ['sessions']],
  ['a part of a union', 'select 1 from sessions where id = $1 union all select 2 from accounts where id = $2', []],
  ['the other part of a union', 'select 1 from sessions where id = $1 union select 2 from accounts', ['accounts']],
  [
    'what a common table expression found',
    'with found as (select s.id from sessions s where s.id = $1) update sessions t set amr = $2 from found where t.id = found.id',
    [],
  ],
  [
    'what a common table expression found without a key',
    'with found as materialized (select s.id from sessions s) update sessions t set amr = $2 from found where t.id = found.id',
    ['sessions'],
  ],
  [
    'many at once',
    'select 1 from unnest($1::uuid[], $2::text[]) with ordinality as asked(id, host, n) join sessions s on s.id = asked.id',
    [],
  ],
  [
    'many at once through a common table expression',
    'with asked as (select * from unnest($1::bytea[]) as u(hash)) select 1 from asked q join domain_sessions d on d.token_hash = q.hash',
    [],
  ],
  [
    'a parameter with a name',
    'with asked as (select $1::uuid as id) select 1 from sessions s join asked on asked.id = s.id',
    [],
  ],
  [
    'many at once by something else',
    'select 1 from unnest($1::text[]) as asked(host) join sessions s on s.last_seen_host = asked.host',
    ['sessions'],
  ],
  ['an update of many', 'update sessions set id = $1', ['sessions']],
];
for (const [title, text, expected] of cases) {
  test(`the reader of statements: ${title}`, (t) => {
    t.deepEqual(findUnrouted(text, schema, KEYS), expected);
  });
}
