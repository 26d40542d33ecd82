// The mail server is down, slow, full or unwilling; nodes stop and start. Each test changes the mailbox of all, so they run
// one after the other.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import { runOnce } from '../../server/db/jobs.ts';
import { OUTBOX_SCHEMA } from '../../server/db/outbox.ts';
import { tokenIn } from '../challenges/setup.ts';
import { unlockNow } from '../support/logout_sink.ts';
import { type Mailbox, startMailbox } from '../support/mailbox.ts';
import { API, postJson } from '../support/raw.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { retryNow, sendCode, undelivered, untilWaiting } from './setup.ts';

let mailbox: Mailbox;
let server: TestServer;
test.beforeEach(async () => {
  mailbox = await startMailbox();
  server = await startTestServer({ mailbox });
});
test.afterEach.always(async () => {
  await server.close();
  await mailbox.close();
});

async function timed<T>(ask: () => Promise<T>): Promise<{ answer: T; took: number }> {
  const started = performance.now();
  const answer = await ask();
  return { answer, took: performance.now() - started };
}

/** Seconds until the next try of the one message that waits. */
async function pauseSeconds(): Promise<number> {
  const { rows } = await server.services.db.builder.raw(
    `select extract(epoch from run_at - now())::float8 as pause from ${OUTBOX_SCHEMA}._private_jobs where key like 'message:%'`,
  );
  return Number(rows[0]?.pause);
}

test.serial(
  'reliability R-83: with the mail server down nobody waits; once it is back everything arrives within 30 s, once each',
  async (t) => {
    await mailbox.become('down');
    const addresses = Array.from({ length: 20 }, (_, index) => `reader-${index}@example.com`);
    const started = performance.now();
    for (const address of addresses) await sendCode(server, address);
    t.true((performance.now() - started) / addresses.length < 500);
    await untilWaiting(server, (rows) => rows.length === 20 && rows.every(({ attempts }) => attempts >= 1));
    // The pauses grow no further than this, however long the outage was.
    await server.services.db.builder('outgoing_messages').update({ attempts: 1000 });
    await retryNow(server);
    await untilWaiting(server, (rows) => rows.every(({ attempts }) => attempts > 1000));
    t.true((await pauseSeconds()) <= 10);
    await mailbox.become('up');
    const back = performance.now();
    for (const address of addresses) await mailbox.next(address);
    t.true(performance.now() - back < 30_000);
    await untilWaiting(server, (rows) => rows.length === 0);
    t.is(mailbox.mails.length, 20);
    t.is(new Set(mailbox.mails.map(({ parsed }) => parsed.messageId)).size, 20);
  },
);

test.serial(
  'reliability R-83: with the mail server down a forgotten password is answered at once, for an account and for none; the link arrives later, once',
  async (t) => {
    const account = await server.makeAccount();
    await mailbox.become('down');
    const ask = (email: string) => postJson(server.port, `${API}/users/forgot-password`, { email });
    const answers = [await timed(() => ask(account.email)), await timed(() => ask('nobody@example.com'))] as const;
    for (const { answer, took } of answers) {
      t.is(answer.status, 200);
      t.is(answer.text, answers[0].answer.text);
      t.true(took < 500, `${took} ms`);
    }
    await untilWaiting(server, (rows) => rows.length === 1 && rows.every(({ attempts }) => attempts >= 1));
    t.is(mailbox.to(account.email).length, 0);
    await mailbox.become('up');
    const back = performance.now();
    const { link } = await mailbox.next(account.email);
    t.true(performance.now() - back < 30_000);
    await untilWaiting(server, (rows) => rows.length === 0);
    t.is(mailbox.mails.length, 1);
    const password = 'a password chosen after the outage';
    const form = { token: tokenIn(link), 'new-password': password, 'confirm-password': password };
    t.is((await postJson(server.port, `${API}/users/reset-password-with-token`, form)).status, 200);
    t.is((await postJson(server.port, `${API}/login`, { email: account.email, password })).status, 200);
  },
);

test.serial(
  'reliability R-83: a slow mail server delays neither the sender nor other work, and gets each mail once',
  async (t) => {
    await mailbox.become({ slowMs: 3000 });
    const started = performance.now();
    await sendCode(server, 'slow@example.com');
    t.true(performance.now() - started < 500);
    await mailbox.next('slow@example.com');
    await untilWaiting(server, (rows) => rows.length === 0);
    t.is(mailbox.mails.length, 1);
  },
);

test.serial('a server that says 450 is asked again, with the same message', async (t) => {
  await mailbox.become(450);
  await sendCode(server, 'busy@example.com');
  await untilWaiting(server, ([row]) => row?.attempts === 1 && row.last_status === 450);
  const [{ id }] = await server.services.db.builder('outgoing_messages').select('id');
  await mailbox.become('up');
  await retryNow(server);
  const mail = await mailbox.next('busy@example.com');
  t.is(mail.parsed.messageId, `<${id}@auth.test.localhost>`);
  t.deepEqual(await undelivered(server), []);
});

