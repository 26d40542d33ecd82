import test from 'ava';
import { openNotifications } from '../../server/db/notify.ts';
import { createLog } from '../../server/lib/log.ts';
import { createDatabase } from '../support/database.ts';
import { startForwarder } from '../support/forwarder.ts';
import { until } from '../support/raw.ts';
import { administer } from '../support/template.ts';

const log = createLog({ level: 'silent' });

async function open(url: string) {
  const messages: string[] = [];
  let gaps = 0;
  const notifications = openNotifications({ url, log });
  notifications.listen('test_channel', {
    onMessage: (payload) => void messages.push(payload),
    onGap: () => void gaps++,
  });
  await notifications.start();
  return { notifications, messages, gaps: () => gaps };
}

test('reliability R-22: notifications are heard again after their connection was ended, and the gap is told', async (t) => {
  const database = await createDatabase();
  const { notifications, messages, gaps } = await open(database.url);
  t.is(gaps(), 1, 'before the first connection is a gap too');
  await administer(database.url, "notify test_channel, 'one'");
  await until(() => messages.length === 1);
  for (let round = 2; round < 5; round++) {
    await administer(
      database.url,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'causeway-notifications' and datname = current_database()",
    );
    await until(() => gaps() === round);
    t.true(notifications.isConnected());
    await administer(database.url, `notify test_channel, 'round ${round}'`);
    await until(() => messages.at(-1) === `round ${round}`);
  }
  t.deepEqual(messages, ['one', 'round 2', 'round 3', 'round 4']);
  await notifications.close();
  await database.drop();
});

test('reliability R-22: the first statement without an answer is the end of the connection, not one of many to wait for in turn', async (t) => {
  const database = await createDatabase();
  const forwarder = await startForwarder(database.url);
  const { notifications, messages, gaps } = await open(forwarder.url);
  forwarder.silence();
  const asked = Array.from({ length: 20 }, () =>
    notifications.run({ name: 'test.one', text: 'select 1', kind: 'read' }, []),
  );
  const [first = Promise.resolve()] = asked as Promise<unknown>[];
  await t.throwsAsync(first, { message: /timeout/i });
  t.false(notifications.isConnected());
  const started = performance.now();
  for (const outcome of await Promise.allSettled(asked)) t.is(outcome.status, 'rejected');
  t.log(`the others fail ${Math.round(performance.now() - started)} ms later`);
  forwarder.deafen(false);
  await until(() => gaps() === 2);
  await administer(database.url, "notify test_channel, 'again'");
  await until(() => messages.at(-1) === 'again');
  await notifications.close();
  await forwarder.close();
  await database.drop();
});

test('reliability R-22: a start without PostgreSQL is retried until it is there, and closing stops the retries', async (t) => {
  const database = await createDatabase();
  const forwarder = await startForwarder(database.url);
  forwarder.cut();
  const { notifications, messages, gaps } = await open(forwarder.url);
  t.false(notifications.isConnected());
  forwarder.restore();
  await until(() => gaps() === 1);
  await administer(database.url, "notify test_channel, 'late'");
  await until(() => messages.length === 1);
  await notifications.close();
  t.false(notifications.isConnected());
  await forwarder.close();
  await database.drop();
});

test('a channel that is asked for after the start is heard too', async (t) => {
  const database = await createDatabase();
  const { notifications } = await open(database.url);
  const heard: string[] = [];
  notifications.listen('later_channel', { onMessage: (payload) => void heard.push(payload), onGap: () => undefined });
  await until(async () => {
    await administer(database.url, "notify later_channel, 'x'");
    return heard.length > 0;
  });
  t.is(heard[0], 'x');
  await notifications.close();
  await database.drop();
});
