/**
 * The reverse proxy that each demo site has for /api/auth/v1/*: what passes, as what, and what happens when one of the
 * two ends goes away. demo/auth_proxy.ts
 */
import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createAuthProxy, isForCauseway } from '../../demo/auth_proxy.ts';
import { open, read, startFakeCauseway, startSites } from './fake_causeway.ts';

const ok = (_request: unknown, response: ServerResponse) => response.end('{}');

test('a request below the prefix reaches Causeway with path, query and Host as the browser sent them', async (t) => {
  const causeway = await startFakeCauseway(t, ok);
  const { origins } = await startSites(t, causeway.origin);
  for (const origin of origins) await read(`${origin}/api/auth/v1/oauth/token?code=a%2Fb&callback_uri=x`);
  t.deepEqual(
    causeway.seen.map(({ headers, url }) => `http://${headers.host}${url}`),
    origins.map((origin) => `${origin}/api/auth/v1/oauth/token?code=a%2Fb&callback_uri=x`),
  );
});

test('forwarding headers tell where the reader really is, whatever the reader claims', async (t) => {
  const causeway = await startFakeCauseway(t, ok);
  const { origins } = await startSites(t, causeway.origin);
  const headers = {
    'X-Forwarded-For': '203.0.113.9',
    'X-Forwarded-Host': 'evil.test',
    Forwarded: 'host=evil.test',
    Expect: '100-continue',
  };
  await read(`${origins[0]}/api/auth/v1/login`, { method: 'POST', headers });
  const seen = causeway.seen[0]!.headers;
  t.is(seen['x-forwarded-for'], '127.0.0.1');
  t.is(seen['x-forwarded-host'], undefined);
  t.is(seen['forwarded'], undefined);
  t.is(seen['x-forwarded-proto'], 'http');
});

for (const [target, expected] of [
  ['/api/auth/v1/users/me', true],
  ['/api/auth/v1/oauth/authorize?callback_uri=http://x/../y', true],
  ['/api/auth/v1', false],
  ['/api/auth/v10/users/me', false],
  ['/API/auth/v1/users/me', false],
  ['/metrics', false],
  ['//api/auth/v1/users/me', false],
  ['/api/auth/v1/../../../metrics', false],
  ['/api/auth/v1/%2e%2e/%2E%2e/metrics', false],
  ['/api/auth/v1/..\\..\\metrics', false],
  ['/x/../api/auth/v1/users/me', false],
  ['http://auth.localhost/api/auth/v1/users/me', false],
  ['*', false],
] as const) {
  test(`${target} is ${expected ? '' : 'not '}passed on`, async (t) => {
    t.is(isForCauseway(target), expected);
    const causeway = await startFakeCauseway(t, ok);
    const { origins } = await startSites(t, causeway.origin);
    if (target.startsWith('/')) await read(`${origins[0]}${target}`);
    t.is(causeway.seen.length, expected ? 1 : 0);
  });
}

test('several Set-Cookie headers and a redirect come back untouched', async (t) => {
  const causeway = await startFakeCauseway(t, (_request, response) => {
    response.writeHead(303, {
      Location: 'http://auth.localhost:8080/x',
      'Set-Cookie': ['qt-auth=a', '__Host-qt-auth=b'],
    });
    response.end();
  });
  const { origins } = await startSites(t, causeway.origin);
  const { answer } = await read(`${origins[0]}/api/auth/v1/oauth/token`);
  t.is(answer.statusCode, 303);
  t.is(answer.headers.location, 'http://auth.localhost:8080/x');
  t.deepEqual(answer.headers['set-cookie'], ['qt-auth=a', '__Host-qt-auth=b']);
});

test('an event stream passes unbuffered: its headers before any event, each event when it is sent', async (t) => {
  const { promise: upstream, resolve } = Promise.withResolvers<ServerResponse>();
  const causeway = await startFakeCauseway(t, (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    resolve(response);
  });
  const { origins } = await startSites(t, causeway.origin);
  const answer = await open(`${origins[0]}/api/auth/v1/events`); // resolves although not one byte of body was sent
  t.is(answer.headers['content-type'], 'text/event-stream');
  for (const event of ['event: signed-out\ndata: 1\n\n', ': still here\n\n']) {
    (await upstream).write(event);
    const [chunk] = await once(answer, 'data');
    t.is(String(chunk), event);
  }
});

test('when the reader hangs up, the request to Causeway is ended', async (t) => {
  const { promise: closed, resolve } = Promise.withResolvers<boolean>();
  const causeway = await startFakeCauseway(t, (_request, response) => {
    response.once('close', () => resolve(response.writableFinished));
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
  });
  const { origins } = await startSites(t, causeway.origin);
  (await open(`${origins[0]}/api/auth/v1/events`)).destroy();
  t.false(await closed);
});

test('a reader who hangs up before the answer ends the request to Causeway as well', async (t) => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const causeway = await startFakeCauseway(t, (_request, response) => {
    response.once('close', resolve);
    arrive();
  });
  const { origins } = await startSites(t, causeway.origin);
  const { host, port } = new URL(origins[0]!);
  const impatient = request({ host: '127.0.0.1', port, path: '/api/auth/v1/users/me', headers: { host } });
  impatient.on('error', () => {}).end();
  await arrived;
  impatient.destroy();
  await t.notThrowsAsync(closed);
});

test('an answer that breaks off at Causeway breaks off for the reader too', async (t) => {
  const causeway = await startFakeCauseway(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': '100' });
    response.write('half', () => response.destroy());
  });
  const { origins } = await startSites(t, causeway.origin);
  await t.throwsAsync(read(`${origins[0]}/api/auth/v1/users/me`), { message: 'aborted' });
});

test('while Causeway is away its addresses answer 502 with a JSON body, and the log says so', async (t) => {
  const causeway = await startFakeCauseway(t, ok);
  const lines: string[] = [];
  const { origins } = await startSites(t, causeway.origin, lines);
  causeway.close();
  const { answer, body } = await read(`${origins[0]}/api/auth/v1/users/me`);
  t.is(answer.statusCode, 502);
  t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
  t.is(answer.headers['cache-control'], 'no-store');
  t.is(JSON.parse(body).message, JSON.parse(body).error.message);
  t.is(lines.length, 1);
  t.true(lines[0]!.startsWith('news.localhost:'));
});

test('an answer that does not begin in time becomes a 502; an event stream that has begun may be silent', async (t) => {
  const causeway = await startFakeCauseway(t, (request, response) => {
    if (request.url?.endsWith('/events'))
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
  });
  const proxy = createAuthProxy({ causeway: causeway.origin, log: () => {}, answerTimeoutMs: 100 });
  const server = createServer((request, response) => proxy(request, response, () => t.fail())).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stream = await open(`${origin}/api/auth/v1/events`);
  t.is((await read(`${origin}/api/auth/v1/hangs`)).answer.statusCode, 502); // takes the timeout, begun after the stream
  t.false(stream.destroyed);
  stream.destroy();
});
