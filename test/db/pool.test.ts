import test from 'ava';
import type { Knex } from 'knex';
import { DatabaseUnavailable } from '../../server/db/database.ts';
import { readStatement, writeStatement } from '../../server/db/statement.ts';
import { send } from '../support/browser.ts';
import { API, postJson, until } from '../support/raw.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { administer } from '../support/template.ts';

const server = await startTestServer({ env: { CAUSEWAY_DATABASE_CONNECTIONS: '4' } });
test.after.always(() => server.close());
const { db } = server.services;
const INSERT = writeStatement(
  'test.insert_counter',
  'insert into rate_limits (key, points) values ($1, 1) returning key',
);
const FIND = readStatement('test.find_counter', 'select points from rate_limits where key = $1');
const SLEEP = readStatement('test.sleep', 'select pg_sleep($1::float8)');
const SHOW = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] as const;

/** Past the limit for writes, which leaves part of the pool to reading. */
const hold = <T>(work: (q: Knex.Transaction) => Promise<T>) => db.builder.transaction(work);

// Serial throughout: every test here takes the server's whole pool.
test.serial('reliability R-43: every pooled connection has its time limits', async (t) => {
  const wanted = { statement_timeout: '5s', lock_timeout: '2s', idle_in_transaction_session_timeout: '10s' };
  const all = Promise.withResolvers<void>();
  let asked = 0;
  const held = Array.from({ length: 4 }, () =>
    hold(async (q) => {
      const { rows } = await q.raw(
        `select pg_backend_pid() as pid, ${SHOW.map((name) => `current_setting('${name}') as ${name}`).join(', ')}`,
      );
      const { pid, ...settings } = rows[0];
      t.deepEqual(settings, wanted);
      // Nobody lets go before all four are held.
      if (++asked === 4) all.resolve();
      await all.promise;
      return pid as number;
    }),
  );
  t.is(new Set(await Promise.all(held)).size, 4, 'four connections were asked');
});

test.serial(
  'reliability R-43: a statement that waits for a lock gives up and is reported as unavailable',
  async (t) => {
    await db.run(INSERT, ['locked']);
    await db.transaction(async (q) => {
      await q.builder('rate_limits').where({ key: 'locked' }).update({ points: 2 });
      const error = await t.throwsAsync(db.builder('rate_limits').where({ key: 'locked' }).update({ points: 3 }));
      t.is((error as { code?: string }).code, '55P03');
    });
  },
);

test.serial(
  'a named statement inside a transaction runs on its connection: it sees the writes, and a rollback undoes its own',
  async (t) => {
    const undone = await db
      .transaction(async (q) => {
        await q.builder('rate_limits').insert({ key: 'in-transaction', points: 7 });
        t.deepEqual(await q.run(FIND, ['in-transaction']), [{ points: 7 }], 'sees what the builder wrote');
        t.deepEqual(await q.run(INSERT, ['by-statement']), [{ key: 'by-statement' }]);
        t.is((await q.builder('rate_limits').where({ key: 'by-statement' })).length, 1, 'and the other way round');
        t.deepEqual(await db.run(FIND, ['in-transaction']), [], 'nobody else does');
        throw new Error('undo');
      })
      .catch((error: Error) => error.message);
    t.is(undone, 'undo');
    t.deepEqual(await db.run(FIND, ['in-transaction']), []);
    t.deepEqual(await db.run(FIND, ['by-statement']), []);
    t.is(db.pool().used, 0, 'every connection came back');
  },
);

test.serial(
  'reliability R-38: with every connection taken a request is answered 503 with Retry-After, and served again once they are free',
  async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser();
    await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const holders = Array.from({ length: 4 }, () => hold(() => released));
    await until(() => db.pool().used === 4);
    const answers = await Promise.all([
      browser.me(originOf('news')),
      postJson(server.port, `${API}/login`, { email: account.email, password: PASSWORD }),
      send(server.port, `http://${HOSTS.auth}/login`, {
        headers: { Accept: 'text/html', Cookie: `qt-auth=${'x'.repeat(43)}; __Host-qt-auth=${'x'.repeat(43)}` },
      }),
    ]);
    for (const answer of answers) {
      t.is(answer.status, 503);
      t.true(Number(answer.headers['retry-after']) >= 1);
      t.is(answer.headers['cache-control'], 'no-store');
      t.deepEqual(
        answer.cookies.filter((line) => /^(__Host-)?qt-auth=/.test(line)),
        [],
        'nobody is signed out by it',
      );
    }
    t.regex(answers[2]?.text ?? '', /<html/);
    release();
    await Promise.all(holders);
    t.is((await browser.me(originOf('news'))).status, 200);
    t.is(db.pool().waiting, 0);
  },
);

test.serial(
  'reliability R-35: idle connections that PostgreSQL ends kill nothing, and the next requests are served',
  async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser();
    await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 4 }, () => db.run(SLEEP, [0.01])));
      await administer(
        server.database.url,
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      t.is((await browser.me(originOf('news'))).status, 200);
      t.is((await browser.me(originOf('news'))).json().user.email, account.email);
    }
  },
);

test.serial(
  'reliability R-35: a read whose connection breaks under way is repeated once; a write is reported as unavailable and not repeated',
  async (t) => {
    const breakSoon = async () => {
      await until(async () => {
        const { rows } = await db.builder.raw(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like '%pg_sleep(%' and pid <> pg_backend_pid() and state = 'active'",
        );
        return rows.length > 0;
      });
    };
    const [rows] = await Promise.all([db.run(SLEEP, [0.3]), breakSoon()]);
    t.is(rows.length, 1);
    const WRITE = writeStatement(
      'test.slow_insert',
      'with slow as (select pg_sleep($2::float8)) insert into rate_limits (key, points) select $1, 1 from slow',
    );
    const [error] = await Promise.all([t.throwsAsync(db.run(WRITE, ['written-once', 0.3])), breakSoon()]);
    t.true(error instanceof DatabaseUnavailable);
    t.deepEqual(await db.run(FIND, ['written-once']), []);
  },
);
