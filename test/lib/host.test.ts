// Hosts of requests, places of sites, and which of them are this machine.

import test from 'ava';
import { isLoopbackHost, parseHost, parseOrigin } from '../../server/lib/url.ts';

for (const [value, wanted] of [
  ['news.test', 'news.test'],
  ['NEWS.Test:8081', 'news.test:8081'],
  ['a', 'a'],
  ['xn--bcher-kva.test', 'xn--bcher-kva.test'],
  ['127.0.0.1:80', '127.0.0.1:80'],
  ['a'.repeat(63), 'a'.repeat(63)],
  ['a'.repeat(64), null],
  [undefined, null],
  ['', null],
  ['news.test.', null],
  ['.news.test', null],
  ['news..test', null],
  ['-news.test', null],
  ['news-.test', null],
  ['news_x.test', null],
  ['news.test:', null],
  ['news.test:123456', null],
  ['news.test:8o', null],
  ['user@news.test', null],
  ['news.test/x', null],
  ['news.test,evil.test', null],
  [' news.test', null],
  ['[::1]', null],
  ['bücher.test', null],
  [`${'a.'.repeat(130)}test`, null],
] as const) {
  test(`security 33: as a host ${JSON.stringify(value?.slice(0, 70))} is ${wanted?.slice(0, 70) ?? 'none'}`, (t) => {
    t.is<string | null, string | null>(parseHost(value), wanted);
  });
}

for (const [text, wanted] of [
  ['news.example', 'https://news.example'],
  ['https://news.example', 'https://news.example'],
  ['https://news.example:8443', 'https://news.example:8443'],
  ['http://news.example', 'http://news.example'],
  ['news.localhost:8081', 'http://news.localhost:8081'],
  ['localhost', 'http://localhost'],
  ['https://news.localhost', 'https://news.localhost'],
  ['127.0.0.1:80', null],
  ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['https://news.example/', null],
  ['https://news.example/path', null],
  ['https://user@news.example', null],
  ['https://news.example:443', null],
  ['https://NEWS.example', null],
  ['ftp://news.example', null],
  ['news.example?x', null],
  ['bücher.example', null],
  ['', null],
] as const) {
  test(`contract §5: as the place of a site ${JSON.stringify(text)} is ${wanted ?? 'refused'}`, (t) => {
    t.is(parseOrigin(text)?.origin ?? null, wanted);
    if (wanted) t.is<string | undefined, string>(parseOrigin(text)?.host, new URL(wanted).host);
  });
}

for (const [host, wanted] of [
  ['localhost', true],
  ['localhost:8080', true],
  ['news.localhost', true],
  ['a.b.localhost:1', true],
  ['127.0.0.1', true],
  ['[::1]:80', true],
  ['localhost.example', false],
  ['mylocalhost', false],
  ['127.0.0.2', false],
  ['127.0.0.1.example', false],
  ['news.example', false],
  ['', false],
] as const) {
  test(`contract §5: ${JSON.stringify(host)} is ${wanted ? 'a' : 'no'} loopback name`, (t) =>
    t.is(isLoopbackHost(host), wanted));
}
