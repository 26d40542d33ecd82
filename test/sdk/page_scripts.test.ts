// The checked-in scripts of the hosted pages are what their sources give, and stay small.

import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { buildPageScript, PAGE_SCRIPTS } from '../../sdk/pages/build.ts';

const MOST_BYTES = { passkey: 12_000, password_reveal: 700, password_strength: 32_000 };

for (const name of PAGE_SCRIPTS)
  test(`${name}.js is what its source gives, without eval or markup, and at most ${MOST_BYTES[name]} bytes compressed`, async (t) => {
    const script = await readFile(new URL(`../../sdk/pages/${name}.js`, import.meta.url), 'utf8');
    t.true(script === (await buildPageScript(name)), 'run: node sdk/pages/build.ts');
    t.notRegex(script, /\beval\(|Function\(|innerHTML|insertAdjacentHTML|document\.write|\.style\b/);
    t.true(gzipSync(script, { level: 9 }).length <= MOST_BYTES[name]);
  });
