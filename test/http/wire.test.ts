// Requests taken off the wire: who is answered in front and who by the general way, in which order, and by whose reading.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import test from 'ava';
import type { Exchange } from '../../server/http/exchange.ts';
import { standardHeaderPairs } from '../../server/http/headers.ts';
import { createGenerator } from '../support/generator.ts';
import { bodiesIn, until } from '../support/raw.ts';
import { get, HEAD, open, post, start, tell } from './wire_setup.ts';

test('what one connection asks is answered in front or generally, each as it should, in whatever order it comes', async (t) => {
  const { port, counts } = await start(t);
  const { ask } = open(port);
  const row = [
    get('/front/1'),
    get('/general/2'),
    get('/front/3'),
    post('/general/4', 'a body'),
    post('/front/5', 'GET /front/x HTTP/1.1\r\nHost: a\r\n\r\n'),
    post('/general/6', 'GET /front/x HTTP/1.1\r\nHost: a\r\n\r\n'),
    get('/front/7'),
  ];
  for (const [index, bytes] of row.entries()) t.is((await ask(bytes, index + 1)).length, index + 1);
  t.deepEqual(counts, { front: 4, general: 3, byNode: 3 });
  const bodies = await ask('', 7);
  t.true(bodies.every((body, index) => body.includes(`/${index + 1} `)));
  t.is(bodies[4], 'POST /front/5 GET /front/x HTTP/1.1\r\nHost: a\r\n\r\n');
});

test('RFC 9112 §6.3: however the bytes of a connection are cut into pieces, the same requests are found in them', async (t) => {
  const { port } = await start(t);
  const smuggled = get('/front/smuggled');
  const chunks = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
  const kinds: ((nr: number) => string)[] = [
    (nr) => get(`/front/${nr}`),
    (nr) => get(`/general/${nr}`, 'Cookie: a=b; c=d', 'X-Empty:'),
    (nr) => post(`/general/${nr}`, smuggled),
    (nr) => post(`/front/${nr}`, smuggled),
    (nr) => post(`/general/${nr}`, ''),
    (nr) => `${get(`/general/${nr}`, 'Transfer-Encoding: chunked').replace('GET', 'POST')}${chunks}`,
  ];
  const { random, pick } = createGenerator(20_261_126);
  for (let run = 0; run < 60; run++) {
    const row = Array.from({ length: 1 + Math.floor(random() * 8) }, (_, nr) => pick(kinds)(nr));
    const bytes = row.join('');
    const { socket, ask } = open(port);
    for (let at = 0; at < bytes.length; ) {
      const end = random() < 0.3 ? bytes.length : at + 1 + Math.floor(random() * 200);
      socket.write(bytes.slice(at, end), 'latin1');
      at = end;
      // Some pieces arrive together, others apart.
      if (random() < 0.7) await new Promise((resolve) => setImmediate(resolve));
    }
    const bodies = await ask('', row.length);
    socket.destroy();
    t.deepEqual(
      bodies.map((body) => /^\w+ \/(\w+)\/(\d+) /.exec(body)?.slice(1)),
      row.map((one) => /^\w+ \/(\w+)\/(\d+) /.exec(one)?.slice(1)),
      JSON.stringify(bytes),
    );
  }
});

test('a connection goes on being ours behind a body that came in pieces, and is Node’s behind what may be read in two ways', async (t) => {
  const { port, counts } = await start(t);
  const { ask, socket } = open(port);
  const whole = post('/general', 'x'.repeat(50));
  socket.write(whole.slice(0, -30));
  await until(() => counts.byNode === 1);
  socket.write(whole.slice(-30, -10));
  await new Promise((resolve) => setImmediate(resolve));
  await ask(whole.slice(-10), 1);
  await ask(get('/front'), 2);
  t.deepEqual(counts, { front: 1, general: 1, byNode: 1 });
  for (const [nr, odd] of [
    get('/general', 'Transfer-Encoding: identity')
      .replace('identity', 'chunked')
      .replace('GET', 'POST')
      .concat('0\r\n\r\n'),
    get('/general') + get('/general'),
    get('/general', 'X-Space:  two'),
  ].entries()) {
    const before = { ...counts };
    const other = open(port);
    const answers = nr === 1 ? 2 : 1;
    await other.ask(odd, answers);
    t.is((await other.ask(get('/front'), answers + 1)).at(-1), 'GET /front ');
    t.is(counts.byNode, before.byNode + answers + 1, odd);
    t.is(counts.front, before.front + 1);
  }
});

