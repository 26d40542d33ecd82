import test from 'ava';
import { DatabaseUnavailable, openDatabase, type Queryable } from '../../server/db/database.ts';
import { readStatement, writeStatement } from '../../server/db/statement.ts';
import { createDatabase } from '../support/database.ts';

const PID = readStatement('test.backend_pid', 'select pg_backend_pid() as pid');
const WRITE = writeStatement('test.write_nothing', "select set_config('test.nothing', '', false)");
const ASKED: Record<string, (q: Queryable) => Promise<unknown>> = {
  'a named statement': (q) => q.run(WRITE, []),
  'a statement of the builder': async (q) => q.builder.raw('select 1'),
};

for (const [what, ask] of Object.entries(ASKED))
  test(`reliability R-32, R-43: ${what} that a frozen server leaves unanswered fails, and the next one gets another connection`, async (t) => {
    const database = await createDatabase();
    const db = openDatabase({
      url: database.url,
      poolSize: 1,
      applicationName: 'test',
      namedStatements: true,
      changes: { settle: async () => undefined, settleAll: async () => undefined },
    });
    const pid = Number((await db.run(PID, []))[0]?.['pid']);
    process.kill(pid, 'SIGSTOP');
    try {
      const error = await t.throwsAsync(ask(db));
      const cause = error instanceof DatabaseUnavailable ? error.cause : error;
      t.regex((cause as Error).message, /Query read timeout$/);
      t.not(Number((await db.run(PID, []))[0]?.['pid']), pid);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await db.close();
    await database.drop();
  });
