// A server of their own for the tests of the wire: what answers in front and the general way are told apart by their answers.

import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { AnswerInFront, Exchange } from '../../server/http/exchange.ts';
import { createHead } from '../../server/http/headers.ts';
import { takeOffTheWire } from '../../server/http/wire.ts';
import { bodiesIn, until } from '../support/raw.ts';

export const HEAD = createHead({
  status: 200,
  constant: ['Content-Type', 'text/plain'],
  names: ['X-Own', 'Content-Length'],
});
export const tell = ({ peer }: Exchange, text: string, cookies: readonly string[] = []) =>
  peer.send(HEAD, ['in front', String(Buffer.byteLength(text))], cookies, {
    text,
    isAscii: /^[\x20-\x7e]*$/.test(text),
  });

/** Tells a request's method, address and body in front, where the address begins with /front; else by the general way. */
export async function start(
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
export function open(port: number, allowHalfOpen = false) {
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

export const get = (path: string, ...lines: string[]) =>
  `${['GET', path, 'HTTP/1.1'].join(' ')}\r\n${['Host: a', ...lines, '', ''].join('\r\n')}`;
export const post = (path: string, body: string, ...lines: string[]) =>
  `${get(path, `Content-Length: ${body.length}`, ...lines).replace('GET', 'POST')}${body}`;