test('a head that comes in pieces is waited for, and Node waits for one that comes slowly', async (t) => {
  const { port, counts, server } = await start(t);
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  const whole = get('/front', `Cookie: ${'a=b; '.repeat(600)}c=d`);
  const quick = open(port);
  quick.socket.write(whole.slice(0, 1500));
  await until(() => sockets[0]?.bytesRead === 1500);
  await quick.ask(whole.slice(1500), 1);
  await quick.ask(get('/general'), 2);
  quick.socket.write('GE');
  await until(() => (sockets[0]?.bytesRead ?? 0) > whole.length + get('/general').length);
  await quick.ask(get('/front').slice(2), 3);
  t.deepEqual(counts, { front: 2, general: 1, byNode: 1 });

  const slow = open(port);
  slow.socket.write(whole.slice(0, 1500));
  // Until it is Node's, which has limits of its own.
  await until(() => sockets[1]?.timeout === 0);
  await slow.ask(whole.slice(1500), 1);
  t.deepEqual(counts, { front: 3, general: 1, byNode: 2 });

  const ended = open(port);
  ended.socket.end(whole.slice(0, 1500));
  await until(ended.isClosed);
  t.regex(ended.text(), /^HTTP\/1\.1 408 /);
});

test('RFC 9112 §9.3.2: what could be answered in front waits for the answer that Node still owes before it', async (t) => {
  const { port, counts, server } = await start(t);
  const owed: (() => void)[] = [];
  // In front of the general way: the answer is written when the test wants it.
  server.prependListener('request', (_request, response) => {
    const end = response.end.bind(response) as (...given: unknown[]) => typeof response;
    response.end = ((...given: unknown[]) => {
      owed.push(() => end(...given));
      return response;
    }) as typeof response.end;
  });
  const { ask, socket } = open(port);
  socket.write(get('/general'));
  await until(() => owed.length === 1);
  socket.write(get('/front'));
  await until(() => counts.front === 1);
  if (!t.is(counts.byNode, 2, 'it is answered from what Node has read')) return;
  t.deepEqual(await ask('', 0), []);
  for (let index = 0; index < 2; index++) {
    await until(() => owed.length > index);
    owed[index]?.();
  }
  t.deepEqual(await ask('', 2), ['GET /general ', 'GET /front ']);
  t.is(counts.byNode, 2);
});

test('RFC 9112 §11.2: nothing is answered in front any more where Node has read something else than we have', async (t) => {
  const { port, counts, server } = await start(t, undefined, 60_000, 1024);
  // Says nothing and closes nothing, as no listener of ours would.
  server.removeAllListeners('clientError').on('clientError', () => undefined);
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  const { socket, text } = open(port);
  const long = get('/general', `X-Long: ${'x'.repeat(2000)}`);
  socket.write(long);
  await until(() => sockets[0]?.bytesRead === long.length);
  socket.write(get('/front'));
  await until(() => sockets[0]?.bytesRead === long.length + get('/front').length);
  await open(port).ask(get('/front'), 1);
  t.is(text(), '');
  t.deepEqual(counts, { front: 1, general: 0, byNode: 0 });
});

test('RFC 9112 §9.6: who asks for it, or only half closes the connection, gets the answer and then its end', async (t) => {
  const { port, counts } = await start(t);
  for (const path of ['/front', '/general']) {
    const closing = open(port);
    await closing.ask(get(path, 'Connection: close'), 1);
    await until(closing.isClosed);
    t.regex(closing.text(), /^Connection: close\r$/m);
    t.notRegex(closing.text(), /keep-alive/i);
  }
  const half = open(port);
  half.socket.end(get('/front'));
  await until(half.isClosed);
  t.is(bodiesIn(half.text()).length, 1);
  t.is(counts.front, 2);
});

test('reliability R-57: a connection that asks nothing is refused in time, and one that has asked is kept longer than that', async (t) => {
  const silent = open((await start(t, undefined, 50)).port);
  await until(silent.isClosed);
  t.regex(silent.text(), /^HTTP\/1\.1 408 /);

  const { port, server } = await start(t);
  const timeouts: (() => number | undefined)[] = [];
  server.on('connection', (socket) => timeouts.push(() => socket.timeout));
  const kept = open(port);
  await until(() => timeouts.length === 1);
  t.is(timeouts[0]?.(), 60_000);
  await kept.ask(get('/front'), 1);
  t.regex(kept.text(), /^Keep-Alive: timeout=65\r$/m);
  t.is(timeouts[0]?.(), 66_000, 'a second more than announced: who uses it in the last moment does not find it closed');
});

