// What sharding by account would ask of the statements: of every named one, and of those that the hot operations really run. The
// tables of docs/scale.md are the plan: which keys of each table tell its shard, and which statements do not carry one yet.

import { globSync, readFileSync } from 'node:fs';
import test from 'ava';
import pg from 'pg';
import { listStatements } from '../../server/db/statement.ts';
import { authorizeUrl } from '../support/browser.ts';
import { createRelyingParty, putClients } from '../support/relying_party.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { findUnrouted, functionsIn, type Schema } from './routing.ts';

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

const dump = readFileSync(new URL('test/schema.sql', root), 'utf8');
const schema: Schema = Object.fromEntries(
  [...dump.matchAll(/^create (?:unlogged )?table (\w+) \(\n([\s\S]*?)\n\)/gm)].map(([, table = '', body = '']) => [
    table,
    body
      .split('\n')
      .map((line) => line.trim().split(' ')[0] ?? '')
      .filter((word) => word !== 'constraint'),
  ]),
);
const functions = functionsIn(dump);
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

/** By statement: the distributed tables whose rows it reaches without their shard. */
const unrouted: Record<string, string[]> = {};
for (const { name, text } of listStatements()) {
  const lost = findUnrouted(text, schema, routes, functions);
  if (lost.length > 0) unrouted[name] = lost;
}

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

test('docs/scale.md lists each statement that names no shard of its rows, and what is needed for it', (t) => {
  const declared = globSync('server/**/*.ts', { cwd: root }).flatMap((file) =>
    [...readFileSync(new URL(file, root), 'utf8').matchAll(/\b(?:read|write|note)Statement\(\s*'([^']+)'/g)].map(
      ([, name = '']) => name,
    ),
  );
  const known = listStatements().map(({ name }) => name);
  t.deepEqual(known.toSorted(), declared.toSorted(), 'statements that are read here');
  t.deepEqual(unrouted, Object.fromEntries(exceptions.map(({ name, tables }) => [name, tables])));
  for (const { name, reason } of exceptions) t.true(reason.length > 20, name);
});

// Serial: what is recorded is everything that this process sends.
test.serial(
  'every statement of a hot operation names the shard of its rows, but for the first of a sign-in',
  async (t) => {
    const [news, auth] = [originOf('news'), originOf('auth')];
    const account = await server.makeAccount();
    await putClients(server, [{ id: 'scale', require_pkce: false, scopes: ['openid', 'offline_access'] }]);
    const browser = server.browser();
    const rp = createRelyingParty(server, 'scale');
    const statusOf = async (answer: Promise<{ status: number }>) => (await answer).status;
    const logIn = () => browser.post(`${auth}/api/auth/v1/login`, { email: account.email, password: PASSWORD });
    const hop = () => browser.follow(authorizeUrl(news, 'news', `${news}/`), { from: `${news}/` });
    let tokens: { access_token: string; refresh_token: string } = { access_token: '', refresh_token: '' };
    /** Whatever the node has in memory is older than it may be. */
    const aMinuteLater = async (work: () => Promise<{ status: number }>) => {
      await server.database.moveClock(61);
      return statusOf(work());
    };
    /** What each is called, what it does, how it ends, and the statement that it cannot do without. */
    const operations: [string, () => Promise<unknown>, unknown, string][] = [
      ['login', () => statusOf(logIn()), 200, 'login.begin_session'],
      ['hop', async () => (await hop()).hops.at(-1), `${news}/`, 'oauth.redeem_fresh'],
      ['users/me', () => statusOf(browser.me(news)), 200, 'accounts.find_signed_in'],
      ['users/me a minute later', () => aMinuteLater(() => browser.me(news)), 200, 'sessions.touch'],
      [
        'code and token',
        async () => {
          tokens = await rp.signIn(browser, { scope: 'openid offline_access', prompt: 'consent' });
          return typeof tokens.refresh_token;
        },
        'string',
        'oauth.grant_by_code',
      ],
      [
        'refresh',
        async () => {
          const answer = await rp.refresh(tokens.refresh_token);
          tokens = answer.json();
          return answer.status;
        },
        200,
        'oauth.grant_by_refresh_token',
      ],
      ['userinfo', () => aMinuteLater(() => rp.userinfo(tokens.access_token)), 200, 'oauth.find_active_tokens'],
      [
        'introspection',
        async () => {
          await server.database.moveClock(61);
          return (await rp.post('/oauth/introspect', { token: tokens.access_token })).json().active;
        },
        true,
        'oauth.find_active_tokens',
      ],
      ['logout', () => statusOf(browser.fetch(`${news}/api/auth/v1/logout`)), 204, 'oidc.end_session'],
    ];
    const missing = new Set<string>();
    for (const [operation, work, wanted, asked] of operations) {
      const names = await namesRunBy(async () => t.is(await work(), wanted, operation));
      t.true(names.includes(asked), `${operation} did not ask ${asked}`);
      t.log(`${operation}: ${names.join(', ')}`);
      for (const name of names) if (unrouted[name]) missing.add(name);
    }
    t.deepEqual([...missing], ['login.begin_try']);
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
  [
    'a table joined to one without an alias',
    'with asked as (select $1::text as email) select 1 from asked join accounts a on a.email = asked.email',
    ['accounts'],
  ],
  ['a table after a comma', 'select 1 from sessions s, accounts a where s.id = $1', ['accounts']],
  ['a table after using', 'delete from sessions s using accounts a where s.id = $1 and a.email = $2', ['accounts']],
  ['a function that says which', 'select ended from end_one($1)', []],
  ['a function that reaches others too', 'select ended from end_all($1)', ['domain_sessions', 'sessions']],
  [
    'a function that calls one',
    'select 1 from sessions s where s.id = $1 and end_more($2)',
    ['domain_sessions', 'sessions'],
  ],
];
const FUNCTIONS = functionsIn(
  [
    ['end_one', 'perform from sessions where id = ended for update; delete from sessions where id = ended;'],
    [
      'end_all',
      '-- ended;\n delete from sessions where last_seen_host = ended; delete from domain_sessions where host = ended;',
    ],
    ['end_more', 'perform end_all(ended);'],
  ]
    .map(
      ([name, body]) =>
        `CREATE OR REPLACE FUNCTION public.${name}(ended text)\nAS $function$ begin ${body} end $function$;`,
    )
    .join('\n'),
);
for (const [title, text, expected] of cases) {
  test(`the reader of statements: ${title}`, (t) => {
    t.deepEqual(findUnrouted(text, schema, KEYS, FUNCTIONS), expected);
  });
}

test('the reader of statements: what the end of a session does is read where it is written', (t) => {
  const byAccount = { ...routes, sessions: ['account_id'] };
  t.deepEqual(findUnrouted('select causeway_end_session($1)', schema, routes, functions), []);
  t.deepEqual(findUnrouted('select causeway_end_session($1)', schema, byAccount, functions), ['sessions']);
});
