// Requests that two parsers in a row may split differently, sent as bytes. Each carries a second request behind it: if
// that were ever answered, a proxy in front would hand its answer to somebody else (RFC 9112 §11.2).

import test from 'ava';
import { exchange, headOf, statusesIn, UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());

const HOST = `Host: ${HOSTS.news}`;
const SMUGGLED = `GET /api/auth/v1/sdk.js HTTP/1.1\r\n${HOST}\r\nConnection: close\r\n\r\n`;
const BODY = '{"email":"nobody@example.com","password":"x"}';
const post = (...lines: string[]) =>
  ['POST /api/auth/v1/login HTTP/1.1', HOST, 'Content-Type: application/json', ...lines, '', ''].join('\r\n');
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

const REFUSED: [string, string][] = [
  [
    'Content-Length and Transfer-Encoding',
    `${post('Content-Length: 4', 'Transfer-Encoding: chunked')}${chunked(BODY)}`,
  ],
  [
    'Transfer-Encoding and Content-Length',
    `${post('Transfer-Encoding: chunked', 'Content-Length: 4')}${chunked(BODY)}`,
  ],
  ['two different lengths', `${post('Content-Length: 45', 'Content-Length: 4')}${BODY}`],
  ['a list of lengths', `${post('Content-Length: 45, 45')}${BODY}`],
  ['a signed length', `${post('Content-Length: +45')}${BODY}`],
  ['a hexadecimal length', `${post('Content-Length: 0x2d')}${BODY}`],
  ['a negative length', `${post('Content-Length: -1')}${BODY}`],
  ['an unknown transfer coding', `${post('Transfer-Encoding: xchunked')}${chunked(BODY)}`],
  ['a transfer coding after chunked', `${post('Transfer-Encoding: chunked, identity')}${chunked(BODY)}`],
  ['a bad chunk size', `${post('Transfer-Encoding: chunked')}xyz\r\n${BODY}\r\n0\r\n\r\n`],
  ['a chunk longer than its size', `${post('Transfer-Encoding: chunked')}4\r\n${BODY}\r\n0\r\n\r\n`],
  ['a negative chunk size', `${post('Transfer-Encoding: chunked')}-4\r\n${BODY}\r\n0\r\n\r\n`],
  ['a chunk ended by a bare LF', `${post('Transfer-Encoding: chunked')}2d\n${BODY}\n0\n\n`],
  ['a folded header line', `${post('X-Folded: a\r\n b', 'Content-Length: 45')}${BODY}`],
  ['a folded transfer coding', `${post('Transfer-Encoding:\r\n chunked')}${chunked(BODY)}`],
  ['a space before the colon', `${post('Content-Length : 45')}${BODY}`],
  ['a tab before the colon', `${post('Transfer-Encoding\t: chunked')}${chunked(BODY)}`],
  ['a header without a name', `${post(': x', 'Content-Length: 45')}${BODY}`],
  ['a space in a name', `${post('Content Length: 45')}${BODY}`],
  ['lines ended by a bare LF', `POST /api/auth/v1/login HTTP/1.1\n${HOST}\nContent-Length: 0\n\n`],
  ['one line ended by a bare LF', `${post('X-A: b\nTransfer-Encoding: chunked')}${chunked(BODY)}`],
  ['a line ended by a bare CR', `${post('X-A: b\rTransfer-Encoding: chunked')}${chunked(BODY)}`],
  ['a NUL in a value', `${post('X-A: b\u0000c', 'Content-Length: 45')}${BODY}`],
  ['two Host lines', `GET /api/auth/v1/users/me HTTP/1.1\r\n${HOST}\r\n${HOST}\r\nConnection: close\r\n\r\n`],
  ['no Host line', 'GET /api/auth/v1/users/me HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['a space in the target', `GET /api/auth/v1/users/me x HTTP/1.1\r\n${HOST}\r\nConnection: close\r\n\r\n`],
  ['an absolute target', `GET http://evil.test/api/auth/v1/users/me HTTP/1.1\r\n${HOST}\r\nConnection: close\r\n\r\n`],
  ['an unknown version', `GET /api/auth/v1/users/me HTTP/1.9\r\n${HOST}\r\nConnection: close\r\n\r\n`],
  ['HTTP/0.9', 'GET /api/auth/v1/users/me\r\n\r\n'],
  ['a made-up method', `FETCH /api/auth/v1/users/me HTTP/1.1\r\n${HOST}\r\n\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
];

test('security 187: what two parsers may read differently is refused with 400, and what follows it is never answered', async (t) => {
  for (const [what, bytes] of REFUSED) {
    const received = await exchange(server.port, Buffer.from(`${bytes}${SMUGGLED}`, 'latin1'));
    t.deepEqual(statusesIn(received), [400], `${what}: ${received.slice(0, 200)}`);
    t.false(received.includes('text/javascript'), what);
    t.regex(received, /cache-control: no-store/i, what);
  }
});

test('RFC 9112 §6.1, security 187: a body in another transfer coding than chunked alone is refused with 501, and nothing behind it is answered', async (t) => {
  for (const [what, ...lines] of [
    ['a coding before chunked', 'Transfer-Encoding: gzip, chunked'],
    ['the same in two lines', 'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'],
    ['chunked twice', 'Transfer-Encoding: chunked, chunked'],
  ]) {
    for (const bytes of [
      `${post(...lines)}${chunked(BODY)}`,
      `${headOf('GET', '/api/auth/v1/users/me', lines).replace('Connection: close\r\n', '')}\r\n${chunked(BODY)}`,
    ]) {
      const received = await exchange(server.port, `${bytes}${SMUGGLED}`);
      t.true(['400', '501'].includes(statusesIn(received).join()), `${what}: ${received.slice(0, 200)}`);
      if (what !== 'chunked twice') t.deepEqual(statusesIn(received), [501], what);
      t.false(received.includes('text/javascript'), what);
      t.regex(received, /cache-control: no-store/i, what);
    }
  }
  for (const coding of ['chunked', 'CHUNKED'])
    t.deepEqual(
      statusesIn(
        await exchange(server.port, `${post(`Transfer-Encoding: ${coding}`, 'Connection: close')}${chunked(BODY)}`),
      ),
      [401],
    );
});

test('security 187: bytes after a body of the announced length are another request, never part of this one', async (t) => {
  const received = await exchange(server.port, `${post(`Content-Length: ${BODY.length}`)}${BODY}${SMUGGLED}`);
  t.deepEqual(statusesIn(received), [401, 200]);
});

test('security 187: the connection ends with an answer that did not wait for the whole body', async (t) => {
  const received = await exchange(
    server.port,
    `${post(`Content-Length: ${300_000}`)}${BODY}${SMUGGLED}`.padEnd(120_000, ' '),
  );
  t.deepEqual(statusesIn(received), [413]);
});

test('security 187: a request in one-byte pieces and a hundred in a row are answered one by one, in order', async (t) => {
  const one = headOf('GET', '/api/auth/v1/users/me').replace('Connection: close\r\n', '');
  const received = await exchange(server.port, `${`${one}\r\n`.repeat(99)}${headOf('GET', '/api/auth/v1/sdk.js')}\r\n`);
  t.deepEqual(statusesIn(received), [...Array<number>(99).fill(401), 200]);
});
