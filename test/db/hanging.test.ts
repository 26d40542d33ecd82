// A PostgreSQL that stands still: it does not commit, since the standby that it waits for is gone, or it does nothing at all.
// One of this file's own, so that it can be brought to that. One test after the other: it stands still for all of them.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import pg from 'pg';
import { openEmbedded } from '../../server/db/embedded.ts';
import { migrate } from '../../server/db/migrate.ts';
import { asHost } from '../../server/lib/ids.ts';
import { issueDirectly, landingWith, liveSession } from '../oauth/flow.ts';
import { type Answer, send } from '../support/browser.ts';
import { until } from '../support/raw.ts';
import { createRelyingParty, putClients, signedInReader } from '../support/relying_party.ts';
import { HOSTS, originOf, REALM_YAML, startTestServer } from '../support/server.ts';
import { beginSession } from '../support/signed_in.ts';

// Promised are 3 s of a machine that has time. On a busy one it is shown that nobody waits for the statement itself, which ends after 6.
const LONGEST_MS = 5000;

const folder = join(tmpdir(), `causeway-hanging-${randomBytes(6).toString('hex')}`);
const postgres = await openEmbedded({ folder, mayAdopt: false, flags: ['fsync=off'] });
await migrate(postgres.url);
const database = { url: postgres.url, moveClock: async () => {}, drop: async () => {} };
const env = { CAUSEWAY_DATABASE_CONNECTIONS: '10', CAUSEWAY_SESSION_MEMORY: '0' };
const server = await startTestServer({ database, env });
await server.apply(REALM_YAML);
await putClients(server, [{ id: 'rp', require_pkce: false, consent: 'implied', scopes: ['openid', 'offline_access'] }]);
const admin = new pg.Client({ connectionString: postgres.url });
await admin.connect();
const { db } = server.services;
const rp = createRelyingParty(server, 'rp');
const account = await server.makeAccount();
const session = await beginSession(server, account, ['auth', 'news']);
const live = await liveSession(server, session);
test.after.always(async () => {
  await admin.end();
  await server.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});
const me = () =>
  send(server.port, `${originOf('news')}/api/auth/v1/users/me`, { headers: { Cookie: session.cookies['news'] } });
const land = ({ code, flowCookie }: { code: string; flowCookie: string }) =>
  send(server.port, landingWith(code), { headers: { Cookie: flowCookie } });

/** An answer, and the milliseconds until it came. */
async function timed(answer: Promise<Answer>): Promise<{ status: number; ms: number; retryAfter: unknown }> {
  const startedAt = performance.now();
  const { status, headers } = await answer;
  return { status, ms: performance.now() - startedAt, retryAfter: headers['retry-after'] };
}

async function commitsHang(isHanging: boolean) {
  await admin.query(`alter system set synchronous_standby_names = '${isHanging ? 'gone' : ''}'`);
  await admin.query('select pg_reload_conf()');
  // Told by a signal: each of its processes reads it when it comes to.
  await until(
    async () =>
      (await db.builder.raw('show synchronous_standby_names')).rows[0].synchronous_standby_names !==
      (isHanging ? '' : 'gone'),
  );
}

test.serial(
  'reliability R-33, R-42: while no commit comes back who is signed in stays so on every page view, and writes are turned away before their statement ends',
  async (t) => {
    const codes: { code: string; flowCookie: string }[] = [];
    while (codes.length < 40) codes.push(await issueDirectly(server, live));
    await commitsHang(true);
    try {
      const writes: ReturnType<typeof timed>[] = [];
      const reads: ReturnType<typeof timed>[] = [];
      for (const code of codes) {
        writes.push(timed(land(code)));
        reads.push(timed(me()));
        await sleep(40);
      }
      for (const { status, ms } of await Promise.all(reads)) {
        t.is(status, 200);
        t.true(ms < LONGEST_MS, `${ms} ms`);
      }
      for (const { status, ms, retryAfter } of await Promise.all(writes)) {
        t.is(status, 503);
        t.true(ms < LONGEST_MS, `${ms} ms`);
        t.true(Number(retryAfter) >= 1);
      }
    } finally {
      await commitsHang(false);
    }
  },
);

test.serial('reliability R-33, R-42: transactions that hang leave connections for reading, too', async (t) => {
  await commitsHang(true);
  try {
    const hanging = Array.from({ length: 20 }, () =>
      db.transaction((q) =>
        q.builder('accounts').insert({ realm_id: account.realmId, sub: randomBytes(8).toString('hex') }),
      ),
    );
    const failed = Promise.allSettled(hanging);
    await until(() => db.pool().used >= 6);
    for (let nr = 0; nr < 5; nr++) t.is((await me()).status, 200);
    t.true((await failed).every(({ status }) => status === 'rejected'));
  } finally {
    await commitsHang(false);
  }
});

test.serial(
  'reliability R-32: while PostgreSQL is frozen every usual request is answered 503 before its statement ends',
  async (t) => {
    const { browser } = await signedInReader(server);
    const tokens = [await rp.signIn(browser), await rp.signIn(browser)];
    const codes = [await issueDirectly(server, live), await issueDirectly(server, live)];
    const postmaster = await findPostmaster();
    const ask = (nr: number) => [
      timed(rp.refresh(tokens[nr].refresh_token)),
      timed(rp.post('/oauth/introspect', { token: tokens[nr].access_token })),
      timed(land(codes[nr] as { code: string; flowCookie: string })),
      timed(me()),
    ];
    const { realms } = server.services;
    const inMemory = () => realms.peekSite(asHost(HOSTS.news)) !== null;
    for (const isWarm of [true, false]) {
      if (isWarm) t.is((await me()).status, 200);
      else await db.transaction((q) => realms.announce(q));
      await until(() => inMemory() === isWarm);
      const pids = freeze(postmaster);
      try {
        // Some come when what was in memory at first has to be asked for again.
        const first = ask(0);
        await sleep(3500);
        for (const { status, ms } of await Promise.all([...first, ...ask(1)])) {
          t.is(status, 503);
          t.true(ms < LONGEST_MS, `${ms} ms`);
        }
      } finally {
        signal(pids, 'SIGCONT');
      }
      await until(async () => (await me()).status === 200);
    }
  },
);

async function findPostmaster(): Promise<number> {
  const { pid } = (await admin.query('select pg_backend_pid() as pid')).rows[0];
  return Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Stops the postmaster, which then starts nobody any more, and all that it has started. @returns whom */
function freeze(postmaster: number): number[] {
  signal([postmaster], 'SIGSTOP');
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(postmaster)]).toString();
  const all = [postmaster, ...children.trim().split(/\s+/).map(Number)];
  signal(all, 'SIGSTOP');
  return all;
}

/** Those that have ended meanwhile are left out. */
function signal(pids: readonly number[], name: NodeJS.Signals) {
  for (const pid of pids) if (existsSync(`/proc/${pid}`)) process.kill(pid, name);
}
