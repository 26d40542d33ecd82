import test from 'ava';
import pg from 'pg';
import { listStatements } from '../../server/db/statement.ts';
import { createDatabase } from '../support/database.ts';
import '../../server/accounts/store.ts';
import '../../server/audit/store.ts';
import '../../server/clients/store.ts';
import '../../server/realms/store.ts';
import '../../server/sessions/store.ts';

test('every named statement prepares against the migrated schema', async (t) => {
  const { url, drop } = await createDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const statement of listStatements()) {
    await t.notThrowsAsync(client.query(`prepare "${statement.name}" as ${statement.text}`), statement.name);
  }
  t.true(listStatements().length > 10);
  await client.end();
  await drop();
});
