import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import test from 'ava';
import { createPasswords } from '../../server/passwords/passwords.ts';

test('on Linux the threads that hash give way to the one that answers', async (t) => {
  const passwords = createPasswords({ concurrency: 1 });
  const hash = await passwords.hash('a long enough password');
  t.true((await passwords.verify(hash, 'a long enough password')).isRight);
  if (process.platform !== 'linux') return t.log('not tried: no Linux');
  const tasks = readdirSync('/proc/self/task');
  const priorities = tasks.map((id) => ({
    name: readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim(),
    priority: getPriority(Number(id)),
  }));
  const pool = priorities.filter(({ name }) => name === 'libuv-worker');
  t.true(pool.length > 0);
  t.true(
    pool.every(({ priority }) => priority === 10),
    JSON.stringify(priorities),
  );
  t.is(getPriority(process.pid), 0);
});
