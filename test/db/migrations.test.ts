import { createHash, randomBytes } from 'node:crypto';
import test from 'ava';
import knexModule from 'knex';
import pg from 'pg';
import { databaseKnexConfig } from '../../server/db/database.ts';
import { migrate } from '../../server/db/migrate.ts';
import { send } from '../support/browser.ts';
import { createDatabase } from '../support/database.ts';
import { spawnServer } from '../support/process.ts';
import { HOSTS, startTestServer } from '../support/server.ts';

/** Everything that the catalogue says of the schema: tables, columns, defaults, constraints, indexes, functions. */
async function describe(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const queries = [
    `select table_name, column_name, data_type, is_nullable, column_default, is_identity from information_schema.columns where table_schema = 'public' and table_name !~ '^knex' order by 1, 2`,
    `select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace and conrelid::regclass::text !~ '^knex' order by 1, 2`,
    `select indexname, indexdef from pg_indexes where schemaname = 'public' and tablename !~ '^knex' order by 1`,
    `select proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace order by 1`,
    `select relname, relpersistence, reloptions from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname !~ '^knex' order by 1`,
  ];
  const parts: unknown[] = [];
  for (const query of queries) parts.push((await client.query(query)).rows);
  await client.end();
  return JSON.stringify(parts, null, 1);
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

test('an index that was made beforehand is taken, and made anew where that did not end well', async (t) => {
  const database = await createDatabase({ isEmpty: true });
  await migrate(database.url);
  const knex = knexModule.knex(databaseKnexConfig({ url: database.url, poolSize: 2, applicationName: 'test' }));
  const { down, up } = await import('../../migrations/20261127100000_sessions_token_hash.ts');
  const read = async () =>
    (
      await knex.raw(
        "select oid::text, indisvalid as valid from pg_index join pg_class on oid = indexrelid where relname = 'domain_sessions_token'",
      )
    ).rows;
  const begin = async () => {
    await down(knex);
    t.deepEqual(await read(), []);
    await knex.raw('create index concurrently domain_sessions_token on domain_sessions using hash (token_hash)');
    return (await read())[0].oid;
  };
  const made = await begin();
  await up(knex);
  t.deepEqual(await read(), [{ oid: made, valid: true }]);
  const broken = await begin();
  await knex.raw('update pg_index set indisvalid = false where indexrelid = ?', [broken]);
  await up(knex);
  const [anew] = await read();
  t.true(anew.valid);
  t.not(anew.oid, broken);
  await knex.destroy();
  await database.drop();
});

test('every migration goes down again, and up - down - up leaves the same schema', async (t) => {
  const database = await createDatabase({ isEmpty: true });
  const names = await migrate(database.url);
  t.true(names.length >= 8);
  const first = await describe(database.url);
  t.true(first.includes('authorization_codes'));
  const knex = knexModule.knex(databaseKnexConfig({ url: database.url, poolSize: 2, applicationName: 'test' }));
  await knex.migrate.rollback(undefined, true);
  await knex.destroy();
  t.deepEqual(JSON.parse(await describe(database.url)), [[], [], [], [], []]);
  t.deepEqual(await migrate(database.url), names);
  t.is(await describe(database.url), first);
  t.deepEqual(await migrate(database.url), [], 'a second run has nothing to do');
  await database.drop();
});

test('reliability R-8: two servers started at once on an empty database both serve, and each migration runs once, in 5 rounds', async (t) => {
  const schemas = new Set<string>();
  for (let round = 0; round < 5; round++) {
    const database = await createDatabase({ isEmpty: true });
    const nodes = await Promise.all([startTestServer({ database }), startTestServer({ database })]);
    for (const node of nodes) t.is((await send(node.port, `http://${HOSTS.news}/login`)).status, 421);
    const rows = await nodes[0].services.db.builder('knex_migrations').pluck('name');
    t.is(new Set(rows).size, rows.length);
    t.true(rows.length >= 8);
    schemas.add(digest(await describe(database.url)));
    await Promise.all(nodes.map((node) => node.close()));
    await database.drop();
  }
  t.is(schemas.size, 1);
});

test('reliability R-9: after a SIGKILL at any moment of a migration the next start finishes it, in 5 rounds', async (t) => {
  const wanted = await createDatabase();
  for (let round = 0; round < 5; round++) {
    const database = await createDatabase({ isEmpty: true });
    const server = spawnServer({ DATABASE_URL: database.url });
    await untilTables(database.url, [0, 2, 5, 8, 10][round] as number);
    server.child.kill('SIGKILL');
    await server.ended;
    const node = await startTestServer({ database });
    t.is((await send(node.port, `http://${HOSTS.news}/login`)).status, 421);
    const rows = await node.services.db.builder('knex_migrations').pluck('name');
    t.is(new Set(rows).size, rows.length);
    await node.close();
    t.deepEqual(
      await tablesOf(database.url),
      (await tablesOf(wanted.url)).filter((name) => name !== 'test_clock'),
    );
    await database.drop();
  }
  await wanted.drop();
});

/** Waits until that many tables are there: a moment somewhere within the migration, whatever the machine's speed. */
async function untilTables(url: string, count: number) {
  while ((await tablesOf(url)).length < count) await new Promise((resolve) => setImmediate(resolve));
}

async function tablesOf(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: randomBytes(4).toString('hex') });
  await client.connect();
  const { rows } = await client.query(
    "select table_name from information_schema.tables where table_schema = 'public' order by 1",
  );
  await client.end();
  return rows.map((row) => row.table_name);
}
