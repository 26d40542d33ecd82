// Requests taken off the wire, by a server of their own: what answers in front and the general way are told apart by their answers.

import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import test from 'ava';
import type { AnswerInFront, Exchange } from '../../server/http/exchange.ts';
import { createHead, standardHeaderPairs } from '../../server/http/headers.ts';
import { takeOffTheWire } from '../../server/http/wire.ts';
import { createGenerator } from '../support/generator.ts';
import { bodiesIn, until } from '../support/raw.ts';

const HEAD = createHead({ status: 200, constant: ['Content-Type', 'text/plain'], names: ['X-Own', 'Content-Length'] });
const tell = ({ peer }: Exchange, text: string, cookies: readonly string[] = []) =>
  peer.send(HEAD, ['in front', String(Buffer.byteLength(text))], cookies, {
    text,
    isAscii: /^[\x20-\x7e]*$/.test(text),
  });

/** Tells a request's method, address and body in front, where the address begins with /front; else by the general way. */
async function start(
  t: { teardown(work: () => unknown): void },
  front?: AnswerInFront,
  firstHeadMs = 60_000,
  maxHeaderSize = 16_384,
) {
  const server = createServer({ keepAliveTimeout: 65_000, maxHeaderSize });
  /** byNode: what Node has read, whoever answers it */
  const counts = { front: 0, general: 0, byNode: 0 };
  server.on('request', () => void counts.byNode++);
  const usual: AnswerInFront = (exchange) => {
    if (!exchange.url.startsWith('/front')) return false;
    counts.front++;
    void exchange.peer.readBody().then(
      (body) => tell(exchange, `${exchange.method} ${exchange.url} ${body.toString('latin1')}`),
      () => exchange.peer.leave(() => undefined),
    );
    return true;
  };
  const answerGenerally: RequestListener = (request, response) => {
    counts.general++;
    const pieces: Buffer[] = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      const text = `${request.method} ${request.url} ${Buffer.concat(pieces).toString('latin1')}`;
      response.writeHead(200, { 'Content-Length': String(Buffer.byteLength(text, 'latin1')) });
      response.end(text, 'latin1');
    });
  };
  const wire = takeOffTheWire(server, {
    answerInFront: front ?? usual,
    answerGenerally,
    refuse: (_error, socket) => void socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'),
    firstHeadMs,
  });
  server.on('clientError', (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    wire.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, counts, wire, server };
}

/** A connection that keeps all it is told. */
function open(port: number, allowHalfOpen = false) {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen });
  let text = '';
  let isClosed = false;
  socket.setEncoding('latin1');
  socket.on('data', (piece: string) => {
    text += piece;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
  });
  return {
    socket,
    text: () => text,
    isClosed: () => isClosed,
    /** Sends, and returns all bodies once there are so many. */
    async ask(bytes: string, answers: number): Promise<string[]> {
      socket.write(bytes, 'latin1');
      await until(() => bodiesIn(text).length >= answers || isClosed);
      return bodiesIn(text);
    },
  };
}

const get = (path: string, ...lines: string[]) =>
  `${['GET', path, 'HTTP/1.1'].join(' ')}\r\n${['Host: a', ...lines, '', ''].join('\r\n')}`;
const post = (path: string, body: string, ...lines: string[]) =>
  `${get(path, `Content-Length: ${body.length}`, ...lines).replace('GET', 'POST')}${body}`;

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

test('a reader who does not take the answers is asked for no more questions, and loses none', async (t) => {
  let answered = 0;
  const { port } = await start(t, (exchange) => {
    answered++;
    tell(exchange, 'x'.repeat(60_000));
    return true;
  });
  const { socket, ask } = open(port);
  socket.pause();
  const questions = 400;
  let sent = 0;
  const more = setInterval(() => sent < questions && sent++ < questions && socket.write(get('/front')), 1);
  t.teardown(() => clearInterval(more));
  await until(() => sent === questions);
  t.true(answered < questions, `${answered} answers of 60 KB, and nobody reads`);
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
