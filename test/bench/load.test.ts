// The load generator counts right answers only, so what it takes for an answer is held here.

import { createServer } from 'node:http';
import test from 'ava';
import { repeating } from '../../bench/conversations.ts';
import { beside, cookiesIn, drive, expect, headerOf, parseAnswer, pause, request } from '../../bench/load.ts';

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nSet-Cookie: gone=; Max-Age=0';

test('an answer is whole when its head and all of its length are there', (t) => {
  const text = `${HEAD}\r\nContent-Length: 4\r\n\r\nfour`;
  for (let length = 0; length < text.length; length++) t.is(parseAnswer(text.slice(0, length)), null, `${length}`);
  t.like(parseAnswer(text), { status: 200, body: 'four' });
});

test('an answer in chunks is whole with the last, empty one', (t) => {
  const text = `${HEAD}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\nA\r\ntwo-three-\r\n0\r\n\r\n`;
  for (let length = 0; length < text.length; length++) t.is(parseAnswer(text.slice(0, length)), null, `${length}`);
  t.like(parseAnswer(text), { status: 200, body: 'onetwo-three-' });
});

test('204 and 304 have no body whatever their headers say', (t) => {
  t.like(parseAnswer('HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n'), { status: 204, body: '' });
  t.like(parseAnswer('HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n'), { status: 304, body: '' });
});

test('headers are found by name, and cookies that are set become a Cookie header', (t) => {
  const answer = { status: 200, head: HEAD, body: '' };
  t.is(headerOf(answer, 'content-type'), 'text/plain');
  t.is(headerOf(answer, 'location'), undefined);
  t.is(cookiesIn(answer), 'a=1; b=2');
});

test('a wrong status or a missing piece is refused', (t) => {
  const answer = { status: 200, head: HEAD, body: '{"user":1}' };
  t.notThrows(() => expect(answer, 200, '"user"'));
  t.notThrows(() => expect(answer, 200, 'a=1'));
  t.throws(() => expect(answer, 201), { message: /wrong answer \(wanted 201/ });
  t.throws(() => expect(answer, 200, 'nobody'), { message: /nobody/ });
});

const ASKED = request('POST /x', 'bench.example', ['A: b'], 'body');

test('a request has its host, its lines and the length of its body', (t) => {
  t.is(ASKED.toString(), 'POST /x HTTP/1.1\r\nHost: bench.example\r\nA: b\r\nContent-Length: 4\r\n\r\nbody');
});

async function serve(status: (count: number) => number) {
  let count = 0;
  const server = createServer((_request, response) => {
    response.statusCode = status(count++);
    response.end('right');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0, close: () => server.close() };
}

const conversation = repeating(
  () => ASKED,
  (answer) => expect(answer, 200, 'right'),
);
const SPAN = { warmUp: 0, seconds: 0.05, most: 1 };

test('what is counted are right answers, each with its time', async (t) => {
  const server = await serve(() => 200);
  const sample = await drive({ port: server.port, pid: process.pid, conversation, connections: 3 }, SPAN);
  server.close();
  t.true(sample.operations >= 3);
  // An answer that arrives in the moment of stopping has a time and is not counted, or the other way round.
  t.true(Math.abs(sample.latencies.length - sample.operations) <= 3);
  t.deepEqual(
    [...sample.latencies],
    [...sample.latencies].sort((a, b) => a - b),
  );
});

test('one wrong answer fails the run', async (t) => {
  const server = await serve((count) => (count === 20 ? 500 : 200));
  const endless = { warmUp: 0, seconds: 1000, most: 1000 };
  await t.throwsAsync(drive({ port: server.port, pid: process.pid, conversation, connections: 3 }, endless), {
    message: /wanted 200 right/,
  });
  server.close();
});

test('work beside a load begins when every connection has been answered, and ends the load', async (t) => {
  let answered = 0;
  const server = await serve(() => {
    answered++;
    return 200;
  });
  const target = { port: server.port, pid: process.pid, conversation, connections: 3 };
  const busy = await beside(target, async () => {
    const before = answered;
    t.true(before >= 3);
    while (answered < before + 20) await pause(0.001);
    return 'done';
  });
  t.is(busy.result, 'done');
  t.true(busy.perSecond > 0);
  // All of them have asked once, and rest for the better part of an hour.
  const resting = await beside({ ...target, restMs: 2_000_000 }, () => pause(0.05));
  t.is(resting.perSecond, 0);
  server.close();
});

test('a wrong answer to the load fails the work beside it', async (t) => {
  const server = await serve((count) => (count === 20 ? 500 : 200));
  const never = () => new Promise(() => undefined);
  const target = { port: server.port, pid: process.pid, conversation, connections: 3 };
  await t.throwsAsync(beside(target, never), { message: /wanted 200 right/ });
  server.close();
});
