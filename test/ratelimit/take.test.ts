// Limits that are taken together: in turn, by one statement, and given back the same way.

import test from 'ava';
import type { Take } from '../../server/ratelimit/ratelimit.ts';
import { startTestServer } from '../support/server.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const { db, rateLimits } = server.services;

let numbers = 0;
/** A narrow and a wide limit of a test's own. */
function makeTakes(narrow: number, wide: number): [Take, Take] {
  const key = `test-${++numbers}`;
  return [
    { policy: 'sign-in-address', key, points: narrow, seconds: 60 },
    { policy: 'sign-in-realm', key, points: wide, seconds: 600 },
  ];
}
async function pointsOf(takes: readonly Take[]): Promise<number[]> {
  const names = takes.map(({ policy, key }) => `${policy}:${key}`);
  const rows = await db.builder('rate_limits').select('key', 'points').whereIn('key', names);
  return names.map((name) => rows.find(({ key }) => key === name)?.points ?? 0);
}

test('what the narrow limit refuses uses up nothing of the wide one, and is told which it was and for how long', async (t) => {
  const takes = makeTakes(2, 10);
  t.deepEqual(await rateLimits.take(takes), { isAllowed: true });
  t.deepEqual(await rateLimits.take(takes), { isAllowed: true });
  const refused = await rateLimits.take(takes);
  t.like(refused, { isAllowed: false, policy: 'sign-in-address' });
  if (refused.isAllowed) return t.fail();
  t.true(refused.retryAfterSeconds > 50 && refused.retryAfterSeconds <= 60);
  t.deepEqual(await pointsOf(takes), [3, 2]);
  const [, wide] = takes;
  t.like(await rateLimits.take([{ ...wide, points: 2 }]), { isAllowed: false, policy: 'sign-in-realm' });
});

test('what is given back may be taken again, and a count never falls below nothing', async (t) => {
  const takes = makeTakes(1, 10);
  await rateLimits.take(takes);
  await rateLimits.giveBack(takes);
  t.deepEqual(await pointsOf(takes), [0, 0]);
  await rateLimits.giveBack(takes);
  t.deepEqual(await pointsOf(takes), [0, 0]);
  t.true((await rateLimits.take(takes)).isAllowed);
  t.false((await rateLimits.take(takes)).isAllowed);
});

test('when the window is over counting begins anew, with a window of its own', async (t) => {
  const takes = makeTakes(1, 10);
  await rateLimits.take(takes);
  await db
    .builder('rate_limits')
    .where({ key: `sign-in-address:${takes[0].key}` })
    .update({ expire: Date.now() - 1 });
  t.true((await rateLimits.take(takes)).isAllowed);
  t.deepEqual(await pointsOf(takes), [1, 2]);
  t.false((await rateLimits.take(takes)).isAllowed);
});

test('reliability R-25: of many at once exactly as many pass as may, while others give back, and nobody waits for each other', async (t) => {
  const takes = makeTakes(15, 1000);
  const others = makeTakes(1000, 1000);
  const shared: Take[] = [others[0], takes[1]];
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async () => {
      await rateLimits.take(shared);
      const taken = await rateLimits.take(takes);
      await rateLimits.giveBack(shared);
      return taken.isAllowed;
    }),
  );
  t.is(outcomes.filter(Boolean).length, 15);
  t.deepEqual(await pointsOf([takes[1], others[0]]), [15, 0]);
});
