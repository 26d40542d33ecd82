import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { FailureOfOne, inOneTurn, writeInOneTurn } from '../../server/lib/one_turn.ts';
import { Overdue } from '../../server/lib/overdue.ts';

/** Work whose groups are noted and end only when told. */
function controlled(options: { patienceMs?: number } = {}) {
  const groups: { asked: readonly number[]; end(): void; fail(error: Error): void }[] = [];
  const ask = inOneTurn((asked: readonly number[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    groups.push({ asked, end: () => resolve(asked.map((one) => one * 10)), fail: reject });
    return promise;
  }, options);
  return { ask, groups };
}

test('who asks in one turn shares one piece of work, and each gets the own outcome', async (t) => {
  const { ask, groups } = controlled();
  const all = Promise.all([1, 2, 3].map(ask));
  await turn();
  t.deepEqual(
    groups.map(({ asked }) => asked),
    [[1, 2, 3]],
  );
  groups[0]?.end();
  t.deepEqual(await all, [10, 20, 30]);
});

test('while a group is under way the next one gathers, and begins when that is done', async (t) => {
  // However slow this machine is.
  const { ask, groups } = controlled({ patienceMs: 3_600_000 });
  const outcomes: Promise<number>[] = [];
  for (const one of [1, 2, 3, 4]) {
    outcomes.push(ask(one));
    await turn();
  }
  t.is(groups.length, 1);
  groups[0]?.end();
  while (groups.length === 1) await turn();
  t.deepEqual(
    groups.map(({ asked }) => asked),
    [[1], [2, 3, 4]],
  );
  groups[1]?.end();
  t.deepEqual(await Promise.all(outcomes), [10, 20, 30, 40]);
});

test('a group that hangs holds nobody else up', async (t) => {
  const { ask, groups } = controlled();
  const stuck = [ask(1), turn().then(() => ask(2))];
  await Promise.all([turn(), turn()]);
  const later = ask(3);
  // Nothing that was begun ends; the one who came later is served all the same.
  while (!groups.some(({ asked }) => asked.includes(3))) await turn();
  groups.find(({ asked }) => asked.includes(3))?.end();
  t.is(await later, 30);
  for (const { end } of groups) end();
  t.deepEqual(await Promise.all(stuck), [10, 20]);
});

test('a failure fails those who came together and nobody after them', async (t) => {
  const { ask, groups } = controlled();
  const together = [ask(1), ask(2)];
  await turn();
  groups[0]?.fail(new Error('down'));
  for (const one of together) await t.throwsAsync(one, { message: 'down' });
  const later = ask(3);
  while (groups.length < 2) await turn();
  groups[1]?.end();
  t.is(await later, 30);
});

test('a crowd is served in pieces, in the order of coming', async (t) => {
  const sizes: number[] = [];
  const ask = inOneTurn(async (asked: readonly number[]) => {
    sizes.push(asked.length);
    return asked;
  });
  const crowd = Array.from({ length: 1200 }, (_, index) => index);
  t.deepEqual(await Promise.all(crowd.map(ask)), crowd);
  t.deepEqual(sizes, [500, 500, 200]);
});

test('writes go in smaller pieces, because those of one share what happens to it', async (t) => {
  const sizes: number[] = [];
  const ask = writeInOneTurn(async (asked: readonly number[]) => {
    sizes.push(asked.length);
    return asked;
  });
  const crowd = Array.from({ length: 120 }, (_, index) => index);
  t.deepEqual(await Promise.all(crowd.map(ask)), crowd);
  t.deepEqual(sizes, [50, 50, 20]);
});

test('groups that hang keep their places: only so many are under way, whoever else asks waits, and goes on when one ends', async (t) => {
  const { ask, groups } = controlled();
  const outcomes: Promise<number>[] = [];
  for (let one = 1; one <= 6; one++) {
    outcomes.push(ask(one));
    while (groups.length < one) await turn();
  }
  outcomes.push(...[7, 8, 9, 10, 11, 12].map(ask));
  // Longer than a group holds back the next one.
  await sleep(60);
  t.is(groups.length, 6);
  groups[0]?.end();
  while (groups.length < 7) await turn();
  t.deepEqual(groups[6]?.asked, [7, 8, 9, 10, 11, 12], 'all who have waited are the next group');
  for (const { end } of groups) end();
  t.deepEqual(
    await Promise.all(outcomes),
    outcomes.map((_, index) => 10 * (index + 1)),
  );
});

test('reliability R-32: nobody waits longer than 2.5 s for an answer, and who waited 2 s for a place is not begun with', async (t) => {
  const { ask, groups } = controlled();
  const hanging: Promise<number>[] = [];
  for (let one = 1; one <= 6; one++) {
    hanging.push(ask(one));
    while (groups.length < one) await turn();
  }
  const queued = ask(7);
  // By what comes first and not by the clock: timers go off in their order on a busy machine, too.
  const outcome = queued.catch((error: unknown) => error);
  const [early, late] = [sleep(2300, 'not yet'), sleep(3000, 'too late')];
  t.is(await Promise.race([outcome, early]), 'not yet');
  t.true((await Promise.race([outcome, late])) instanceof Overdue);
  for (const one of hanging) t.true((await t.throwsAsync(one)) instanceof Overdue);
  t.is(groups.length, 6);
  for (const { end } of groups) end();
  t.is(await lateAsk(), 80);
  t.deepEqual(groups.at(-1)?.asked, [8], 'who was turned away is not served behind their back');

  async function lateAsk() {
    const late = ask(8);
    while (groups.length < 7) await turn();
    groups[6]?.end();
    return late;
  }
});

test('the queue has an end: who comes then is turned away at once', async (t) => {
  const { ask, groups } = controlled();
  const first = ask(0);
  await turn();
  const crowd = Array.from({ length: 10_000 }, (_, index) => ask(index));
  t.true((await t.throwsAsync(ask(1))) instanceof Overdue);
  let isDone = false;
  const all = Promise.all([first, ...crowd]).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    for (const { end } of groups) end();
    await turn();
  }
  t.is((await all).length, 10_001);
});

/** Work that fails for all while certain ones are among them. */
function failing(reasons: ReadonlyMap<number, string>) {
  const asked: (readonly number[])[] = [];
  const ask = inOneTurn(async (group: readonly number[]) => {
    asked.push(group);
    const one = group.find((each) => reasons.has(each));
    if (one !== undefined) throw new FailureOfOne('of one', { cause: new Error(reasons.get(one)) });
    return group;
  });
  return { ask, asked };
}

test('a failure of one is found by halves: few pieces of work, and everybody else is served', async (t) => {
  const { ask, asked } = failing(new Map([[77, 'gone']]));
  const outcomes = await Promise.allSettled(Array.from({ length: 256 }, (_, index) => ask(index)));
  t.deepEqual(
    outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : [])),
    [77],
  );
  t.is((outcomes[77] as PromiseRejectedResult).reason.message, 'gone');
  t.is(asked.length, 1 + 2 * 8);
});

test('of two who fail each gets the own error', async (t) => {
  const { ask } = failing(
    new Map([
      [3, 'gone'],
      [11, 'away'],
    ]),
  );
  const outcomes = await Promise.allSettled(Array.from({ length: 16 }, (_, index) => ask(index)));
  t.deepEqual(
    outcomes.map((one, index) => (one.status === 'fulfilled' ? one.value === index : one.reason.message)),
    Array.from({ length: 16 }, (_, index) => (index === 3 ? 'gone' : index === 11 ? 'away' : true)),
  );
});