test.serial(
  'a recipient that the server refuses for good is tried once, and the audit log says so without the address',
  async (t) => {
    await mailbox.become(550);
    await sendCode(server, 'nobody.here@example.com');
    await untilWaiting(server, (rows) => rows.length === 0);
    t.is(mailbox.tries(), 1);
    t.deepEqual(await undelivered(server), [
      { template: 'sign-in-code', channel: 'email', reason: 'refused', status: 550 },
    ]);
    t.false(server.lines.join('\n').includes('nobody.here'));
  },
);

test.serial(
  'reliability R-44: a code that expired while the mail server was down is dropped and audited; a notice is kept',
  async (t) => {
    await mailbox.become('down');
    await sendCode(server, 'late@example.com', { expiresInSeconds: 600 });
    await sendCode(server, 'notice@example.com', { expiresInSeconds: null });
    await untilWaiting(server, (rows) => rows.length === 2 && rows.every(({ attempts }) => attempts >= 1));
    await server.database.moveClock(601);
    await mailbox.become('up');
    await mailbox.next('notice@example.com');
    await untilWaiting(server, (rows) => rows.length === 0);
    t.is(mailbox.to('late@example.com').length, 0);
    t.deepEqual(await undelivered(server), [
      { template: 'sign-in-code', channel: 'email', reason: 'expired', status: 0 },
    ]);
  },
);

test.serial('a notice is given up after a day', async (t) => {
  await mailbox.become('down');
  await sendCode(server, 'never@example.com', { expiresInSeconds: null });
  await untilWaiting(server, ([row]) => (row?.attempts ?? 0) >= 1);
  await server.database.moveClock(86_401);
  await retryNow(server);
  await untilWaiting(server, (rows) => rows.length === 0);
  t.like((await undelivered(server))[0], { reason: 'gave-up' });
});

test.serial('reliability R-44: what was queued when the node stopped is sent by the next one', async (t) => {
  await mailbox.become('down');
  await sendCode(server, 'first@example.com');
  await untilWaiting(server, ([row]) => (row?.attempts ?? 0) >= 1);
  await server.services.outbox.close();
  await sendCode(server, 'second@example.com');
  await mailbox.become('up');
  const next = await startTestServer({ database: server.database, mailbox });
  t.teardown(() => next.close());
  await mailbox.next('first@example.com');
  await mailbox.next('second@example.com');
  await untilWaiting(server, (rows) => rows.length === 0);
  t.is(mailbox.mails.length, 2);
});

test.serial('reliability R-44: a node killed in the middle of a try leaves the mail to another', async (t) => {
  await server.services.outbox.close();
  await mailbox.become('hang');
  await sendCode(server, 'orphan@example.com');
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../server/main.ts')], {
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: server.database.url,
      CAUSEWAY_SECRET: server.services.secrets[0],
      PORT: '0',
      SMTP_URL: mailbox.url,
      CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1',
    },
    stdio: 'ignore',
  });
  await mailbox.until(() => mailbox.tries() > 0 || null);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await mailbox.become('up');
  const next = await startTestServer({ database: server.database, mailbox });
  t.teardown(() => next.close());
  await unlockNow(next);
  const mail = await mailbox.next('orphan@example.com');
  t.is(mail.code, '482913');
  t.is(mailbox.mails.length, 1);
});

test.serial('two nodes send each mail once', async (t) => {
  const second = await startTestServer({ database: server.database, mailbox });
  t.teardown(() => second.close());
  const addresses = Array.from({ length: 40 }, (_, index) => `two-${index}@example.com`);
  await Promise.all(addresses.map((address, index) => sendCode(index % 2 ? server : second, address)));
  for (const address of addresses) await mailbox.next(address);
  await untilWaiting(server, (rows) => rows.length === 0);
  t.is(mailbox.mails.length, 40);
});

test.serial('a message whose job is used up by errors of ours gets a new one', async (t) => {
  await server.services.outbox.close();
  await sendCode(server, 'again@example.com', { expiresInSeconds: null });
  await server.services.db.builder.raw(`update ${OUTBOX_SCHEMA}._private_jobs set attempts = max_attempts`);
  await server.database.moveClock(61);
  const next = await startTestServer({ database: server.database, mailbox });
  t.teardown(() => next.close());
  for (const job of next.services.messages.jobs) await runOnce(next.services.db, job);
  t.truthy(await mailbox.next('again@example.com'));
});

test.serial('a transaction that is rolled back sends nothing', async (t) => {
  const { messages, db } = server.services;
  const realmId = (await server.realm()).id;
  const sending = db.transaction(async (q) => {
    await messages.send(q, {
      realmId,
      to: { kind: 'email', address: 'undone@example.com' },
      template: 'account-deleted',
      locale: 'en',
      values: { time: Date.now() },
      expiresInSeconds: null,
    });
    throw new Error('rolled back');
  });
  await t.throwsAsync(sending, { message: 'rolled back' });
  t.deepEqual(await db.builder('outgoing_messages').select('id'), []);
  t.deepEqual(await db.builder(`${OUTBOX_SCHEMA}.jobs`).select('id'), []);
});
