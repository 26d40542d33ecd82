// What is taken off the wire must be what Node's parser reads of the same bytes, and nothing else.

import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { isBeginning, readRequest } from '../../server/http/whole_request.ts';
import { until } from '../support/raw.ts';

const read = (text: string) => readRequest(Buffer.from(text, 'latin1'));
const get = (...lines: string[]) => ['GET /a?b=c HTTP/1.1', ...lines, '', ''].join('\r\n');
const post = (...lines: string[]) => get(...lines).replace('GET', 'POST');

test('RFC 9112 §3 to §6: a request in the usual form is read', (t) => {
  t.deepEqual(read(get('Host: a', 'x-Empty:', 'X-Tight:b', 'X-Spaced: b  c', 'X-Latin: \u00e4')), {
    method: 'GET',
    url: '/a?b=c',
    rawHeaders: ['Host', 'a', 'x-Empty', '', 'X-Tight', 'b', 'X-Spaced', 'b  c', 'X-Latin', '\u00e4'],
    bodyAt: 81,
    missing: 0,
    isKept: true,
  });
  t.is(read(`${post('Host: a', 'Content-Length: 4')}body`)?.missing, 0);
  t.is(read(`${post('Host: a', 'Content-Length: 4')}bo`)?.missing, 2);
  t.is(read(post('Host: a'))?.missing, 0);
  t.false(read(get('Host: a', 'connection: Close'))?.isKept);
  t.true(read(get('Host: a', 'Connection: Keep-Alive'))?.isKept);
});

test('RFC 9112 §11.2: whatever two parsers could read differently is left to Node', (t) => {
  const left = {
    'an unfinished head': get('Host: a').slice(0, -1),
    'more than one request': get('Host: a') + get('Host: a'),
    'more than its body': `${post('Host: a', 'Content-Length: 1')}ab`,
    'a body of GET': `${get('Host: a', 'Content-Length: 1')}a`,
    'two lengths': `${post('Host: a', 'Content-Length: 1', 'Content-Length: 1')}a`,
    'two lengths of other case': `${post('Host: a', 'Content-Length: 1', 'content-length: 2')}ab`,
    'a list of lengths': `${post('Host: a', 'Content-Length: 1, 1')}a`,
    'a signed length': `${post('Host: a', 'Content-Length: +1')}a`,
    'a length with a leading zero': `${post('Host: a', 'Content-Length: 01')}a`,
    'a length of spaces': post('Host: a', 'Content-Length: '),
    'a length beyond counting': post('Host: a', 'Content-Length: 99999999999999999999'),
    'a transfer coding': post('Host: a', 'Transfer-Encoding: chunked'),
    'a transfer coding of other case': post('Host: a', 'tRANSFER-eNCODING: chunked'),
    'an expectation': post('Host: a', 'Expect: 100-continue'),
    'an upgrade': get('Host: a', 'Upgrade: h2c'),
    'another connection header': get('Host: a', 'Connection: keep-alive, te'),
    'two connection headers': get('Host: a', 'Connection: close', 'Connection: keep-alive'),
    'a folded line': get('Host: a', 'X-A: b', ' c'),
    'a space before the colon': get('Host: a', 'X-A : b'),
    'two spaces before the value': get('Host: a', 'X-A:  b'),
    'a space behind the value': get('Host: a', 'X-A: b '),
    'a tab': get('Host: a', 'X-A:\tb'),
    'a control character': get('Host: a', 'X-A: b\u0000'),
    'a bare line feed': get('Host: a', 'X-A: b\nX-C: d'),
    'a bare carriage return': get('Host: a', 'X-A: b\rX-C: d'),
    'line feeds alone': get('Host: a').replaceAll('\r\n', '\n'),
    'no name': get('Host: a', ': b'),
    'no colon': get('Host: a', 'X-A'),
    'no header': get(),
    'an empty line in front': `\r\n${get('Host: a')}`,
    'another version': get('Host: a').replace('1.1', '1.0'),
    'an absolute target': get('Host: a').replace('/a', 'http://b/a'),
    'an asterisk': get('Host: a').replace('/a?b=c', '*'),
    'a fragment': get('Host: a').replace('/a', '/a#b'),
    'a space in the target': get('Host: a').replace('/a', '/a b'),
    'a letter beyond ASCII in the target': get('Host: a').replace('/a', '/\u00e4'),
    'a method in small letters': get('Host: a').replace('GET', 'get'),
    'too many headers': get(...Array.from({ length: 101 }, () => 'X: y')),
    'too large a head': get('Host: a', `X: ${'y'.repeat(16 * 1024)}`),
  };
  for (const [what, text] of Object.entries(left)) t.is(read(text), null, what);
});

