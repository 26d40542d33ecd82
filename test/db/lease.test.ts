// What leases rest on in the database: who is waited for, what a renewal brings, and what may be forgotten.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import pg from 'pg';
import { createSweep } from '../../server/db/lease.ts';
import { until } from '../support/raw.ts';
import { startTestServer } from '../support/server.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const { db } = server.services;
const KEEP_MS = 300_000;

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.database.url });
  await client.connect();
  return client;
}

/** As a node renews its lease. */
async function renew(client: pg.Client, node: string, since: string, seconds = 2) {
  const { rows } = await client.query(
    'select is_counted, horizon::text, seq::text, key from causeway_renew_lease($1, $2::text::pg_snapshot, $3)',
    [node, since, seconds],
  );
  return {
    isCounted: rows[0].is_counted as boolean,
    horizon: String(rows[0].horizon),
    keys: rows.map(({ key }) => key).filter((key) => key !== null),
  };
}

async function snapshot(client: pg.Client): Promise<string> {
  return String((await client.query('select pg_current_snapshot()::text as horizon')).rows[0].horizon);
}

/** Commits an invalidation as a trigger would. */
const invalidate = (key: string) => db.builder.raw('select causeway_invalidate(array[?])', [key]);
const countOf = async (key: string) => Number((await db.builder('invalidations').where({ key }).count())[0]?.['count']);

test.serial('R-20: a renewal that makes its row is no lease, the next one is', async (t) => {
  const client = await connect();
  const node = randomUUID();
  const now = await snapshot(client);
  t.false((await renew(client, node, now, 0)).isCounted);
  t.true((await renew(client, node, now, 0)).isCounted);
  await client.end();
});

test.serial('R-20: no lease without a snapshot of its own for each statement', async (t) => {
  const client = await connect();
  await client.query('begin isolation level repeatable read');
  await t.throwsAsync(renew(client, randomUUID(), await snapshot(client)), { message: /read committed/ });
  await client.end();
});

test.serial(
  'R-20: who changes something waits for a renewal under way, also of a lease that had run out',
  async (t) => {
    const client = await connect();
    const node = randomUUID();
    await renew(client, node, await snapshot(client), 0);
    await client.query('begin');
    const renewed = await renew(client, node, await snapshot(client), 2);
    t.true(renewed.isCounted);
    let isTold = false;
    const told = db.builder.raw("select causeway_invalidate('{test of a lock}')").then(() => {
      isTold = true;
    });
    // The statement that reads the nodes, and nothing else here, stands before a lock.
    await until(async () => {
      const { rows } = await db.builder.raw(
        "select count(*)::integer as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query like '%from lease_nodes for share%'",
      );
      return rows[0].waiting === 1;
    });
    t.false(isTold);
    // It did not look for what was changed after it had locked its row: so it is waited for to its end.
    await client.query('commit');
    const started = performance.now();
    await told;
    t.log(`told ${Math.round(performance.now() - started)} ms after the commit of the renewal`);
    const { rows } = await client.query(
      'select expires_at < clock_timestamp() as is_over from lease_nodes where id = $1',
      [node],
    );
    t.deepEqual(rows, [{ is_over: true }]);
    await client.end();
  },
);

test.serial(
  'a renewal brings what was committed since the last one, however long another transaction is open',
  async (t) => {
    const [client, open] = [await connect(), await connect()];
    const node = randomUUID();
    await invalidate('before');
    await open.query('begin');
    await open.query("select causeway_invalidate('{of the open one}')");
    await invalidate('beside it');
    const first = await renew(client, node, await snapshot(client), 0);
    t.deepEqual(first.keys, [], 'all of it was committed before the snapshot');
    await invalidate('after');
    const second = await renew(client, node, first.horizon, 0);
    t.deepEqual(second.keys, ['after']);
    await open.query('commit');
    const third = await renew(client, node, second.horizon, 0);
    t.deepEqual(third.keys, ['of the open one']);
    await Promise.all([client.end(), open.end()]);
  },
);

test.serial('what was committed lately is not swept, however long its transaction had been open', async (t) => {
  let now = 0;
  const sweep = createSweep(() => now);
  const open = await connect();
  await invalidate('old');
  await open.query('begin');
  await open.query("select causeway_invalidate('{long open}')");
  await sweep(db);
  now = KEEP_MS;
  await open.query('commit');
  await sweep(db);
  t.is(await countOf('old'), 0);
  t.is(await countOf('long open'), 1);
  now = 2 * KEEP_MS;
  await sweep(db);
  t.is(await countOf('long open'), 0);
  await open.end();
});

test.serial(
  'R-20: who finds something ended in a life of the server that has just begun waits a lease, whatever a snapshot tells',
  async (t) => {
    const { rows } = await db.builder.raw(
      'update lease_incarnations set seen_at = clock_timestamp() where name = causeway_incarnation() returning name',
    );
    t.is(rows.length, 1);
    // By what comes first: both begin to count in the same turn, a lease lasts 2 s.
    const early = sleep(1900, 'not yet');
    const settled = db.settled();
    t.is(await Promise.race([settled, early]), 'not yet');
    await settled;
    await db.builder.raw("update lease_incarnations set seen_at = '-infinity' where name = causeway_incarnation()");
  },
);
