// Every migration says why it is there and whether the code before it may run beside it, and can be taken back.

import test from 'ava';
import { listFiles } from '../../docs/source_text.ts';
import { ORDER } from './import_rule.ts';

const migrations = listFiles(['migrations'], /./);

test('a migration is named by time, feature and what it does', (t) => {
  const features = ['database', ...ORDER].join('|');
  const form = new RegExp(`^migrations/\\d{14}_(?:${features})_[a-z0-9]+(?:_[a-z0-9]+)*\\.ts$`);
  t.deepEqual(
    migrations.filter(({ path }) => !form.test(path)).map(({ path }) => path),
    [],
  );
  t.true(migrations.length > 5);
});

test('no two migrations have the same time', (t) => {
  const times = migrations.map(({ path }) => path.slice('migrations/'.length, 'migrations/'.length + 14));
  t.deepEqual(times, [...new Set(times)]);
});

for (const { path, text } of migrations) {
  test(`${path} says why, whether it is breaking, and has both ways`, (t) => {
    const head = /^(?:\/\/.*\n)+/.exec(text)?.[0] ?? '';
    const [last = '', ...why] = head.trimEnd().split('\n').reverse();
    t.regex(
      last,
      /^\/\/ breaking: (?:no$|yes\b.+)/,
      'the last line of the first comment is `breaking: no`, or `breaking: yes` and what to do',
    );
    t.true(why.join(' ').length > 30, 'the first comment says why');
    for (const way of ['up', 'down']) t.regex(text, new RegExp(`^export async function ${way}\\(`, 'm'));
  });
}
