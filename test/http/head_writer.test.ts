import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createHeadWriter, createRepeatedHead, standardHeaderPairs } from '../../server/http/headers.ts';

test('an answer without Koa has every standard header once, and those of its own', async (t) => {
  const writeHead = createHeadWriter();
  const server = createServer((_request, response) => {
    writeHead(response, 401, ['X-Own', 'yes', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Content-Length', '2']);
    response.end('ok', 'latin1');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const { raw, status, body } = await new Promise<{ raw: string[]; status: number; body: string }>(
    (resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', agent: false }, (answer) => {
        let text = '';
        answer.on('data', (piece) => {
          text += piece;
        });
        answer.on('end', () => resolve({ raw: answer.rawHeaders, status: answer.statusCode ?? 0, body: text }));
      });
      sent.on('error', reject);
      sent.end();
    },
  );
  server.close();
  t.is(status, 401);
  t.is(body, 'ok');
  const valuesOf = (name: string) =>
    raw.flatMap((one, index) =>
      index % 2 === 0 && one.toLowerCase() === name.toLowerCase() ? [raw[index + 1] ?? ''] : [],
    );
  for (const [name, value] of standardHeaderPairs()) t.deepEqual(valuesOf(name), [value], name);
  t.deepEqual(valuesOf('x-own'), ['yes']);
  t.deepEqual(valuesOf('set-cookie'), ['a=1', 'b=2']);
  t.deepEqual(valuesOf('content-length'), ['2']);
  t.is(valuesOf('date').length, 1);
  t.is(valuesOf('transfer-encoding').length, 0);
});

test('what could break out of a header is refused, as by Node itself', (t) => {
  const writeHead = createHeadWriter();
  const server = createServer((_request, response) => {
    t.throws(() => writeHead(response, 200, ['X-Own', 'a\r\nSet-Cookie: stolen=1']), { code: 'ERR_INVALID_CHAR' });
    response.destroy();
  });
  return new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      const sent = request({ port, host: '127.0.0.1', agent: false });
      sent.on('error', () => server.close(() => resolve()));
      sent.end();
    });
  });
});

test('a head that is written again and again is each time the head that Node would make', async (t) => {
  const write = createHeadWriter();
  const writeAgain = createRepeatedHead(write, {
    status: 201,
    constant: ['Content-Type', 'text/plain'],
    names: ['X-Own', 'Content-Length'],
  });
  const byNode: string[][] = [];
  const server = createServer((asked, response) => {
    const text = String(asked.url).slice(1);
    if (text === 'broken') {
      t.throws(() => writeAgain(response, ['a\r\nSet-Cookie: stolen=1', '0']), { code: 'ERR_INVALID_CHAR' });
      t.throws(() => writeAgain(response, ['a', '0'], ['b=1\r\nX: 2']), { code: 'ERR_INVALID_CHAR' });
      response.writeHead(500, { 'Content-Length': '0' });
      response.end();
      return;
    }
    const cookies = asked.headers['x-cookies'] === undefined ? [] : ['a=1; Path=/', 'b=2'];
    const length = String(text.length);
    if (asked.headers['x-by'] === 'node') {
      const lines = cookies.flatMap((cookie) => ['Set-Cookie', cookie]);
      write(response, 201, ['Content-Type', 'text/plain', 'X-Own', text, 'Content-Length', length, ...lines]);
    } else writeAgain(response, [text, length], cookies);
    response.end(text, 'latin1');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string, headers: Record<string, string>) =>
    new Promise<string[]>((resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', path, headers, agent }, (answer) => {
        let text = '';
        answer.on('data', (piece) => {
          text += piece;
        });
        answer.on('end', () => {
          const isTime = (one: string, before?: string) =>
            before === 'Date' && Math.abs(Date.now() - Date.parse(one)) < 60_000;
          const raw = answer.rawHeaders.map((one, index, all) => (isTime(one, all[index - 1]) ? 'now' : one));
          resolve([String(answer.statusCode), text, ...raw]);
        });
      });
      sent.on('error', reject);
      sent.end();
    });
  // Also where the connection is to be closed, whose head is another one.
  const kinds = [{ 'X-Cookies': '1' }, {}, {}, { 'X-Cookies': '1' }, { Connection: 'close' }, {}];
  for (const [index, headers] of kinds.entries()) {
    const path = `/${'x'.repeat(index + 1)}`;
    byNode.push(await ask(path, { ...headers, 'X-By': 'node' }));
    t.deepEqual(await ask(path, headers), byNode.at(-1), String(index));
  }
  t.is((await ask('/broken', {}))[0], '500');
  t.is(new Set(byNode.map((raw) => raw.includes('close'))).size, 2);
  t.true(byNode.every((raw) => raw.includes('now')));
  agent.destroy();
  server.close();
});
