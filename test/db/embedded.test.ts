// Who may stop the embedded PostgreSQL: server/db/embedded.ts.

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import pg from 'pg';
import { openEmbedded } from '../../server/db/embedded.ts';

const folder = join(tmpdir(), `causeway-embedded-${randomBytes(6).toString('hex')}`);
const first = await openEmbedded({ folder, mayAdopt: false, flags: ['fsync=off'] });
test.after.always(async () => {
  await first.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.serial('a PostgreSQL that was found running is stopped when nobody else uses it, and not before', async (t) => {
  const user = new pg.Client({ connectionString: first.url });
  user.on('error', () => undefined);
  await user.connect();
  // As a second start does that finds the ports taken.
  const second = await openEmbedded({ folder, mayAdopt: true });
  t.is(second.url, first.url);
  await second.stop();
  t.is((await user.query('select 1 as one')).rows[0].one, 1);
  await user.end();
  await second.stop();
  await t.throwsAsync(new pg.Client({ connectionString: first.url }).connect(), { code: 'ECONNREFUSED' });
});
