// The checked-in browser script is what its sources give: sdk/browser/causeway.js and causeway.d.ts.

import { readFile } from 'node:fs/promises';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { buildBrowserScript, buildBrowserTypes } from '../../sdk/browser/build.ts';

const file = (name: string): Promise<string> => readFile(new URL(`../../sdk/${name}`, import.meta.url), 'utf8');

test('causeway.js is what the sources give', async (t) => {
  t.true((await file('browser/causeway.js')) === (await buildBrowserScript()), 'run: node sdk/browser/build.ts');
});

test('causeway.d.ts is what public_types.ts gives', async (t) => {
  t.true((await file('browser/causeway.d.ts')) === (await buildBrowserTypes()), 'run: node sdk/browser/build.ts');
});

test('the script is a classic script without eval, markup or inline style, under its size limit', async (t) => {
  const script = await file('browser/causeway.js');
  t.notThrows(() => new vm.Script(script));
  t.notRegex(script, /\beval\(|Function\(|innerHTML|insertAdjacentHTML|document\.write|createElement|\.style\b/);
  // A budget, not a measurement: whoever exceeds it decides so.
  t.true(Buffer.byteLength(script) <= 8_500 && gzipSync(script, { level: 9 }).length <= 3_800);
});

test('the size that sdk/README.md names is the size of the script', async (t) => {
  const script = await file('browser/causeway.js');
  const size = Buffer.byteLength(script).toLocaleString('en-US');
  t.true((await file('README.md')).includes(`${size} bytes`), `sdk/README.md should say ${size} bytes`);
});
