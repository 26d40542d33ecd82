import test from 'ava';
import { Overdue } from '../../server/lib/overdue.ts';
import { createTurnstile } from '../../server/lib/turnstile.ts';

test('so many pass at once, the others in the order of coming, and a place is given back whatever becomes of the work', async (t) => {
  const { pass, waiting } = createTurnstile({ places: 2, patienceMs: 60_000 });
  const begun: number[] = [];
  const works = [1, 2, 3, 4].map((nr) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const passed = pass(() => {
      begun.push(nr);
      return promise;
    });
    return { passed, resolve, reject };
  });
  t.deepEqual(begun, [1, 2]);
  t.is(waiting(), 2);
  works[0]?.reject(new Error('down'));
  await t.throwsAsync(works[0]?.passed as Promise<number>, { message: 'down' });
  works[1]?.resolve(20);
  t.is(await works[1]?.passed, 20);
  t.deepEqual(begun, [1, 2, 3, 4]);
  t.is(waiting(), 0);
  works[2]?.resolve(30);
  works[3]?.resolve(40);
  t.deepEqual([await works[2]?.passed, await works[3]?.passed], [30, 40]);
  t.is(await pass(async () => 50), 50);
});

test('whoever finds no place in time fails, is not begun with, and keeps nobody behind from one', async (t) => {
  const { pass } = createTurnstile({ places: 1, patienceMs: 50 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = pass(() => promise);
  let isBegun = false;
  const late = pass(async () => {
    isBegun = true;
  });
  t.true((await t.throwsAsync(late)) instanceof Overdue);
  const next = pass(async () => 'served');
  resolve();
  await first;
  t.is(await next, 'served');
  t.false(isBegun);
});
