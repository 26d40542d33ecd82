// How .ci/count reads the totals of a run, fed with what ava prints.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';

const SCRIPT = join(import.meta.dirname, '../../.ci/count');

const SAMPLES: [title: string, code: number, lines: string[], totals: string][] = [
  [
    'a run that passes',
    0,
    ['  ✔ a › one', '  ✔ b › two (1.2s)', '  ─', '', '  245 tests passed'],
    '245 passed, 0 failed',
  ],
  ['one test', 0, ['  ✔ one', '  ─', '', '  1 test passed'], '1 passed, 0 failed'],
  [
    'one failure',
    1,
    ['  ✔ a › one', '  ✘ [fail]: a › two', '  ✔ a › three', '  ─', '', '  a › two', '', '  ─', '', '  1 test failed'],
    '2 passed, 1 failed',
  ],
  [
    'several failures and a hook',
    1,
    ['  ✔ one', '  ─', '', '  1 hook failed', '  3 tests failed'],
    '1 passed, 4 failed',
  ],
  [
    'skipped tests, which count as neither',
    0,
    ['  - [skip] a', '  ✔ b', '  ─', '', '  1 test passed', '  1 test skipped', '  1 test todo'],
    '1 passed, 0 failed',
  ],
  [
    'errors outside tests',
    1,
    ['  ✔ one', '  ─', '', '  1 test passed', '  2 unhandled rejections', '  1 uncaught exception'],
    '1 passed, 3 failed',
  ],
  [
    'a timeout',
    1,
    ['  ✔ one', '  ─', '', '  1 test passed', '  2 tests remained pending after a timeout'],
    '1 passed, 2 failed',
  ],
  [
    'a file that did not end, besides a failure',
    1,
    [
      '  ✔ one',
      '  ✘ [fail]: two',
      '  ✘ Timed out while running tests',
      '  ─',
      '',
      '  two',
      '  ─',
      '',
      '  1 test failed',
    ],
    '1 passed, 2 failed',
  ],
  [
    'a file that ended early',
    1,
    ['  ✔ one', '  ✘ test/a.test.ts exited with a non-zero exit code: 1', '  ─', '', '  1 test passed'],
    '1 passed, 1 failed',
  ],
  ['no closing line', 1, ['  ✔ one', '  ✔ two'], '2 passed, 1 failed'],
  ['nothing at all', 0, [], '0 passed, 1 failed'],
  ['no tests found', 1, ['  ✘ Couldn’t find any files to test', ''], '0 passed, 1 failed'],
  [
    'an error after the tests',
    1,
    ['  ✔ one', '  ─', '', '  1 test passed', 'Error: the database did not stop'],
    '1 passed, 1 failed',
  ],
  [
    'colours',
    0,
    ['  \u001b[32m✔\u001b[39m one', '  \u001b[90m─\u001b[39m', '', '  \u001b[32m1 test passed\u001b[39m'],
    '1 passed, 0 failed',
  ],
  ['totals that a test printed', 0, ['5 tests failed', '  ✔ one', '  ─', '', '  1 test passed'], '1 passed, 0 failed'],
];

for (const [title, code, lines, totals] of SAMPLES) {
  test(`the totals of a run are read: ${title}`, (t) => {
    const counted = spawnSync('bash', [SCRIPT, String(code)], { input: lines.join('\n'), encoding: 'utf8' });
    t.is(counted.stdout, `${totals}\n`, counted.stderr);
  });
}
