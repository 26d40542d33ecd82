// test/schema.sql is what the migrations give.

import test from 'ava';
import { readText } from '../../docs/source_text.ts';
import { dumpMigrated } from './schema_dump.ts';

test('test/schema.sql is up to date', async (t) => {
  t.is(
    await dumpMigrated(),
    readText('test/schema.sql'),
    'run: node test/support/run.ts --script test/repository/schema_dump.ts',
  );
});
