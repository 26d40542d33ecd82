import test from 'ava';
import { listRoutes } from '../../server/app.ts';
import { type Ask, send } from '../support/browser.ts';
import { API, AUTH, exchange, headOf, postJson, statusesIn, UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, landingOf, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const NEWS = originOf('news');
const page: Ask = { headers: { Accept: 'text/html' } };
const good = {
  client_id: 'news',
  redirect_uri: landingOf('news'),
  callback_uri: `${NEWS}/`,
  response_type: 'code',
  state: 's',
};
/** Every parameter that some endpoint reads, with the endpoint. */
const PARAMETERS: [string, Record<string, string>][] = [
  [`${API}/oauth/authorize`, good],
  [`${API}/oauth/auto-sso/authorize`, good],
  [
    `${AUTH}/api/auth/v1/oauth/authorize`,
    { ...good, flow: 'f', restart: '1', request_handle: 'h', allow_ajax: 'false' },
  ],
  [`${API}/oauth/token`, { code: 'c'.repeat(43), callback_uri: `${NEWS}/` }],
  [`${API}/logout`, { 'redirect-url': `${NEWS}/` }],
  [`${AUTH}/login`, { request_handle: 'h', login_hint: 'l', ui_locales: 'en' }],
  [`${AUTH}/signup`, { request_handle: 'h', ui_locales: 'en' }],
];
const encode = (parameters: Record<string, string>) =>
  Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);

/** Asks each endpoint with one parameter spelled otherwise, and tells what came back. */
async function tryEach(spell: (name: string, value: string) => string, check: (status: number, what: string) => void) {
  for (const [url, parameters] of PARAMETERS) {
    for (const [name, value] of Object.entries(parameters)) {
      const { [name]: _replaced, ...others } = parameters;
      const answer = await send(server.port, `${url}?${[...encode(others), spell(name, value)].join('&')}`, page);
      check(answer.status, `${url} ${spell(name, value).slice(0, 60)}`);
    }
  }
}

test('security 181, 182: NUL, control characters and broken UTF-8 in any parameter are refused with 400', async (t) => {
  for (const bad of [
    '%00',
    'a%00b',
    '%01',
    '%7F',
    '%1b[31m',
    '%C2%9B31m',
    '%ED%A0%80',
    '%zz',
    '%',
    '%E0%A4%A',
    '%C0%AF',
    '%FF',
    '%u0041',
  ]) {
    await tryEach(
      (name) => `${name}=${bad}`,
      (status, what) => t.is(status, 400, what),
    );
  }
});

test('security 183: a parameter that stands twice or as an array is refused with 400', async (t) => {
  for (const spell of [
    (name: string, value: string) => `${name}=${encodeURIComponent(value)}&${name}=b`,
    (name: string, value: string) => `${name}=${encodeURIComponent(value)}&${name}=${encodeURIComponent(value)}`,
    (name: string, value: string) => `${name}[]=${encodeURIComponent(value)}`,
    (name: string, value: string) => `${name}[x]=${encodeURIComponent(value)}`,
    (name: string, value: string) => `${name}%5B%5D=${encodeURIComponent(value)}`,
    (name: string, value: string) => `${name}[__proto__]=${encodeURIComponent(value)}`,
  ]) {
    await tryEach(spell, (status, what) => t.is(status, 400, what));
  }
});

test('security 182, 184: odd parameters that no endpoint reads are ignored', async (t) => {
  for (const odd of [
    '__proto__[x]=1',
    '__proto__=1',
    'constructor[prototype][x]=1',
    'x=%zz',
    '%zz=1',
    'x&&&=',
    '=',
    'a.b=1',
    'toString=1',
  ]) {
    await tryEach(
      (name, value) => `${name}=${encodeURIComponent(value)}&${odd}`,
      (status, what) => t.true(status < 500 && status !== 404, `${status} ${what}`),
    );
    t.is((await send(server.port, `${API}/users/me?${odd}`)).status, 401);
  }
  t.is(({} as Record<string, unknown>)['x'], undefined);
});