test('a reader who does not take the answers is asked for no more questions, and loses none', async (t) => {
  let answered = 0;
  const { port } = await start(t, (exchange) => {
    answered++;
    // 48 MB in all: the kernel may keep 37 of them for who does not read (tcp_rmem and tcp_wmem of a common Linux).
    tell(exchange, 'x'.repeat(120_000));
    return true;
  });
  const { socket, ask } = open(port);
  socket.pause();
  const questions = 400;
  let sent = 0;
  const more = setInterval(() => sent < questions && sent++ < questions && socket.write(get('/front')), 1);
  t.teardown(() => clearInterval(more));
  await until(() => sent === questions);
  t.true(answered < questions, `${answered} answers of 120 KB, and nobody reads`);
  socket.resume();
  t.is((await ask('', questions)).length, questions);
  t.is(answered, questions);
});

test('reliability R-3: what was begun in front is answered before the connection ends, and nothing is begun there any more', async (t) => {
  const waiting: Exchange[] = [];
  const { port, counts, wire } = await start(t, (exchange) => exchange.url === '/front' && waiting.push(exchange) > 0);
  const [asking, idle, attached, silent] = [open(port), open(port), open(port), open(port)];
  asking.socket.write(get('/front'));
  await attached.ask(get('/general'), 1);
  attached.socket.write(get('/front'));
  await until(() => waiting.length === 2);
  for (const { ask } of [idle, silent]) await ask(get('/general'), 1);

  let isDrained = false;
  const drained = wire.drain(1).then(() => {
    isDrained = true;
  });
  // A request that was on its way is answered, and told that it was the last one.
  t.is((await idle.ask(get('/general/late'), 2)).length, 2);
  await until(idle.isClosed);
  t.is(idle.text().match(/^Connection: close\r$/gm)?.length, 1);
  t.false(isDrained);
  t.false(silent.isClosed());
  for (const exchange of waiting) tell(exchange, 'late, but not lost');
  await drained;
  for (const { ask, isClosed, text } of [asking, attached]) {
    t.is((await ask('', 1)).at(-1), 'late, but not lost');
    await until(isClosed);
    t.regex(text(), /^Connection: close\r$/m);
  }
  t.is(counts.general, 4);
});

test('what was left to the general way comes to it whole, with the note about it', async (t) => {
  const notes: [IncomingMessage, number][] = [];
  const { port } = await start(t, ({ url, peer }) => {
    if (url !== '/general/noted') return false;
    // At once, and later.
    if (notes.length === 0) peer.leave((request) => notes.push([request, 1]));
    else setImmediate(() => peer.leave((request) => notes.push([request, 2])));
    return true;
  });
  const { ask } = open(port);
  const asked = post('/general/noted', 'a body', 'X-A: b');
  await ask(asked, 1);
  // The next one comes before this one is left: it waits.
  t.deepEqual(await ask(asked + get('/general/next'), 3), [
    'POST /general/noted a body',
    'POST /general/noted a body',
    'GET /general/next ',
  ]);
  t.deepEqual(
    notes.map(([{ url, headers }, nr]) => [url, headers['x-a'], nr]),
    [
      ['/general/noted', 'b', 1],
      ['/general/noted', 'b', 2],
    ],
  );
});

test('a head that we write is the one that Node would write of the same list, and none can be broken out of', async (t) => {
  const server = createServer({ keepAliveTimeout: 65_000 }, (asked, response) => {
    response.writeHead(
      HEAD.status,
      HEAD.list(['in front', '2'], asked.url === '/cookies' ? ['a=1; Path=/', 'b=2'] : []),
    );
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => server.close());
  const { port } = await start(t, (exchange) => {
    tell(exchange, 'ok', exchange.url === '/cookies' ? ['a=1; Path=/', 'b=2'] : []);
    return true;
  });
  const timeless = (text: string) =>
    text.replace(/Date: [^\r]+/, (line) => (Math.abs(Date.now() - Date.parse(line.slice(6))) < 60_000 ? 'Date' : line));
  for (const bytes of [get('/'), get('/cookies'), get('/', 'Connection: close')]) {
    const [ours, nodes] = [open(port), open((server.address() as AddressInfo).port)];
    await ours.ask(bytes, 1);
    await nodes.ask(bytes, 1);
    t.is(timeless(ours.text()), timeless(nodes.text()));
    t.regex(ours.text(), /\r\nDate: \w{3}, /);
    for (const [name, value] of standardHeaderPairs())
      t.is(ours.text().split(`\r\n${name}: ${value}\r\n`).length, 2, name);
    for (const { socket } of [ours, nodes]) socket.destroy();
  }
  for (const value of ['a\r\nSet-Cookie: stolen=1', 'a\u0000', 'ä']) {
    t.throws(() => HEAD.text([value, '0'], [], true), { instanceOf: TypeError });
    t.throws(() => HEAD.text(['a', '0'], [value], true), { instanceOf: TypeError });
  }
});
