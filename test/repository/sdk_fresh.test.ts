// The browser script that is served is what its sources give.

import test from 'ava';
import { readText } from '../../docs/source_text.ts';
import { buildBrowserScript } from '../../sdk/browser/build.ts';

test('sdk/browser/causeway.js is up to date', async (t) => {
  t.true(readText('sdk/browser/causeway.js') === (await buildBrowserScript()), 'run: node sdk/browser/build.ts');
});
