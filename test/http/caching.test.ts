import test from 'ava';
import { listRoutes } from '../../server/app.ts';
import { type Answer, authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { getRaw, sendRaw } from '../support/sockets.ts';

const server = await startTestServer({
  yaml: REALM_YAML.replace('signup: open', 'signup: open, sign_in_per_account: 1/15m'),
});
test.after.always(() => server.close());
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];
const API = '/api/auth/v1';
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'] as const;
/** The same for everybody, and so the only ones that may be kept: the script, metadata and keys (security 78), and origins. */
const PUBLIC = [
  `${API}/sdk.js`,
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/oauth/jwks',
  '/.well-known/webauthn',
];

/** What makes an answer one that no cache keeps. */
function isUncacheable({ headers }: Pick<Answer, 'headers'>): boolean {
  return (
    headers['cache-control'] === 'no-store' &&
    headers['pragma'] === 'no-cache' &&
    headers['cdn-cache-control'] === 'no-store' &&
    headers['surrogate-control'] === 'no-store' &&
    headers['etag'] === undefined &&
    headers['last-modified'] === undefined &&
    headers['expires'] === undefined
  );
}

const routes = listRoutes(server.services);
for (const path of new Set(routes.map((route) => route.path))) {
  test(`security 74: no answer of ${path} may be stored, with any method, on any host, signed in or not${PUBLIC.includes(path) ? ', but what is the same for everybody' : ''}`, async (t) => {
    for (const site of [NEWS, AUTH])
      for (const method of METHODS)
        for (const isSignedIn of [false, true])
          for (const accept of ['*/*', 'text/html']) {
            const browser = isSignedIn ? (await reader).browser : server.browser();
            // The reader stays signed in, and streams do not end: these are asked with a cookie that is none.
            const cookies =
              isSignedIn && !/logout|sessions|users\/me$|login|signup|events/.test(path)
                ? {}
                : { cookies: 'qt-auth=x' };
            const answer = await browser.ask(`${site}${path.replace(':id', 'x')}`, {
              method,
              ...cookies,
              headers: { Accept: accept },
            });
            if (PUBLIC.includes(path) && answer.status < 400)
              t.is(answer.headers['cache-control'], 'public, max-age=300');
            else t.true(isUncacheable(answer), `${method} ${site} ${answer.status} ${JSON.stringify(answer.headers)}`);
            if (path !== `${API}/events`)
              t.true(String(answer.headers['vary'] ?? '').includes('Cookie') || PUBLIC.includes(path));
          }
  });
}
const reader = signedInBrowser(server);

test('security 74: errors of every kind may not be stored', async (t) => {
  const browser = server.browser();
  const json = (body: string, headers: Record<string, string> = {}) =>
    browser.ask(`${NEWS}${API}/login`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', ...headers },
    });
  const account = await server.makeAccount();
  const wrong = JSON.stringify({ email: account.email, password: 'wrong' });
  const cases: [number, Answer][] = [
    [400, await json('{')],
    [400, await browser.ask(`${NEWS}${API}/oauth/authorize`)],
    [401, await browser.me(NEWS)],
    [401, await json(wrong)],
    [429, await json(wrong)],
    [403, await json('{}', { Origin: 'https://evil.test' })],
    [404, await browser.ask(`${NEWS}/nothing`)],
    [404, await browser.navigate(`${AUTH}/nothing`)],
    [405, await browser.ask(`${NEWS}${API}/users/me`, { method: 'PUT' })],
    [409, await browser.post(`${NEWS}${API}/signup`, { email: account.email, password: PASSWORD, name: 'X' })],
    [413, await json(`{"email":"${'x'.repeat(200_000)}"}`)],
    [414, await browser.ask(`${NEWS}${API}/users/me?${'x'.repeat(9000)}`)],
    [415, await json('{}', { 'Content-Type': 'text/plain' })],
    [421, await browser.ask('http://evil.test/')],
    [303, await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/`))],
    [204, await browser.fetch(`${NEWS}${API}/logout`)],
  ];
  for (const [status, answer] of cases) {
    t.is(answer.status, status, answer.url.slice(0, 80));
    t.true(isUncacheable(answer), `${status} ${JSON.stringify(answer.headers)}`);
  }
});

test('security 74: what the server refuses before it is a request may not be stored either', async (t) => {
  for (const [status, bytes] of [
    [400, 'nonsense\r\n\r\n'],
    [400, `GET ${API}/users/me HTTP/1.1\r\nHost: ${HOSTS.news}\r\nHost: x\r\n\r\n`],
    [400, `GET ${API}/users/me HTTP/1.1\r\nHost: ${HOSTS.news}\r\nX: a\u0000b\r\n\r\n`],
    [
      400,
      `POST ${API}/login HTTP/1.1\r\nHost: ${HOSTS.news}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [431, `GET / HTTP/1.1\r\nHost: ${HOSTS.news}\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`],
  ] as const) {
    const answer = await sendRaw(server.port, bytes);
    t.is(answer.status, status, bytes.slice(0, 30));
    t.is(answer.headers['cache-control'], 'no-store');
    t.is(answer.headers['x-content-type-options'], 'nosniff');
  }
});

