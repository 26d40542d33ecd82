// Transactions that wait for each other: PostgreSQL ends one of them, and it is tried again.

import test from 'ava';
import type { Statement } from '../../server/db/statement.ts';
import { startTestServer } from '../support/server.ts';

const server = await startTestServer();
test.after.always(() => server.close());

const ADD: Statement = {
  name: 'test.add',
  text: 'update pairs set n = n + 1 where id = $1 returning n',
  kind: 'write',
};

test('reliability: of two transactions that wait for each other both are done in the end', async (t) => {
  const { db } = server.services;
  await db.builder.raw('create table pairs (id integer primary key, n integer not null)');
  await db.builder.raw('insert into pairs values (1, 0), (2, 0)');
  let [tries, started] = [0, 0];
  let release: () => void = () => undefined;
  const both = new Promise<void>((resolve) => {
    release = resolve;
  });
  const crosswise = (first: number, second: number) =>
    db.transaction(async (q) => {
      tries++;
      await q.run(ADD, [first]);
      // Each holds its first row before either asks for its second; a new try finds the other one gone.
      if (++started === 2) release();
      await both;
      await q.run(ADD, [second]);
    });
  await Promise.all([crosswise(1, 2), crosswise(2, 1)]);
  t.is(tries, 3, 'one was tried twice');
  t.deepEqual(await db.builder('pairs').select('n').orderBy('id'), [{ n: 2 }, { n: 2 }]);
});
