import { connect, createServer, type Socket } from 'node:net';
import test from 'ava';
import { send } from '../support/browser.ts';
import { createDatabase } from '../support/database.ts';
import { spawnServer } from '../support/process.ts';
import { postJson, until } from '../support/raw.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';

// One test after the other: a dozen servers that start at once on two cores keep each other waiting until one gives up.
// In this process: makes the realm and an account. The servers under test are processes over the same database.
const setup = await startTestServer();
test.after.always(() => setup.close());
const DATABASE = { DATABASE_URL: setup.database.url };
const LOGIN = `http://${HOSTS.news}/api/auth/v1/login`;

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('connect', () => socket.destroy());
    socket.on('error', () => resolve(false));
  });

test.serial(
  'reliability R-3: after SIGTERM a running request is finished, readiness is gone, new connections are refused, and the exit code is 0',
  async (t) => {
    const account = await setup.makeAccount();
    const server = spawnServer({ ...DATABASE, CAUSEWAY_OPS_PORT: '0' });
    const { port, opsPort } = await server.listening;
    const readiness = () =>
      send(opsPort as number, `http://127.0.0.1:${opsPort}/readyz`).then(({ text }) => text.trim());
    t.is(await readiness(), 'ready');

    const body = JSON.stringify({ email: account.email, password: PASSWORD });
    const slow = connect(port, '127.0.0.1');
    let received = '';
    slow.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    const closed = new Promise<void>((resolve) => slow.on('close', () => resolve()));
    slow.write(
      `POST /api/auth/v1/login HTTP/1.1\r\nHost: ${HOSTS.news}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
    );
    // A second answer on another connection shows that the server has read the first part by now.
    t.is((await send(port, `http://${HOSTS.news}/api/auth/v1/users/me`)).status, 401);

    server.child.kill('SIGTERM');
    await until(async () => (await readiness()) === 'draining');
    await until(async () => !(await isOpen(port)));
    slow.write(body.slice(10));
    await until(() => received.includes('"active-sessions-count"'));
    t.regex(received, /^HTTP\/1\.1 200 /);
    await closed;
    t.deepEqual(await server.ended, { code: 0, signal: null });
    t.false(await isOpen(port));
  },
);

test.serial('reliability R-5: a second signal ends the process at once, a request under way or not', async (t) => {
  const server = spawnServer({ ...DATABASE, CAUSEWAY_OPS_PORT: '0', CAUSEWAY_DRAIN: '10m' });
  const { port, opsPort } = await server.listening;
  const hanging = connect(port, '127.0.0.1');
  hanging.on('error', () => undefined);
  hanging.write(`POST /api/auth/v1/login HTTP/1.1\r\nHost: ${HOSTS.news}\r\nContent-Length: 10\r\n\r\n`);
  await send(port, `http://${HOSTS.news}/api/auth/v1/users/me`);
  server.child.kill('SIGINT');
  await until(async () =>
    (await send(opsPort as number, `http://127.0.0.1:${opsPort}/readyz`)).text.startsWith('draining'),
  );
  server.child.kill('SIGTERM');
  t.deepEqual(await server.ended, { code: 1, signal: null });
});

for (const signal of ['SIGINT', 'SIGHUP'] as const) {
  test.serial(`reliability R-5: ${signal} closes in order with exit code 0`, async (t) => {
    const server = spawnServer(DATABASE);
    await server.listening;
    server.child.kill(signal);
    t.deepEqual(await server.ended, { code: 0, signal: null });
  });
}

test.serial(
  'reliability R-5: a reader of standard output that goes away costs log lines and never the server',
  async (t) => {
    const account = await setup.makeAccount();
    const server = spawnServer(DATABASE);
    const { port } = await server.listening;
    server.child.stdout?.destroy();
    server.child.stderr?.destroy();
    for (let round = 0; round < 30; round++)
      t.is((await send(port, `http://${HOSTS.news}/api/auth/v1/users/me`)).status, 401);
    t.is((await postJson(port, LOGIN, { email: account.email, password: PASSWORD })).status, 200);
    server.child.kill('SIGTERM');
    t.deepEqual(await server.ended, { code: 0, signal: null });
  },
);

const BROKEN: [string, Record<string, string>, RegExp][] = [
  ['a short secret', { CAUSEWAY_SECRET: 'short' }, /CAUSEWAY_SECRET must be 32/],
  ['no secret', { CAUSEWAY_SECRET: '' }, /CAUSEWAY_SECRET must be set/],
  ['an unknown setting', { CAUSEWAY_PORT: '1' }, /CAUSEWAY_PORT is not a setting/],
  ['another kind of database', { DATABASE_URL: 'mysql://x' }, /DATABASE_URL must begin/],
  ['a bad proxy network', { CAUSEWAY_PROXIES: '10.0.0.0/99' }, /CAUSEWAY_PROXIES/],
  [
    'a database that refuses',
    { DATABASE_URL: 'postgres://causeway:wrong@127.0.0.1:1/none' },
    /The database cannot be used: .*ECONNREFUSED/,
  ],
  [
    'a database with another password',
    { DATABASE_URL: setup.database.url.replace(/:[^:@]+@/, ':wrong@') },
    /The database cannot be used: password authentication failed/,
  ],
];

for (const [what, env, message] of BROKEN) {
  test.serial(
    `reliability R-6, security 198: started with ${what} the process says so, exits with 1 and never opens its port`,
    async (t) => {
      // The port is taken: a server that opened it before it was sure of its configuration would complain about that.
      const taken = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => taken.on('listening', resolve));
      const { port } = taken.address() as { port: number };
      const server = spawnServer({ ...DATABASE, PORT: String(port), ...env });
      t.deepEqual(await server.ended, { code: 1, signal: null });
      taken.close();
      t.false(server.output().includes('EADDRINUSE'));
      t.regex(server.output(), message);
      t.false(server.output().includes('    at '), 'a message and no stack trace');
    },
  );
}

test.serial('reliability R-8: a process migrates an empty database at its first start and serves', async (t) => {
  const database = await createDatabase({ isEmpty: true });
  const server = spawnServer({ DATABASE_URL: database.url });
  const { port } = await server.listening;
  t.is((await send(port, `http://${HOSTS.news}/login`)).status, 421);
  server.child.kill('SIGTERM');
  t.is((await server.ended).code, 0);
  await database.drop();
});
