import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import type { Account } from '../../../server/accounts/accounts.ts';
import { runOnce } from '../../../server/db/jobs.ts';
import { OUTBOX_SCHEMA } from '../../../server/db/outbox.ts';
import type { SessionId } from '../../../server/lib/ids.ts';
import { send } from '../../support/browser.ts';
import { startSink, statesOf, unlockNow, untilReceipt } from '../../support/logout_sink.ts';
import { originOf, startTestServer, type TestServer } from '../../support/server.ts';
import { signedInBrowser } from '../../support/signed_in.ts';
import { administer } from '../../support/template.ts';
import { realmYaml, visit } from './setup.ts';

const AUTH = originOf('auth');
const SECRET = 'test-secret-0123456789-abcdefghijklmnopqrstuvwxyz';
const NAMES = ['one', 'two', 'three', 'four', 'slow'];

/** Two nodes over one database, and a sink. The tests stop and kill workers, so each has its own; one after the other, lest they starve each other. */
async function startTwo(t: { teardown(work: () => unknown): void }) {
  const sink = await startSink();
  const first = await startTestServer({
    yaml: realmYaml(
      sink.urlOf,
      NAMES.map((id) => ({ id })),
    ),
    env: { CAUSEWAY_SECRET: SECRET },
  });
  const others: TestServer[] = [];
  const startSecond = async () => {
    const second = await startTestServer({ database: first.database, env: { CAUSEWAY_SECRET: SECRET } });
    others.push(second);
    return second;
  };
  t.teardown(async () => {
    sink.release();
    for (const other of others) await other.close();
    await first.close();
    await sink.close();
  });
  return { sink, first, startSecond };
}

const signOut = (browser: { fetch(url: string): Promise<{ status: number }> }) =>
  browser.fetch(`${AUTH}/api/auth/v1/logout`);

test.serial(
  'reliability R-85, security 131: an endpoint that hangs delays neither the reader nor the other clients',
  async (t) => {
    const { sink, first } = await startTwo(t);
    sink.plan('slow', 'hang');
    const begin = () => signedInBrowser(first, ['auth']);
    const [readers, last] = [await Promise.all(Array.from({ length: 16 }, begin)), await begin()];
    for (const { account, session } of readers) await note(first, account, session.id, 'slow');
    await visit(first, last.browser, NAMES);
    // More sign-outs than there are workers, all for the one that hangs.
    for (const { browser } of readers.slice(0, 3)) t.is((await signOut(browser)).status, 204);
    await sink.untilCalled('slow', 3);
    for (const { browser } of [...readers.slice(3), last]) t.is((await signOut(browser)).status, 204);
    for (const client of NAMES.slice(0, 4))
      await untilReceipt(first, { session: last.session.id, client, state: 'acknowledged' });
    t.true(sink.callsOf('slow').length < 10, `${sink.callsOf('slow').length} workers wait for it`);
    t.is((await statesOf(first, last.session.id))['slow'], 'pending');
  },
);

test.serial(
  'Back-Channel Logout §2.7, RP-Initiated Logout: the client that sent the reader knows of the end before the reader is back',
  async (t) => {
    const { sink, first } = await startTwo(t);
    const { session, browser } = await signedInBrowser(first, ['auth']);
    const { one } = await visit(first, browser, ['one', 'slow']);
    sink.plan('slow', 'hang');
    const answer = await browser.navigate(`${AUTH}/oauth/end_session?id_token_hint=${one}`, {
      from: 'https://rp.example/',
    });
    t.is(answer.location, '/signed-out');
    t.is((await statesOf(first, session.id))['one'], 'acknowledged');
    t.is((await statesOf(first, session.id))['slow'], 'pending');
  },
);

test.serial('RP-Initiated Logout: a client that hangs does not keep the reader that it sent', async (t) => {
  const { sink, first } = await startTwo(t);
  const { session, browser } = await signedInBrowser(first, ['auth']);
  const { slow } = await visit(first, browser, ['slow']);
  sink.plan('slow', 'hang');
  const answer = await browser.navigate(`${AUTH}/oauth/end_session?id_token_hint=${slow}`, {
    from: 'https://rp.example/',
  });
  t.is(answer.location, '/signed-out');
  t.is(sink.held.size, 1);
  t.is((await statesOf(first, session.id))['slow'], 'pending');
});

test.serial('reliability R-44: what was committed while no worker ran is delivered once one does', async (t) => {
  const { sink, first, startSecond } = await startTwo(t);
  await first.services.outbox.close();
  const { session, browser } = await signedInBrowser(first, ['auth']);
  await visit(first, browser, ['one', 'two']);
  t.is((await signOut(browser)).status, 204);
  t.deepEqual(await statesOf(first, session.id), { one: 'pending', two: 'pending' });
  t.is(sink.calls.length, 0);
  const second = await startSecond();
  for (const client of ['one', 'two'])
    await untilReceipt(second, { session: session.id, client, state: 'acknowledged' });
  t.is(sink.calls.length, 2);
});

test.serial('a sign-out that is rolled back tells nobody', async (t) => {
  const { first } = await startTwo(t);
  const { account, session, browser } = await signedInBrowser(first, ['auth', 'news']);
  await visit(first, browser, ['one']);
  const { db, sessions } = first.services;
  const ended = db.transaction(async (q) => {
    await sessions.revoke(
      q,
      { id: session.id, realmId: account.realmId, accountId: account.id },
      { reason: 'operator', address: null },
    );
    throw new Error('rolled back');
  });
  await t.throwsAsync(ended, { message: 'rolled back' });
  t.deepEqual(await statesOf(first, session.id), {});
  t.deepEqual((await db.builder(`${OUTBOX_SCHEMA}.jobs`).select('id')).length, 0);
  t.is((await db.builder('session_clients').where({ session_id: session.id })).length, 1);
});

