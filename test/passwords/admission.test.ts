import test from 'ava';
import { createAdmission } from '../../server/passwords/admission.ts';

/** Work, or a rest, that lasts until the test says so; tells how often it was begun. */
function held() {
  const begun: PromiseWithResolvers<void>[] = [];
  return {
    begin: () => {
      const one = Promise.withResolvers<void>();
      begun.push(one);
      return one.promise;
    },
    count: () => begun.length,
    end: (index: number) => begun[index]?.resolve(),
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('while others wait, a place rests between two works, and no result waits for that', async (t) => {
  const [works, rests] = [held(), held()];
  const { admit, load } = createAdmission({ concurrency: 1, rest: rests.begin });
  const first = admit(works.begin);
  const second = admit(works.begin);
  await settled();
  t.deepEqual([works.count(), rests.count()], [1, 0]);
  works.end(0);
  await first;
  await settled();
  t.deepEqual([works.count(), rests.count()], [1, 1]);
  t.deepEqual(load(), { waiting: 1, running: 1 });
  rests.end(0);
  await settled();
  t.is(works.count(), 2);
  works.end(1);
  await second;
  await settled();
  t.is(rests.count(), 1, 'nobody waits any more');
  t.deepEqual(load(), { waiting: 0, running: 0 });
});

test('work that fails fails for who asked, and the next gets its place', async (t) => {
  const { admit } = createAdmission({ concurrency: 1, rest: async () => undefined });
  const broken = admit(() => Promise.reject(new Error('no such hash')));
  const sound = admit(async () => 'done');
  await t.throwsAsync(broken, { message: 'no such hash' });
  t.is(await sound, 'done');
});

test('who goes away while the work is under way is told at once, and the place stays taken until it is done', async (t) => {
  const works = held();
  const { admit, load } = createAdmission({ concurrency: 1, rest: async () => undefined });
  const leaving = new AbortController();
  const first = admit(works.begin, leaving.signal);
  const second = admit(works.begin);
  await settled();
  leaving.abort(new Error('gone'));
  await t.throwsAsync(first, { message: 'gone' });
  await settled();
  t.is(works.count(), 1);
  t.deepEqual(load(), { waiting: 1, running: 1 });
  works.end(0);
  await settled();
  t.is(works.count(), 2);
  works.end(1);
  await second;
});

test('who goes away while waiting leaves the queue, and the work is never begun', async (t) => {
  const works = held();
  const { admit, load } = createAdmission({ concurrency: 1, rest: async () => undefined });
  const first = admit(works.begin);
  const leaving = new AbortController();
  const second = admit(works.begin, leaving.signal);
  await settled();
  leaving.abort(new Error('gone'));
  await t.throwsAsync(second, { message: 'gone' });
  t.is(load().waiting, 0);
  await t.throwsAsync(admit(works.begin, leaving.signal), { message: 'gone' });
  works.end(0);
  await first;
  await settled();
  t.is(works.count(), 1);
});
