// One file of its own, in series: it moves the clock of its database.

import test from 'ava';
import { runOnce } from '../../server/db/jobs.ts';
import { deleteExpired } from '../../server/sessions/store.ts';
import { authorizeUrl } from '../support/browser.ts';
import { AUTH } from '../support/raw.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer();
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const { db } = server.services;
const count = async (table: string) => Number((await db.builder(table).count())[0]?.['count']);
const jobNamed = (name: string) => {
  const { rateLimits, sessions } = server.services;
  const job = [...rateLimits.jobs, ...sessions.jobs, ...server.services.oauth.jobs].find((one) => one.name === name);
  if (!job) throw new Error(`no job ${name}`);
  return job;
};

test.serial(
  'reliability R-45: a job runs on one node at a time: who does not get the lock leaves its turn out',
  async (t) => {
    let running = 0;
    let runs = 0;
    let entered = () => {};
    let release = () => {};
    const isEntered = new Promise<void>((resolve) => (entered = resolve));
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    const job = {
      name: 'test.job',
      everySeconds: 1,
      run: async () => {
        runs++;
        t.is(++running, 1);
        entered();
        await isReleased;
        running--;
        return true;
      },
    };
    const first = runOnce(db, job);
    await isEntered;
    t.false(await runOnce(second.services.db, job), 'the other node skips');
    t.false(await runOnce(db, job), 'and so does the same one');
    const other = await runOnce(second.services.db, { ...job, name: 'test.other', run: async () => true });
    t.true(other, 'another job is not held up');
    release();
    t.true(await first);
    t.is(runs, 1);
    t.true(await runOnce(second.services.db, job), 'the lock is free again');
  },
);

test.serial('reliability R-45: sweeps delete counters whose window is over, and no others', async (t) => {
  const now = Date.now();
  await db.builder('rate_limits').delete();
  await db.builder('rate_limits').insert([
    { key: 'over', points: 1, expire: now - 120_000 },
    { key: 'running', points: 1, expire: now + 600_000 },
  ]);
  await runOnce(db, jobNamed('ratelimit.sweep'));
  t.deepEqual(await db.builder('rate_limits').pluck('key'), ['running']);
});

test.serial(
  'reliability R-45: sweeps delete expired codes and sessions with their domain sessions, in batches, and no live one',
  async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser();
    await browser.signInThrough(originOf('news'), account, PASSWORD, 'news');
    t.is(await count('authorization_codes'), 1);
    await runOnce(db, jobNamed('oauth.sweep'));
    await runOnce(db, jobNamed('sessions.sweep'));
    t.is(await count('authorization_codes'), 1, 'a fresh code stays, for a replay to be recognised');
    t.is((await browser.me(originOf('news'))).status, 200);

    await server.database.moveClock(2 * 3600);
    await runOnce(db, jobNamed('oauth.sweep'));
    t.is(await count('authorization_codes'), 0);
    t.is((await browser.me(originOf('news'))).status, 200);

    await server.database.moveClock(31 * 86_400);
    t.is((await browser.me(originOf('news'))).status, 401, 'over before it is swept');
    const late = server.browser();
    await late.signInThrough(originOf('news'), account, PASSWORD, 'news');
    await db.builder.raw(
      `insert into sessions (id, realm_id, account_id, amr, last_seen_host, idle_seconds, idle_expires_at, expires_at)
     select gen_random_uuid(), ?, ?, '{pwd}', 'x', 60, causeway_now(), causeway_now() from generate_series(1, 1500)`,
      [account.realmId, account.id],
    );
    t.true(await runOnce(db, jobNamed('sessions.sweep')), 'a full batch says that there is more');
    t.false(await runOnce(db, jobNamed('sessions.sweep')));
    t.is(await count('sessions'), 1);
    t.is(await count('domain_sessions'), 2, 'auth domain and news of the live one');
    t.is((await late.me(originOf('news'))).status, 200);
    t.is(
      (await late.follow(authorizeUrl(originOf('sports'), 'sports', `${originOf('sports')}/`))).hops.some((hop) =>
        hop.startsWith(`${AUTH}/login`),
      ),
      false,
    );
  },
);

test.serial(
  'reliability R-45: of a large table a sweep looks for idle sessions in a part, and in the end finds all',
  async (t) => {
    const { id, realmId } = await server.makeAccount();
    const before = await count('sessions');
    await db.builder.raw(
      `insert into sessions (id, realm_id, account_id, amr, last_seen_host, idle_seconds, idle_expires_at, expires_at)
     select gen_random_uuid(), ?, ?, '{pwd}', 'x', 60, causeway_now(), causeway_now() + interval '1 day' from generate_series(1, 3000)`,
      [realmId, id],
    );
    await db.builder.raw('analyze sessions');
    const left = async () => (await count('sessions')) - before;
    // Which pages are looked at is chance: some 3 % each time.
    await db.transaction((q) => deleteExpired(q, 100));
    t.true((await left()) > 1500, 'a small part was looked at');
    // Each page is missed a thousand times with a chance of 10 to the power of minus 13.
    for (let run = 0; run < 1000 && (await left()) > 0; run++) await db.transaction((q) => deleteExpired(q, 100));
    t.is(await left(), 0);
  },
);