test.serial('two nodes deliver each once', async (t) => {
  const { sink, first, startSecond } = await startTwo(t);
  const second = await startSecond();
  const readers = await Promise.all(
    Array.from({ length: 8 }, () => signedInBrowser(first, ['auth'], [first.port, second.port])),
  );
  for (const { browser } of readers) await visit(first, browser, ['one', 'two']);
  await Promise.all(readers.map(({ browser }) => signOut(browser)));
  for (const { session } of readers)
    for (const client of ['one', 'two'])
      await untilReceipt(first, { session: session.id, client, state: 'acknowledged' });
  t.is(sink.calls.length, 16);
  t.is(new Set(sink.calls.map(({ name, claims }) => `${name} ${claims['sid']}`)).size, 16);
});

test.serial(
  'reliability R-44: a node killed between the commit and the answer of the clients loses nothing',
  async (t) => {
    const { sink, first } = await startTwo(t);
    const port = await freePort();
    sink.plan('one', 'hang');
    const readers = await Promise.all(Array.from({ length: 5 }, () => signedInBrowser(first, ['auth'])));
    for (const { browser } of readers) await visit(first, browser, ['one', 'two']);
    await first.services.outbox.close();
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../../server/main.ts')], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: first.database.url,
        CAUSEWAY_SECRET: SECRET,
        PORT: String(port),
        CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const isListening = new Promise<void>((resolve) =>
      child.stdout.on('data', (line: Buffer) => line.includes('"listening"') && resolve()),
    );
    await isListening;
    for (const { browser } of readers) {
      const answer = await send(port, `${AUTH}/api/auth/v1/logout`, {
        headers: {
          Cookie: browser.cookieHeader(new URL(AUTH).host),
          'Sec-Fetch-Site': 'same-origin',
          'Sec-Fetch-Mode': 'cors',
          'Sec-Fetch-Dest': 'empty',
        },
      });
      t.is(answer.status, 204);
    }
    await sink.untilCalled('one', 1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    sink.plan('one', 200);

    const third = await startTestServer({ database: first.database, env: { CAUSEWAY_SECRET: SECRET } });
    t.teardown(() => third.close());
    await unlockNow(third);
    for (const { session } of readers)
      for (const client of ['one', 'two'])
        await untilReceipt(third, { session: session.id as SessionId, client, state: 'acknowledged' });
    for (const { session } of readers) t.true(sink.callsOf('one', session.id).length >= 1);
  },
);

test.serial('reliability: workers whose connections are cut go on', async (t) => {
  const { first } = await startTwo(t);
  const { session, browser } = await signedInBrowser(first, ['auth']);
  await visit(first, browser, ['one']);
  await administer(
    first.database.url,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'causeway-outbox' and datname = current_database()`,
  );
  await signOut(browser);
  await untilReceipt(first, { session: session.id, client: 'one', state: 'acknowledged' });
  t.pass();
});

test.serial('reliability: a worker that cannot put a job back is started again, and the process lives', async (t) => {
  const { sink, first } = await startTwo(t);
  const { session, browser } = await signedInBrowser(first, ['auth']);
  await visit(first, browser, ['one']);
  sink.plan('one', 'hang');
  await signOut(browser);
  await sink.untilCalled('one', 1);
  const { url } = first.database;
  await administer(url, `alter table ${OUTBOX_SCHEMA}._private_jobs rename to away`);
  sink.plan('one', 200);
  sink.release();
  await untilReceipt(first, { session: session.id, client: 'one', state: 'retrying' });
  while (!first.lines.some((line) => line.includes('workers ended')))
    await new Promise((resolve) => setTimeout(resolve, 20));
  await administer(url, `alter table ${OUTBOX_SCHEMA}.away rename to _private_jobs`);
  await unlockNow(first);
  await untilReceipt(first, { session: session.id, client: 'one', state: 'acknowledged' });
  t.pass();
});

test.serial('a receipt whose job is used up without a word is given up', async (t) => {
  const { first } = await startTwo(t);
  await first.services.outbox.close();
  const { session, browser } = await signedInBrowser(first, ['auth']);
  await visit(first, browser, ['one', 'two']);
  await signOut(browser);
  const { db, backChannelLogout } = first.services;
  await db.builder.raw(
    `update ${OUTBOX_SCHEMA}._private_jobs set attempts = max_attempts where key in (select 'logout:' || l.id from logout_receipts l join clients c on c.id = l.client_row_id where c.client_id = 'one')`,
  );
  await first.database.moveClock(3601);
  for (const job of backChannelLogout.jobs) await runOnce(db, job);
  t.deepEqual(await statesOf(first, session.id), { one: 'gave-up', two: 'pending' });
});

/** Notes a client for a session as its tokens would have. */
async function note(server: TestServer, account: Account, session: SessionId, clientId: string) {
  const { db, clients, backChannelLogout } = server.services;
  const client = await clients.find(account.realmId, clientId);
  const family = { sid: session, clientRowId: client!.id, realmId: account.realmId };
  await backChannelLogout.noteClient(db, family, account.sub);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
