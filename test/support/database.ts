// A database of one's own for a test file, cloned from the migrated template.

import { randomBytes } from 'node:crypto';
import { openChanger } from '../../server/db/changer.ts';
import { createLog } from '../../server/lib/log.ts';
import { administer, withDatabase } from './template.ts';

export type TestDatabase = {
  url: string;
  /** Moves the database's clock (and with it every expiry) by that many seconds from now on. */
  moveClock(seconds: number): Promise<void>;
  drop(): Promise<void>;
};

/** Clones the template; `isEmpty` gives a database without any table instead. */
export async function createDatabase(options: { isEmpty?: boolean } = {}): Promise<TestDatabase> {
  const server = process.env['TEST_DATABASE_URL'];
  const template = process.env['TEST_TEMPLATE'];
  if (!server || !template) throw new Error('run tests with: npm test -- FILE');
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await administer(
    server,
    options.isEmpty ? `create database ${name}` : `create database ${name} template ${template}`,
  );
  const url = withDatabase(server, name);
  return {
    url,
    moveClock: (seconds) => moveClock(url, seconds),
    drop: () => administer(server, `drop database if exists ${name} with (force)`),
  };
}

async function moveClock(url: string, seconds: number): Promise<void> {
  const log = createLog({ level: 'silent' });
  const changer = openChanger({ url, poolSize: 1, applicationName: 'test-clock', namedStatements: false, log });
  try {
    await changer.start();
    await changer.db.transaction(async ({ builder }) => {
      await builder.raw('update test_clock set moved_by = moved_by + make_interval(secs => ?)', [seconds]);
      // What nodes have in memory was true before.
      await builder.raw("select causeway_invalidate('{*}')");
    });
  } finally {
    await changer.close();
  }
}
