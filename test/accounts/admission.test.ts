import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import test from 'ava';
import { API, headOf, postJson, statusesIn, UNLIMITED_YAML, until } from '../support/raw.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML, env: { CAUSEWAY_HASHING_CONCURRENCY: '1' } });
test.after.always(() => server.close());
const { passwords, db } = server.services;

// Serial: each test looks at the one queue of the server.
test.serial(
  'reliability R-50: every one of 400 sign-ins at once gets a definite answer while one password is hashed at a time',
  async (t) => {
    const account = await server.makeAccount();
    let mostRunning = 0;
    let mostWaiting = 0;
    let isOver = false;
    const watch = until(() => {
      mostRunning = Math.max(mostRunning, passwords.load().running);
      mostWaiting = Math.max(mostWaiting, passwords.load().waiting);
      return isOver;
    });
    // Most of the queue is taken by work that is dropped once the flood has met a full one: fewer hashes to wait for.
    const ahead = new AbortController();
    for (let index = 0; index < 190; index++) passwords.hash('ahead', ahead.signal).catch(() => undefined);
    let refused = 0;
    const asks = Array.from({ length: 400 }, async (_, index) => {
      const answer = await postJson(server.port, `${API}/login`, {
        email: index % 4 === 0 ? account.email : `stranger${index}@example.com`,
        password: index % 8 === 0 ? PASSWORD : 'wrong',
      });
      if (answer.status === 503) refused++;
      return answer;
    });
    await until(() => refused >= 100);
    ahead.abort();
    const answers = await Promise.all(asks);
    isOver = true;
    await watch;
    const counts = Map.groupBy(answers, ({ status }) => status);
    t.deepEqual(
      [...counts.keys()].filter((status) => ![200, 401, 503].includes(status)),
      [],
    );
    t.true((counts.get(401)?.length ?? 0) + (counts.get(200)?.length ?? 0) > 0);
    t.true((counts.get(503)?.length ?? 0) > 0, 'more than the queue holds is refused at once');
    for (const answer of counts.get(503) ?? []) {
      t.true(Number(answer.headers['retry-after']) >= 1);
      t.is(answer.headers['cache-control'], 'no-store');
      t.is(typeof answer.json().message, 'string');
    }
    t.true(mostRunning <= 1);
    t.true(mostWaiting <= 200);
    await until(() => passwords.load().waiting + passwords.load().running === 0);
    t.is((await postJson(server.port, `${API}/login`, { email: account.email, password: PASSWORD })).status, 200);
  },
);

test.serial(
  'reliability R-50: the hosted page keeps what was typed and says that it is busy when the queue is full',
  async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser();
    const page = await browser.navigate(`http://${HOSTS.auth}/login`);
    const full = new AbortController();
    // Whoever is done comes again, so that no place is free for as long as the form takes.
    const comeAgain = (): Promise<unknown> =>
      passwords.hash('keeps the queue full', full.signal).then(comeAgain, () => null);
    const busy = Array.from({ length: 260 }, comeAgain);
    const answer = await browser.submit(page, { identifier: account.email, password: PASSWORD });
    t.is(answer.status, 503);
    t.true(Number(answer.headers['retry-after']) >= 1);
    t.true(answer.text.includes(account.email));
    full.abort();
    await Promise.all(busy);
  },
);

for (const [how, leave] of [
  ['with a reset', (socket: Socket) => socket.resetAndDestroy()],
  ['as a browser does', (socket: Socket) => socket.destroy()],
] as const) {
  test.serial(
    `reliability R-59: a client that goes away, ${how}, while it waits is dropped from the queue and its password never hashed`,
    async (t) => {
      const account = await server.makeAccount();
      const ahead = Array.from({ length: 120 }, () => passwords.hash('ahead in the queue'));
      const body = JSON.stringify({ email: account.email, password: 'wrong' });
      const request = `POST /api/auth/v1/login HTTP/1.1\r\nHost: ${HOSTS.news}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const write = function (this: Socket) {
        this.write(request);
      };
      const sockets = Array.from({ length: 50 }, () => connect(server.port, '127.0.0.1', write));
      for (const socket of sockets) socket.on('error', () => undefined);
      const triesOf = async () =>
        Number(
          (await db.builder('rate_limits').sum('points').where('key', 'like', `sign-in-account:%:${account.id}`))[0]?.[
            'sum'
          ] ?? 0,
        );
      await until(async () => (await triesOf()) === 50);
      for (const socket of sockets) leave(socket);
      await Promise.all(ahead);
      await until(() => passwords.load().waiting + passwords.load().running === 0);
      t.is(
        Number(
          (await db.builder('audit_events').where({ account_id: account.id, type: 'sign-in.failed' }).count())[0]?.[
            'count'
          ],
        ),
        0,
      );
      t.is((await postJson(server.port, `${API}/login`, { email: account.email, password: PASSWORD })).status, 200);
    },
  );
}

test.serial('RFC 9112 §9.6: a sign-in is answered, though its client has said that it asks nothing more', async (t) => {
  const account = await server.makeAccount();
  for (const [password, status] of [
    ['wrong', 401],
    [PASSWORD, 200],
  ] as const) {
    const body = JSON.stringify({ email: account.email, password });
    const head = headOf('POST', '/api/auth/v1/login', [
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ]);
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text += piece;
    });
    socket.end(`${head}\r\n${body}`);
    await once(socket, 'close');
    t.deepEqual(statusesIn(text), [status]);
  }
});
