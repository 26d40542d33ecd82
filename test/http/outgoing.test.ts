import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createGuardedFetch, isPublicAddress, LONGEST_ANSWER, OutgoingRefused } from '../../server/http/outgoing.ts';

const seen: string[] = [];
const http = createServer((request, response) => {
  seen.push(`${request.method} ${request.url} ${request.headers.host}`);
  if (request.url === '/redirect') response.writeHead(302, { Location: '/elsewhere' }).end();
  else if (request.url === '/long') response.end(Buffer.alloc(LONGEST_ANSWER + 1));
  else if (request.url === '/full') response.end(Buffer.alloc(LONGEST_ANSWER));
  else if (request.url === '/empty') response.writeHead(204).end();
  else if (request.url === '/slow') response.write('a');
  else request.pipe(response.writeHead(200, { 'X-Type': request.headers['content-type'] ?? 'none' }));
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const { port } = http.address() as AddressInfo;
test.after.always(() => {
  http.closeAllConnections();
  http.close();
});
const never = () => Promise.reject(new Error('no name server is asked'));
const closed = createGuardedFetch({ allowLoopback: false, resolve: never });
const open = createGuardedFetch({ allowLoopback: true, resolve: never });

const addresses: [address: string, isPublic: boolean][] = [
  ['93.184.215.14', true],
  ['2606:4700:4700::1111', true],
  ['127.0.0.1', false],
  ['127.255.255.254', false],
  ['0.0.0.0', false],
  ['10.1.2.3', false],
  ['172.16.0.1', false],
  ['172.31.255.255', false],
  ['192.168.0.1', false],
  ['169.254.169.254', false],
  ['100.64.0.1', false],
  ['100.100.100.200', false],
  ['168.63.129.16', false],
  ['192.0.0.192', false],
  ['198.18.0.1', false],
  ['203.0.113.5', false],
  ['224.0.0.1', false],
  ['240.0.0.1', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::127.0.0.1', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:93.184.215.14', false],
  ['64:ff9b::7f00:1', false],
  ['2002:7f00:1::', false],
  ['2001:0:7f00:1::', false],
  ['2001:db8::1', false],
  ['fc00::1', false],
  ['fd00:ec2::254', false],
  ['fe80::1', false],
  ['fec0::1', false],
  ['ff02::1', false],
  ['4000::1', false],
  ['not an address', false],
];
for (const [address, isPublic] of addresses) {
  test(`security 173: ${address} is ${isPublic ? '' : 'not '}an address that may be called`, (t) =>
    t.is(isPublicAddress(address), isPublic));
}

const refused = (port: number): string[] => [
  `http://127.0.0.1:${port}/`,
  `https://127.0.0.1:${port}/`,
  `http://localhost:${port}/`,
  `https://localhost:${port}/`,
  `https://localhost.:${port}/`,
  `https://sink.localhost:${port}/`,
  `https://127.1:${port}/`,
  `https://127.0.0.2:${port}/`,
  `https://0:${port}/`,
  `https://0.0.0.0:${port}/`,
  `https://2130706433:${port}/`,
  `https://0x7f000001:${port}/`,
  `https://0177.0.0.1:${port}/`,
  `https://[::1]:${port}/`,
  `https://[::]:${port}/`,
  `https://[::ffff:127.0.0.1]:${port}/`,
  `https://[::ffff:7f00:1]:${port}/`,
  'http://169.254.169.254/latest/meta-data/',
  'https://169.254.169.254/latest/meta-data/',
  'https://10.0.0.1/',
  'https://192.168.1.1/',
  'https://[fd00:ec2::254]/',
  'http://93.184.215.14/',
  `https://user:secret@news.example:${port}/`,
  'file:///etc/passwd',
  'ftp://news.example/',
  'data:text/plain,x',
];
for (const url of refused(port)) {
  test(`security 173: ${url.replace(`:${port}`, '')} is refused before anything is sent`, async (t) => {
    const before = seen.length;
    await t.throwsAsync(closed(url), { instanceOf: OutgoingRefused });
    t.is(seen.length, before);
  });
}

const flips: [title: string, answers: string[]][] = [
  ['this machine', ['127.0.0.1']],
  ['this machine as a mapped address', ['::ffff:127.0.0.1']],
  ['a private address', ['10.0.0.1']],
  ['the metadata service', ['169.254.169.254']],
  ['a public address and this machine', ['93.184.215.14', '127.0.0.1']],
];
for (const [title, answers] of flips) {
  test(`security 132, 173: a public name that leads to ${title} is not called, loopback allowed or not`, async (t) => {
    for (const allowLoopback of [false, true]) {
      const asked: string[] = [];
      const guarded = createGuardedFetch({
        allowLoopback,
        resolve: async (name) => (asked.push(name) > 0 ? answers : []),
      });
      await t.throwsAsync(guarded(`https://flips.example:${port}/flip`), { instanceOf: OutgoingRefused });
      t.deepEqual(asked, ['flips.example']);
    }
    t.false(seen.some((line) => line.includes('/flip')));
  });
}

test('security 173: where loopback is allowed, http to loopback is called without asking a name server', async (t) => {
  for (const host of ['127.0.0.1', 'localhost', 'rp.localhost']) {
    const answer = await open(`http://${host}:${port}/ok`, { method: 'POST', body: new URLSearchParams({ a: 'b c' }) });
    t.is(answer.status, 200);
    t.is(answer.headers.get('x-type'), 'application/x-www-form-urlencoded');
    t.is(await answer.text(), 'a=b+c');
    t.true(seen.includes(`POST /ok ${host}:${port}`));
  }
  await t.throwsAsync(open('http://news.example/'), { instanceOf: OutgoingRefused });
  await t.throwsAsync(open(`http://0.0.0.0:${port}/`), { instanceOf: OutgoingRefused });
});

test('security 173: a redirect is an answer and is not followed', async (t) => {
  const answer = await open(`http://127.0.0.1:${port}/redirect`);
  t.is(answer.status, 302);
  t.false(seen.some((line) => line.includes('/elsewhere')));
});

test('security 173: an answer of more than 1 MB is not read to its end', async (t) => {
  t.is((await (await open(`http://127.0.0.1:${port}/full`)).arrayBuffer()).byteLength, LONGEST_ANSWER);
  await t.throwsAsync(open(`http://127.0.0.1:${port}/long`), { message: /longer than/ });
});

test('security 173: a server that does not finish its answer in time is given up, and so is a name server', async (t) => {
  const impatient = createGuardedFetch({
    allowLoopback: true,
    timeoutMs: 50,
    resolve: () => new Promise(() => undefined),
  });
  t.is((await t.throwsAsync(impatient(`http://127.0.0.1:${port}/slow`)))?.name, 'TimeoutError');
  t.is((await t.throwsAsync(impatient('https://silent.example/')))?.name, 'TimeoutError');
});

test('a call ends when its caller gives up', async (t) => {
  const controller = new AbortController();
  const called = open(`http://127.0.0.1:${port}/slow`, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.throwsAsync(called, { message: 'enough' });
});

test('an answer without content is one', async (t) => {
  const answer = await open(`http://127.0.0.1:${port}/empty`);
  t.is(answer.status, 204);
  t.is(await answer.text(), '');
});
