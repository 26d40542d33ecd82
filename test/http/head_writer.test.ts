import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createHeadWriter, standardHeaderPairs } from '../../server/http/headers.ts';

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
