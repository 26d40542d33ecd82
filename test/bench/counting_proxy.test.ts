// What a node sends to PostgreSQL is counted from its bytes; that the count is right shows on a real database.

import test from 'ava';
import pg from 'pg';
import { createReader, startCountingProxy } from '../../bench/counting_proxy.ts';
import { createDatabase } from '../support/database.ts';

test('statements, those that write and round trips of a client are counted; what only controls is no statement', async (t) => {
  const database = await createDatabase();
  const proxy = await startCountingProxy(database.url);
  const client = new pg.Client({ connectionString: proxy.url });
  await client.connect();
  const before = { ...proxy.traffic };
  const since = () => ({
    roundTrips: proxy.traffic.roundTrips - before.roundTrips,
    statements: proxy.traffic.statements - before.statements,
    writes: proxy.traffic.writes - before.writes,
  });
  for (let time = 0; time < 2; time++)
    await client.query({ name: 'named', text: 'select $1::int as one', values: [time] });
  t.deepEqual(since(), { roundTrips: 2, statements: 2, writes: 0 });
  await client.query('create temp table things (n int)');
  await client.query('begin');
  await client.query('insert into things values ($1)', [1]);
  await client.query('with gone as (delete from things returning n) select n from gone');
  await client.query('commit');
  t.deepEqual(since(), { roundTrips: 7, statements: 5, writes: 2 });
  await client.end();
  await proxy.close();
  await database.drop();
});

test('messages are found in whatever pieces they come', (t) => {
  const message = (type: string, body: string) => {
    const bytes = Buffer.alloc(5);
    bytes.write(type);
    bytes.writeUInt32BE(body.length + 4, 1);
    return Buffer.concat([bytes, Buffer.from(body)]);
  };
  const startup = Buffer.concat([Buffer.from([0, 0, 0, 9]), Buffer.from('hello')]);
  const stream = Buffer.concat([
    startup,
    message('P', 'put\0update things set n = 1\0\0\0'),
    ...[1, 2].flatMap(() => [message('B', '\0put\0\0\0\0\0\0\0'), message('E', '\0\0\0\0\0'), message('S', '')]),
  ]);
  for (const size of [1, 2, 3, 7, stream.length]) {
    const traffic = { roundTrips: 0, statements: 0, writes: 0 };
    const read = createReader(traffic);
    for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size));
    t.deepEqual(traffic, { roundTrips: 2, statements: 2, writes: 2 }, `${size}`);
  }
});
