// The grammar of requests that have broken servers like this one (reliability §6).

import type { Route } from '../../server/http/route.ts';
import type { Generator } from './generator.ts';
import { HOSTS, landingOf, originOf, PASSWORD } from './server.ts';

const encoded = (text: string) => Buffer.from(text).toString('base64');
/** An assertion of a client whose name nobody can have. */
const ODD_ASSERTION = `${encoded('{"alg":"RS256"}')}.${encoded('{"sub":"rp\\u0000"}').replace(/=+$/, '')}.AAAA`;

const ODD = [
  '',
  ' ',
  '%zz',
  '%E0%A4%A',
  '%c0%af',
  '%00',
  'rp%00',
  ODD_ASSERTION,
  '%u0041',
  '\u00ff\u00fe',
  '%FF',
  '%EF%BB%BF',
  '%ED%A0%80',
  'é',
  '%F0%9F%94%91',
  '%E2%80%AE',
  'a[]',
  'a[b]',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'null',
  'undefined',
  '[]',
  '{}',
  '"x"',
  '1e400',
  '-0',
  '9007199254740993',
  'NaN',
  '-1',
  '2147483648',
  '0x10',
  "' OR 1=1",
  '$1',
  '?',
  'true',
  'dummy',
  '..',
  '.',
  '//',
  '\\',
  '*',
  'a,b',
  'a;b',
  'a=b',
  'x'.repeat(43),
  'x'.repeat(3000),
  '0190b6b2-0000-7000-8000-000000000000',
  '{0190B6B2-0000-7000-8000-000000000000}',
  'javascript:alert(1)',
  'https://evil.test',
  '//evil.test',
  'https://news.test.localhost@evil.test',
  originOf('news'),
  landingOf('news'),
];
const HEADERS = [
  'Authorization:',
  'Authorization: Bearer',
  'Authorization: Bearer a b',
  'Authorization: Basic %%%',
  `Authorization: Basic ${encoded('rp\0:x')}`,
  `Authorization: Basic ${encoded('%00:x')}`,
  'X-QT-AUTH: dummy',
  'Accept: text/html',
  'Accept: */*;q=x',
  'Accept-Language: ,,;q=9,*',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: cross-site',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Dest: image',
  'Sec-Purpose: prefetch',
  'Origin: null',
  'Origin: http://[',
  'Referer: http://[',
  'X-Forwarded-For: fe80::1%eth0',
  'X-Forwarded-For: ::ffff:1.2.3.4',
  'X-Forwarded-For: 1, 2, 3',
  'X-Forwarded-For: 999.1.1.1',
  'X-Forwarded-For: 0x7f.1',
  `X-Forwarded-For: ${'1.1.1.1,'.repeat(100)}`,
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-Proto: gopher',
  'X-Causeway-Proxy-Secret: x',
  'If-None-Match: *',
  'If-Modified-Since: yesterday',
  'Range: bytes=0-',
  'Expect: 100-continue',
  'Expect: x',
  'Upgrade: websocket',
  'Content-Encoding: gzip',
  '__proto__: x',
  'Cookie: qt-auth=',
  'Cookie: qt-auth=a; qt-auth=b',
  'Cookie: __Host-qt-browser=e30; __Host-qt-browser.sig=x',
  'Cookie: __Host-qt-flow-x=y',
  'Cookie: __Host-qt-device=a.b.c',
  'Cookie: %00',
  'TE: trailers',
  'Trailer: x',
  'Max-Forwards: 0',
  'Via: 1.1 x',
  'User-Agent: \u00e9\u00ff',
];
const PARAMETERS = [
  'client_id',
  'redirect_uri',
  'callback_uri',
  'response_type',
  'state',
  'allow_ajax',
  'flow',
  'restart',
  'request_handle',
  'code',
  'redirect-url',
  'others',
  'login_hint',
  'ui_locales',
  'x',
];
const FIELDS = [
  'email',
  'username',
  'password',
  'name',
  'dont-login',
  'phone-number',
  'first-name',
  'avatar-url',
  'metadata',
  '__proto__',
  'constructor',
  'identifier',
  'csrf_token',
  'handle',
  'client_id',
  'client_assertion',
  'grant_type',
  'token',
];
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/x-www-form-urlencoded',
  'text/plain',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  '',
];

