import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { inOneTurn } from '../../server/lib/one_turn.ts';

/** Work whose groups are noted and end only when told. */
function controlled() {
  const groups: { asked: readonly number[]; end(): void; fail(error: Error): void }[] = [];
  const ask = inOneTurn((asked: readonly number[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    groups.push({ asked, end: () => resolve(asked.map((one) => one * 10)), fail: reject });
    return promise;
  });
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

test('while groups are under way the next one gathers, and begins when one of them is done', async (t) => {
  const { ask, groups } = controlled();
  const outcomes: Promise<number>[] = [];
  for (const one of [1, 2, 3, 4]) {
    outcomes.push(ask(one));
    await turn();
  }
  const begun = groups.length;
  groups[0]?.end();
  await outcomes[0];
  await turn();
  t.is(groups.length, begun + 1);
  t.deepEqual(
    groups.flatMap(({ asked }) => asked),
    [1, 2, 3, 4],
  );
  t.true(begun < 4);
  for (const { end } of groups) end();
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