test("security 75: a path that ends like a file shows nobody's data", async (t) => {
  const { session } = await signedInBrowser(server);
  for (const suffix of [
    '/x.css',
    '.css',
    ';a.js',
    '%2fx.css',
    '/..%2fx.js',
    '%00.css',
    '%23.css',
    '%3f.css',
    '/%2e%2e/me.js',
    '.json',
    '/me',
    '%0a.css',
    '!',
    '~',
    '%20',
    '?.css/../x',
    '/.',
    ';.css?x=y.css',
  ]) {
    const answer = await getRaw(server.port, `${API}/users/me${suffix}`, [
      `Host: ${HOSTS.news}`,
      `Cookie: ${session.cookies['news']}`,
    ]);
    // A query is not part of the path.
    const isSamePath = suffix.startsWith('?');
    t.is(answer.status, isSamePath ? 200 : 404, suffix);
    t.is(answer.headers['cache-control'], 'no-store');
    if (!isSamePath) t.false(answer.body.includes('@example.com'));
  }
});

test('security 77: a conditional or partial request is answered in full while signed in and 401 after, never 304 or 206', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const conditions = [
    { 'If-None-Match': '*' },
    { 'If-None-Match': '"x"' },
    { 'If-Modified-Since': new Date(Date.now() + 1e9).toUTCString() },
    { Range: 'bytes=0-3' },
    { 'If-Range': '"x"', Range: 'bytes=0-3' },
  ] as const;
  for (const headers of conditions) {
    const answer = await browser.me(NEWS, {
      headers: headers as Record<string, string>,
      cookies: String(session.cookies['news']),
    });
    t.is(answer.status, 200);
    t.true(answer.json().user.id > 0);
    t.true(isUncacheable(answer));
  }
  await browser.fetch(`${NEWS}${API}/logout`);
  for (const headers of conditions)
    t.is(
      (await browser.me(NEWS, { headers: headers as Record<string, string>, cookies: String(session.cookies['news']) }))
        .status,
      401,
    );
});

test('security 79: nothing is compressed, whatever the browser takes, and pages with a token vary by cookie', async (t) => {
  const headers = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
  const page = await server.browser().navigate(`${AUTH}/login?login_hint=${'x'.repeat(200)}`, { headers });
  t.true(page.text.includes('csrf_token') && page.text.includes('x'.repeat(200)));
  const { session, browser } = await signedInBrowser(server);
  for (const answer of [
    page,
    await browser.me(NEWS, { headers, cookies: String(session.cookies['news']) }),
    await browser.fetch(`${NEWS}${API}/sdk.js`, { headers }),
  ]) {
    t.is(answer.status, 200);
    t.is(answer.headers['content-encoding'], undefined);
  }
  t.true(String(page.headers['vary']).includes('Cookie'));
});