/** One request as bytes. @param routes of the server; cookie: of a browser that is signed in */
export function makeRequest(g: Generator, routes: readonly Route[], cookie: string): Buffer {
  const route = g.pick(routes);
  const method = g.chance(0.85) ? route.method : g.pick(['HEAD', 'PUT', 'OPTIONS', 'TRACE', 'PATCH', 'POST']);
  const path = g.chance(0.9)
    ? route.path.replace(/:\w+/g, () => inPath(g.pick(ODD), g.chance(0.5)))
    : `/${encodeURI(g.pick(ODD))}`;
  const query = g
    .many(
      4,
      () =>
        `${g.pick(PARAMETERS)}${g.chance(0.85) ? '' : g.pick(['[]', '[x]', '%00'])}=${g.pick(ODD).replace(/[^\x21-\x7e]/g, '%20')}`,
    )
    .join(g.pick(['&', '&', ';', '&&']));
  const lines = [
    `Host: ${g.chance(0.9) ? g.pick(route.on === 'auth' ? [HOSTS.auth] : [HOSTS.news, HOSTS.auth, HOSTS.sports]) : g.pick([HOSTS.news.toUpperCase(), 'evil.test', '', 'a b', '[::1]', `${HOSTS.news}:80`, `${HOSTS.news}.`])}`,
    'Connection: close',
  ];
  lines.push(...g.many(2, () => g.pick(HEADERS)));
  if (g.chance(0.3)) lines.push(`Cookie: ${cookie}`);
  const body = method === 'GET' || method === 'HEAD' ? '' : makeBody(g);
  if (body)
    lines.push(
      `Content-Type: ${g.chance(0.8) ? g.pick(TYPES.slice(0, 3)) : g.pick(TYPES)}`,
      g.chance(0.9) ? `Content-Length: ${Buffer.byteLength(body, 'latin1')}` : 'Transfer-Encoding: chunked',
    );
  const isChunked = lines.at(-1) === 'Transfer-Encoding: chunked';
  const sent = isChunked ? `${Buffer.byteLength(body, 'latin1').toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  return Buffer.from(
    `${method} ${path.replace(/[\s]/g, '%20') || '/'}${query && `?${query}`} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${sent}`,
    'latin1',
  );
}

/** A part of a path, as it stands or with its own escapes escaped again. */
function inPath(text: string, isTwice: boolean): string {
  const once = isTwice ? encodeURI(text) : text.replace(/[^\x21-\x7e]+/g, encodeURI);
  return once.replace(/[?#/\\]/g, encodeURIComponent).slice(0, 200);
}

function makeBody(g: Generator): string {
  const value = (depth: number): string =>
    depth > 3 || g.chance(0.7)
      ? g.pick([
          'null',
          'true',
          '0',
          '-1',
          '1e400',
          '""',
          '"\\u0000"',
          '"\\ud800"',
          '"\\u202e"',
          '"x@example.com"',
          JSON.stringify(PASSWORD),
          JSON.stringify(g.pick(ODD)),
          '"\\u001b["',
          'NaN',
          '01',
        ])
      : g.chance(0.5)
        ? `[${g.many(3, () => value(depth + 1)).join(',')}]`
        : `{${g.many(3, () => `"${g.pick(FIELDS)}":${value(depth + 1)}`).join(',')}}`;
  const object = () => `{${g.many(5, () => `"${g.pick(FIELDS)}":${value(0)}`).join(',')}}`;
  const form = () => g.many(6, () => `${g.pick(FIELDS)}=${g.pick(ODD)}`).join('&');
  return g.pick([
    object,
    object,
    object,
    form,
    () => value(0),
    () => g.pick(ODD),
    () => `${object()}${g.pick(['', ',', 'x', '\u0000'])}`,
    () => '['.repeat(5000),
  ])();
}
