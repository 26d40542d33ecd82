// docs/conformance.md says what the tests show: every module of a claimed profile has one.

import { readFile } from 'node:fs/promises';
import test from 'ava';
import { conformancePage, findModules, PROFILES } from '../../docs/conformance.ts';

test('every module of a claimed profile has a test', async (t) => {
  const found = await findModules();
  t.deepEqual(
    PROFILES.flatMap(({ modules }) => modules).filter((module) => !found.has(module)),
    [],
  );
});

test('docs/conformance.md is what the tests give', async (t) => {
  const page = await readFile(new URL('../../docs/conformance.md', import.meta.url), 'utf8');
  t.true(page === (await conformancePage()), 'run: node docs/conformance.ts');
});
