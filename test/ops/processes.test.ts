// CAUSEWAY_PROCESSES: several processes behind one port, each a node.

import { readFileSync } from 'node:fs';
import test from 'ava';
import { send } from '../support/browser.ts';
import { spawnServer } from '../support/process.ts';
import { until } from '../support/raw.ts';
import { HOSTS, originOf, startTestServer } from '../support/server.ts';
import { beginSession } from '../support/signed_in.ts';

const setup = await startTestServer();
test.after.always(() => setup.close());
const ME = `${originOf('news')}/api/auth/v1/users/me`;

/** One of the processes that another one has begun. */
const workerOf = (pid: number) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);

function ports(output: string): { port: number; opsPort: number }[] {
  return output
    .split('\n')
    .filter((line) => line.includes('"msg":"listening"') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as { port: number; opsPort: number });
}

test('two processes share the port, both serve, and a sign-out by one counts for the other at once', async (t) => {
  const server = spawnServer({ DATABASE_URL: setup.database.url, CAUSEWAY_PROCESSES: '2', CAUSEWAY_OPS_PORT: '0' });
  try {
    await until(() => ports(server.output()).length === 2);
    const [first, second] = ports(server.output());
    if (!first || !second) return t.fail();
    t.is(first.port, second.port);
    t.not(first.opsPort, second.opsPort);
    let accepted = 0;
    for (let round = 0; round < 40; round++) {
      const session = await beginSession(setup, await setup.makeAccountWithoutPassword(), ['news']);
      const headers = { Cookie: session.cookies['news'], Accept: 'application/json' };
      for (let time = 0; time < 4; time++) t.is((await send(first.port, ME, { headers })).status, 200);
      t.is((await send(first.port, `${originOf('news')}/api/auth/v1/logout`, { headers })).status, 204);
      // New connections, shared out in turns: both processes are asked.
      for (let time = 0; time < 4; time++) if ((await send(first.port, ME, { headers })).status !== 401) accepted++;
    }
    t.is(accepted, 0);
    for (const { opsPort } of [first, second]) {
      const metrics = (await send(opsPort, `http://127.0.0.1:${opsPort}/metrics`)).text;
      t.regex(metrics, /causeway_(?:session_checks_total|request_seconds_count)\{[^}]*\} [1-9]/);
    }
    server.child.kill('SIGTERM');
    t.deepEqual(await server.ended, { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('a process that ends by accident is replaced, and nobody notices but its own requests', async (t) => {
  const server = spawnServer({ DATABASE_URL: setup.database.url, CAUSEWAY_PROCESSES: '2', CAUSEWAY_OPS_PORT: '0' });
  try {
    await until(() => ports(server.output()).length === 2);
    const [first] = ports(server.output());
    if (!first) return t.fail();
    process.kill(workerOf(server.child.pid ?? 0), 'SIGKILL');
    await until(() => ports(server.output()).length === 3);
    t.regex(server.output(), /"why":"SIGKILL".*a process has ended, another one begins/);
    for (let time = 0; time < 4; time++)
      t.is((await send(first.port, ME, { headers: { Host: HOSTS.news } })).status, 401);
    server.child.kill('SIGTERM');
    t.deepEqual(await server.ended, { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('a fault of the start ends the whole, with its reason and exit code 1', async (t) => {
  const server = spawnServer({
    DATABASE_URL: setup.database.url.replace(/\/[^/]*$/, '/there_is_no_such_database'),
    CAUSEWAY_PROCESSES: '2',
  });
  t.is((await server.ended).code, 1);
  t.regex(server.output(), /there_is_no_such_database/);
});