test('security 181: NUL, control characters and lone surrogates in any JSON field, key or depth are refused with 400', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  const fields: [string, string[]][] = [
    ['login', ['email', 'username', 'password', 'unknown']],
    ['signup', ['name', 'email', 'username', 'password', 'unknown']],
    ['users/profile', ['name', 'email', 'phone-number', 'first-name', 'last-name', 'avatar-url', 'unknown']],
  ];
  for (const bad of ['\\u0000', '\\ud800', '\\udc00x', '\\u0007', '\\u001b[31m', '\\u009b', '\\u007f']) {
    for (const [path, names] of fields) {
      for (const name of names) {
        const ask = (body: string) =>
          browser.fetch(`${API}/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
        t.is((await ask(`{"${name}":"a${bad}b"}`)).status, 400, `${path} ${name} ${bad}`);
        t.is((await ask(`{"metadata":{"${bad}":[{"x":"${bad}"}]}}`)).status, 400, `${path} key ${bad}`);
      }
    }
  }
});

test('security 181, 182: control characters, lone bytes and odd escapes in headers, cookies and paths never reach the database', async (t) => {
  const lines = ['User-Agent: a\u0000b', 'Cookie: qt-auth=\u0000', 'User-Agent: a\u001b[31m'];
  for (const line of lines)
    t.deepEqual(
      statusesIn(await exchange(server.port, `${headOf('GET', '/api/auth/v1/users/me', [line])}\r\n`)),
      [400],
      JSON.stringify(line),
    );
  const odd = [
    'qt-auth=%E0%A4%A',
    'qt-auth=%00; __Host-qt-auth=%00',
    ';;=;',
    'qt-auth="x"; __Host-qt-auth="x"',
    'qt-auth=\u00ff\u00fe',
    '__Host-qt-device=%zz.x.y',
    '__Host-qt-browser=\u00ff',
    '__Host-qt-flow-x=\u00ff',
    'a'.repeat(3000),
    '=x',
    '__proto__=1; qt-auth',
  ];
  for (const cookie of odd) {
    const received = await exchange(
      server.port,
      Buffer.from(`${headOf('GET', '/api/auth/v1/users/me', [`Cookie: ${cookie}`])}\r\n`, 'latin1'),
    );
    t.deepEqual(statusesIn(received), [401], cookie);
    const body = JSON.stringify({ email: 'nobody@example.com', password: 'x' });
    const head = headOf('POST', '/api/auth/v1/login', [
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      `Cookie: ${cookie}`,
      'User-Agent: \u00ff\u00fe\u0080',
    ]);
    t.deepEqual(statusesIn(await exchange(server.port, Buffer.from(`${head}\r\n${body}`, 'latin1'))), [401], cookie);
    t.is(
      (
        await send(server.port, `${AUTH}/login`, {
          headers: { Accept: 'text/html', Cookie: cookie.replace(/[^\x20-\x7e]/g, '') },
        })
      ).status,
      200,
      cookie,
    );
  }
  for (const path of [
    '/%zz',
    '/%E0%A4%A',
    '/%c0%af',
    '/api/auth/v1/%00',
    '/api/auth/v1/users/me%00',
    '/api/auth/v1/users/me%',
    '/api/auth/v1/sessions/%zz',
    '/api/auth/v1/sessions/%00',
    '/\\',
    '//',
    '/api/auth/v1/users/%6De',
  ]) {
    for (const host of [HOSTS.news, HOSTS.auth]) {
      const [status] = statusesIn(await exchange(server.port, `${headOf('GET', path, [], host)}\r\n`));
      t.true([400, 401, 404, 405].includes(status ?? 0), `${path} ${status}`);
      t.not(status, 401, `${path} is no other spelling of an address`);
    }
  }
  t.deepEqual(
    statusesIn(
      await exchange(
        server.port,
        Buffer.concat([Buffer.from('GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'latin1')]),
      ),
    ),
    [400],
  );
});

test('security 181: NUL, control characters and broken UTF-8 in the variable part of any path are refused, signed in or not', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  for (const site of [API, `${AUTH}/api/auth/v1`])
    await browser.post(`${site}/login`, { email: account.email, password: PASSWORD });
  const routes = listRoutes(server.services).filter(({ path }) => path.includes(':'));
  t.true(routes.length > 10);
  for (const { method, path, on } of routes) {
    const host = on === 'client' ? HOSTS.news : HOSTS.auth;
    for (const bad of ['%00', 'rp%00', '%01', 'a%1b[31m', '%7F', '%C2%9B', '%ED%A0%80', '%FF', '%']) {
      const url = `http://${host}${path.replace(/:\w+/g, bad)}`;
      const headers = { Cookie: browser.cookieHeader(host), Authorization: `Basic ${btoa('rp:x')}` };
      const answer = await send(server.port, url, { method, headers });
      t.true(answer.status >= 400 && answer.status < 500, `${method} ${url}: ${answer.status}`);
      const unknown = await send(server.port, url.replaceAll(bad, 'unknown'), { method, headers });
      t.is(answer.status, unknown.status, `${method} ${url}`);
    }
  }
});

test('security 181, RFC 7617 §2: NUL and control characters in base64, in its escapes or in a JWT name no client', async (t) => {
  const part = (text: string) => Buffer.from(text).toString('base64url');
  const assertion = (sub: string) => `${part('{"alg":"RS256"}')}.${part(`{"sub":${sub}}`)}.AAAA`;
  const basics = [
    'rp\0:x',
    'rp:\0',
    '%00:x',
    'rp:%00',
    'rp%01:x',
    'rp\u009b:x',
    '\ud800:x',
    '%ED%A0%80:x',
    'rp%0A:x',
    'rp\n:x',
  ];
  const subs = ['"rp\\u0000"', '"\\ud800"', '"rp\\n"', '"rp\\u001b"', '7', '["rp"]', '{}', 'null'];
  for (const path of ['/oauth/token', '/oauth/introspect', '/oauth/revoke', '/oauth/par']) {
    const ask = (headers: Record<string, string>, fields: Record<string, string>) =>
      send(server.port, `${AUTH}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams({ grant_type: 'client_credentials', token: 'x', ...fields }).toString(),
      });
    for (const basic of basics) {
      const encoded = Buffer.from(basic).toString('base64');
      for (const more of [{}, { Origin: 'https://page.example' }]) {
        const answer = await ask({ Authorization: `Basic ${encoded}`, ...more }, {});
        t.is(answer.status, 401, `${path} ${JSON.stringify(basic)} ${answer.text}`);
        t.is(answer.json().error, 'invalid_client');
      }
    }
    for (const sub of subs) {
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      const answer = await ask({}, { client_assertion_type, client_assertion: assertion(sub) });
      t.is(answer.status, 401, `${path} ${sub} ${answer.text}`);
    }
  }
  const { lines } = server;
  t.deepEqual(
    lines.filter((line) => line.includes('"level":50')),
    [],
  );
});

test('security 184: headers named like parts of an object crash nothing and mean nothing', async (t) => {
  for (const line of [
    '__proto__: x',
    'constructor: x',
    'prototype: x',
    'hasOwnProperty: x',
    'toString: x',
    '__proto__: a\r\n__proto__: b',
  ]) {
    const received = await exchange(
      server.port,
      `${headOf('GET', '/api/auth/v1/users/me', [line, 'X-QT-AUTH: x'])}\r\n`,
    );
    t.deepEqual(statusesIn(received), [401], line);
  }
  t.is(
    (
      await postJson(server.port, `${API}/login`, {
        constructor: { prototype: { isAdmin: true } },
        email: 'nobody@example.com',
        password: 'x',
      })
    ).status,
    401,
  );
  t.is(({} as Record<string, unknown>)['isAdmin'], undefined);
});