test('every beginning of a head is one, until it ends or can be none', (t) => {
  const whole = post('Host: a', 'Content-Length: 1');
  for (let length = 1; length < whole.length; length++)
    t.true(isBeginning(Buffer.from(whole.slice(0, length))), whole.slice(0, length));
  for (const none of [
    whole,
    `${whole}a`,
    '',
    'g',
    '\r\n',
    'GET a',
    'GET http://a/',
    'GE /',
    'PROPPATCH /',
    `GET /${'a'.repeat(16 * 1024)}`,
  ])
    t.false(isBeginning(Buffer.from(none)), none.slice(0, 20));
});

test('RFC 9112 §11.2: of bytes of any kind, what is taken is one whole request to Node too, and the same', async (t) => {
  let seen: IncomingMessage[] = [];
  const server = createServer({ maxHeaderSize: 16 * 1024, requireHostHeader: false }, (request, response) => {
    seen.push(request);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;

  const oddity = fc.constantFrom(
    ' ',
    '\t',
    '\r',
    '\n',
    '\r\n',
    '\u0000',
    ':',
    ',',
    ';',
    '\u00e4',
    '\u007f',
    '\u000b',
    '%',
    '#',
    '"',
    '0',
    '\r\n\r\n',
  );
  const name = fc.constantFrom(
    'Host',
    'Cookie',
    'X-A',
    'X-B',
    'Accept',
    'DNT',
    'Content-Length',
    'content-length',
    'Connection',
    'X-A',
    'Transfer-Encoding',
    'TE',
    'Expect',
    'Trailer',
  );
  const value = fc.constantFrom(
    'a',
    'a.example:80',
    '0',
    '4',
    '5',
    'close',
    'keep-alive',
    'chunked',
    'a=b; c="d e"',
    '',
    '\u00e4\u00f6',
  );
  const line = fc
    .tuple(name, fc.constantFrom(': ', ': ', ': ', ': ', ':', ' : ', ':  '), value)
    .map((parts) => parts.join(''));
  const bytes = fc
    .record({
      start: fc.tuple(
        fc.constantFrom('GET', 'POST', 'GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'CONNECT', 'SEARCH'),
        fc.constantFrom('/', '/a?b=%20', "/~!$&'()*+,;=:@", '//x', '/a"b', '/[]'),
      ),
      lines: fc.array(line, { minLength: 1, maxLength: 5 }),
      body: fc.constantFrom('', '', 'body', 'GET / HTTP/1.1\r\n\r\n'),
      changes: fc.array(fc.tuple(fc.nat({ max: 200 }), oddity, fc.boolean()), { maxLength: 1 }),
    })
    .map(({ start: [method, target], lines, body, changes }) => {
      let text = `${[`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n')}${body}`;
      for (const [at, odd, isInstead] of changes) {
        const place = at % text.length;
        text = text.slice(0, place) + odd + text.slice(place + (isInstead ? 1 : 0));
      }
      return text;
    });
  let [taken, tried] = [0, 0];
  await fc.assert(
    fc.asyncProperty(bytes, async (text) => {
      tried++;
      const ours = read(text);
      if (!ours || ours.missing > 0) return;
      taken++;
      seen = [];
      let received = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
      socket.on('error', () => undefined);
      socket.on('data', (piece) => {
        received += piece;
      });
      await until(() => received !== '' || socket.destroyed);
      // A rest that Node kept back would be the beginning of this one.
      if (ours.isKept) socket.write('GET /probe HTTP/1.1\r\nHost: a\r\n\r\n');
      if (ours.isKept && ours.method !== 'CONNECT') await until(() => seen.length > 1 || socket.destroyed);
      socket.destroy();
      // Node makes no request of this method; the connection is then given to it for good.
      if (ours.method === 'CONNECT') return void t.is(seen.length, 0);
      const [request, probe] = seen;
      t.deepEqual(
        [request?.method, request?.url, request?.rawHeaders, request?.complete, probe?.url],
        [ours.method, ours.url, ours.rawHeaders, true, ours.isKept ? '/probe' : undefined],
        JSON.stringify(text),
      );
    }),
    { numRuns: 10_000, seed: 20_261_126 },
  );
  t.log(`${taken} of ${tried} taken`);
  t.true(taken > 300);
});
