import { gzipSync } from 'node:zlib';
import test from 'ava';
import { send } from '../support/browser.ts';
import { API, AUTH, exchange, headOf, postJson, statusesIn, UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const KB = 1024;
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html' };

test('security 180, reliability R-57: an address of 8 KB is served and a longer one is refused with 414, one beyond all headers with 431', async (t) => {
  const path = '/api/auth/v1/users/me?x=';
  t.is((await send(server.port, `http://${HOSTS.news}${path.padEnd(8192, 'a')}`)).status, 401);
  const tooLong = await send(server.port, `http://${HOSTS.news}${path.padEnd(8193, 'a')}`);
  t.is(tooLong.status, 414);
  t.is(tooLong.headers['cache-control'], 'no-store');
  t.deepEqual(statusesIn(await exchange(server.port, `${headOf('GET', path.padEnd(20 * KB, 'a'))}\r\n`)), [431]);
});

test('security 180, reliability R-57: headers beyond 16 KB, one or many, are refused with 431 and the connection closed', async (t) => {
  for (const more of [
    [`X-Big: ${'a'.repeat(17 * KB)}`],
    Array.from({ length: 400 }, (_, index) => `X-Many-${index}: ${'b'.repeat(40)}`),
    [`Cookie: ${'c=d; '.repeat(4000)}`],
  ]) {
    const received = await exchange(server.port, `${headOf('GET', '/api/auth/v1/users/me', more)}\r\n`);
    t.deepEqual(statusesIn(received), [431]);
    t.regex(received, /Cache-Control: no-store/);
  }
  t.is(
    (await send(server.port, `${API}/users/me`, { headers: { Cookie: 'foreign=x; '.repeat(1300) } })).status,
    401,
    '15 KB of the publisher’s cookies are served',
  );
});

test('security 180, reliability R-57: more than 200 header lines are refused with 431, small ones too, and none is passed over', async (t) => {
  const small = (count: number) => Array.from({ length: count }, (_, index) => `x-${index}: y`);
  for (const path of ['/api/auth/v1/users/me', '/api/auth/v1/users/me?general']) {
    for (const more of [
      small(300),
      small(199),
      // Node would pass over the second Host: it stands behind a thousand others.
      [...Array<string>(1100).fill('a: y'), 'Host: evil.test'],
    ]) {
      const received = await exchange(server.port, `${headOf('GET', path, more)}\r\n`);
      t.deepEqual(statusesIn(received), [431], `${path} ${more.length}`);
      t.regex(received, /Cache-Control: no-store/);
      t.regex(received, /^Connection: close\r$/im);
    }
    for (const more of [small(198), small(100), Array<string>(100).fill('X-Forwarded-For: 1.2.3.4')])
      t.deepEqual(
        statusesIn(await exchange(server.port, `${headOf('GET', path, more)}\r\n`)),
        [401],
        `${path} ${more.length}`,
      );
  }
});

test('security 180, reliability R-57: a body beyond 100 KB is refused with 413, whether its length was announced or not', async (t) => {
  const body = JSON.stringify({ email: 'a@b.example', password: PASSWORD, padding: 'x'.repeat(101 * KB) });
  const announced = await postJson(server.port, `${API}/login`, body, {
    headers: { 'Content-Length': String(Buffer.byteLength(body)) },
  });
  t.is(announced.status, 413);
  t.is(announced.headers.connection, 'close');
  t.is(
    (await postJson(server.port, `${API}/login`, body, { headers: { 'Transfer-Encoding': 'chunked' } })).status,
    413,
  );
  const form = await send(server.port, `${AUTH}/login`, {
    method: 'POST',
    headers: FORM,
    body: `identifier=${'x'.repeat(101 * KB)}`,
  });
  t.is(form.status, 413);
  const fits = JSON.stringify({ email: 'nobody@b.example', password: PASSWORD, padding: 'x'.repeat(99 * KB) });
  t.is((await postJson(server.port, `${API}/login`, fits)).status, 401);
});

test('security 180, reliability R-57: ten megabytes in chunks are not waited for', async (t) => {
  const chunk = `2800\r\n${'x'.repeat(0x2800)}\r\n`;
  const received = await exchange(
    server.port,
    `${headOf('POST', '/api/auth/v1/login', ['Content-Type: application/json', 'Transfer-Encoding: chunked'])}\r\n${chunk.repeat(1000)}`,
  );
  t.deepEqual(statusesIn(received).slice(0, 1), [413]);
});

test('security 180, reliability R-58: a compressed body is refused with 415 and never inflated', async (t) => {
  const bomb = gzipSync(Buffer.alloc(50 * KB * KB));
  for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, identity', 'compress']) {
    const head = headOf('POST', '/api/auth/v1/login', [
      'Content-Type: application/json',
      `Content-Encoding: ${encoding}`,
      `Content-Length: ${bomb.length}`,
    ]);
    t.deepEqual(
      statusesIn(await exchange(server.port, Buffer.concat([Buffer.from(`${head}\r\n`), bomb]))),
      [415],
      encoding,
    );
  }
});

test('security 180: JSON of 32 levels is taken and of 33 refused', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  const nested = (levels: number) => `{"metadata":${'{"a":'.repeat(levels - 2)}{}${'}'.repeat(levels - 2)}}`;
  const ask = (body: string) =>
    browser.fetch(`${API}/users/profile`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  t.is((await ask(nested(32))).status, 200);
  t.is((await ask(nested(33))).status, 400);
});

test('security 180: 20,000 form fields and an upload are refused on every form', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, index) => `f${index}=1`)
    .join('&')
    .slice(0, 100_000);
  for (const path of ['/login', '/signup', '/logout', '/api/auth/v1/logout']) {
    t.is((await send(server.port, `${AUTH}${path}`, { method: 'POST', headers: FORM, body: many })).status, 400, path);
    const upload = { ...FORM, 'Content-Type': 'multipart/form-data; boundary=x' };
    const body = '--x\r\nContent-Disposition: form-data; name="identifier"\r\n\r\nx\r\n--x--\r\n';
    t.is((await send(server.port, `${AUTH}${path}`, { method: 'POST', headers: upload, body })).status, 415, path);
  }
});

test('security 180: metadata beyond 16 KB is refused', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  t.is((await browser.post(`${API}/users/profile`, { metadata: { x: 'y'.repeat(17 * KB) } })).status, 400);
  t.is(
    (
      await browser.post(`${API}/users/profile`, {
        metadata: Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1])),
      })
    ).status,
    200,
  );
});
