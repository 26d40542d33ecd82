// How connections end: in time, after the answer where their client has ended its side before, and never into another one.

import type { Socket } from 'node:net';
import test from 'ava';
import { bodiesIn, until } from '../support/raw.ts';
import { get, open, post, start, tell } from './wire_setup.ts';

test('reliability R-54: a first head that is still not whole in time is refused then, however its pieces come', async (t) => {
  const limit = 700;
  const { port, counts } = await start(t, undefined, limit);
  const head = get('/front', `Cookie: ${'a=b; '.repeat(200)}c=d`);
  for (const [what, first, pauseMs] of [
    ['piece by piece', 'G', 100],
    ['the beginning, and nothing more', head.slice(0, -3), 60_000],
    ['what only Node reads', 'get /front', 100],
  ] as const) {
    const begun = performance.now();
    const slow = open(port);
    slow.socket.write(first);
    let at = first.length;
    const drip = setInterval(() => slow.socket.writable && slow.socket.write(head.charAt(at++)), pauseMs);
    await until(slow.isClosed);
    clearInterval(drip);
    const took = performance.now() - begun;
    t.regex(slow.text(), /^HTTP\/1\.1 40[08] /, what);
    t.true(took < limit + 1000, `${what}: ${took} ms`);
  }
  t.deepEqual(counts, { front: 0, general: 0, byNode: 0 });

  // One that came slowly, and in time, ends no connection.
  const opened = performance.now();
  const kept = open(port);
  kept.socket.write(get('/front/1', 'X-Space:  two').slice(0, -2));
  await until(() => performance.now() - opened > 600);
  await kept.ask('\r\n', 1);
  await until(() => performance.now() - opened > limit + 200);
  t.deepEqual(await kept.ask(get('/front/2'), 2), ['GET /front/1 ', 'GET /front/2 ']);
});

test('RFC 9112 §9.6: who has ended its side while it still waits gets the answer of either way, and then the end', async (t) => {
  const owed: (() => void)[] = [];
  const { port, counts, server } = await start(t, (exchange) => {
    if (exchange.url.startsWith('/front')) owed.push(() => tell(exchange, exchange.url));
    else if (exchange.url.startsWith('/left')) owed.push(() => exchange.peer.leave(() => undefined));
    else return false;
    return true;
  });
  // In front of the general way: the answer is written when the test wants it.
  server.prependListener('request', ({ url }, response) => {
    if (!url?.startsWith('/general')) return;
    const end = response.end.bind(response) as (...given: unknown[]) => typeof response;
    response.end = ((...given: unknown[]) => {
      owed.push(() => end(...given));
      return response;
    }) as typeof response.end;
  });
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  const odd = 'X-Space:  two';
  const rows: [what: string, before: string[], asked: string, bodies: string[]][] = [
    ['in front', [], get('/front'), ['/front']],
    ['generally', [], get('/general'), ['GET /general ']],
    ['with a body', [], post('/general', 'a body'), ['POST /general a body']],
    ['left in the end', [], get('/left'), ['GET /left ']],
    ['by Node alone', [], get('/general', odd), ['GET /general ']],
    ['in front, read by Node', [], get('/front', odd), ['/front']],
    ['in front, behind a general one', [get('/quick')], get('/front'), ['GET /quick ', '/front']],
    ['left, behind a general one', [get('/quick')], get('/left'), ['GET /quick ', 'GET /left ']],
    ['two at once', [], get('/general/1') + get('/general/2'), ['GET /general/1 ', 'GET /general/2 ']],
  ];
  for (const [what, before, asked, bodies] of rows) {
    const half = open(port, true);
    for (const [nr, bytes] of before.entries()) await half.ask(bytes, nr + 1);
    half.socket.end(asked, 'latin1');
    await until(() => sockets.at(-1)?.readableEnded === true && owed.length > 0);
    if (!t.false(half.isClosed(), what)) continue;
    await until(() => {
      for (const answer of owed.splice(0)) answer();
      return half.isClosed();
    });
    t.deepEqual(bodiesIn(half.text()), bodies, what);
    await until(() => sockets.at(-1)?.destroyed === true);
  }
  t.true(counts.general > 5);

  for (const broken of [post('/general', 'a body').slice(0, -1), get('/general').slice(0, -1), 'nonsense', '']) {
    const half = open(port, true);
    await until(() => sockets.at(-1)?.remotePort === half.socket.localPort);
    half.socket.end(broken, 'latin1');
    await until(half.isClosed);
    t.deepEqual(bodiesIn(half.text()), [], broken);
    await until(() => sockets.at(-1)?.destroyed === true);
  }
});

// Serial: all servers of a process share the parsers that nobody uses.
test.serial(
  'RFC 9112 §11.2: nothing of a connection is read any more whose parser Node has given to another one',
  async (t) => {
    const { port, counts, server } = await start(t);
    const tunnels: Socket[] = [];
    server.on('connect', (_request, socket) => tunnels.push(socket as Socket));
    const tunnel = open(port);
    tunnel.socket.write('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n');
    await until(() => tunnels.length === 1);
    const before = tunnels[0]?.bytesRead ?? 0;
    const sockets: Socket[] = [];
    server.on('connection', (socket) => sockets.push(socket));
    const other = open(port);
    // Node's at once: it gets the parser that the first one has left, and is in the midst of a head when more comes there.
    const beginning = 'OPTIONS * HTTP/1.1\r\n';
    other.socket.write(beginning);
    await until(() => sockets[0]?.bytesRead === beginning.length);
    tunnels[0]?.resume();
    tunnel.socket.end(get('/general/smuggled'));
    await until(() => (tunnels[0]?.bytesRead ?? 0) > before);
    t.deepEqual(await other.ask('Host: a\r\n\r\n', 1), ['OPTIONS * ']);
    t.is(counts.general, 1);
  },
);
