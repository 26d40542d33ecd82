import { setImmediate as immediate } from 'node:timers/promises';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { openDatabase } from '../../server/db/database.ts';
import { readStatement } from '../../server/db/statement.ts';
import { createDatabase } from '../support/database.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
const ROWS = 500;
const MANY = readStatement('test.many_rows', `select n, 'row ' || n as name from generate_series(1, ${ROWS}) as n`);
const oldBytes = () => getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')?.space_used_size ?? 0;

test('DECISIONS 92: the rows of a statement do not outlive a collection of the young', async (t) => {
  const database = await createDatabase();
  const changes = { settle: async () => undefined, settleAll: async () => undefined };
  const db = openDatabase({
    url: database.url,
    poolSize: 1,
    applicationName: 'test',
    namedStatements: true,
    changes,
  });
  const ask = async (times: number) => {
    for (let time = 0; time < times; time++) {
      t.is((await db.run(MANY, [])).length, ROWS);
      // What survives two of them is old: by the second one, nothing but garbage may hold these rows.
      await immediate();
      collect({ type: 'minor' });
    }
  };
  await ask(20);
  collect();
  const before = oldBytes();
  await ask(100);
  const perRow = (oldBytes() - before) / (100 * ROWS);
  t.log(`${perRow.toFixed(1)} bytes a row became old`);
  // A row takes some 100.
  t.true(perRow < 10);
  await db.close();
  await database.drop();
});
