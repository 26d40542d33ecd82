import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { residentBytes } from '../../bench/processes.ts';
import { createDatabase } from '../support/database.ts';
import { ROOT, spawnServer, startArguments } from '../support/process.ts';

test('the image starts a node as npm start does', (t) => {
  const [, command = ''] = /^CMD (.*)$/m.exec(readFileSync(join(ROOT, 'deploy/container/Dockerfile'), 'utf8')) ?? [];
  t.deepEqual(JSON.parse(command), ['node', ...startArguments()]);
});

test('a node that serves nobody holds little memory', async (t) => {
  const database = await createDatabase();
  try {
    const server = spawnServer({ DATABASE_URL: database.url }, startArguments());
    try {
      await server.listening;
      // It was 195 MB when nothing was done about it. Caches of compiled code differ by machine: the aim is 120 MB.
      t.true(residentBytes(server.child.pid as number) < 160e6);
    } finally {
      server.child.kill('SIGTERM');
      await server.ended;
    }
  } finally {
    await database.drop();
  }
});
