import test from 'ava';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, SPORTS, AUTH] = [originOf('news'), originOf('sports'), originOf('auth')];
const API = '/api/auth/v1';

type Refusal = [title: string, headers: Record<string, string | undefined>, status: number];
const JSON_TYPE = { 'Content-Type': 'application/json' };

const REFUSED: readonly Refusal[] = [
  ['text/plain', { 'Content-Type': 'text/plain' }, 415],
  ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, 415],
  ['a multipart form', { 'Content-Type': 'multipart/form-data; boundary=x' }, 415],
  ['no content type', { 'Content-Type': undefined }, 415],
  ['JSON with text/plain as a parameter', { 'Content-Type': 'application/json; text/plain' }, 415],
  ['text/plain with JSON as a parameter', { 'Content-Type': 'text/plain; application/json' }, 415],
  ['a type that begins alike', { 'Content-Type': 'application/jsonp' }, 415],
  ['a JSON relative', { 'Content-Type': 'application/csp-report' }, 415],
  ['another charset', { 'Content-Type': 'application/json; charset=utf-7' }, 415],
  ['the Origin of another site', { ...JSON_TYPE, Origin: 'https://evil.test', 'Sec-Fetch-Site': undefined }, 403],
  ['the Origin of another site of the realm', { ...JSON_TYPE, Origin: SPORTS, 'Sec-Fetch-Site': undefined }, 403],
  ['the Origin with another port', { ...JSON_TYPE, Origin: `${NEWS}:8081`, 'Sec-Fetch-Site': undefined }, 403],
  [
    'the Origin with another scheme',
    { ...JSON_TYPE, Origin: NEWS.replace('http:', 'https:'), 'Sec-Fetch-Site': undefined },
    403,
  ],
  ['an Origin that begins alike', { ...JSON_TYPE, Origin: `${NEWS}.evil.test` }, 403],
  ['Origin null', { ...JSON_TYPE, Origin: 'null', 'Sec-Fetch-Site': undefined }, 403],
  ['Origin null from another site', { ...JSON_TYPE, Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['Sec-Fetch-Site cross-site', { ...JSON_TYPE, Origin: undefined, 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['Sec-Fetch-Site same-site', { ...JSON_TYPE, Origin: undefined, 'Sec-Fetch-Site': 'same-site' }, 403],
  [
    'a Referer of another site',
    { ...JSON_TYPE, Origin: undefined, 'Sec-Fetch-Site': undefined, Referer: 'https://evil.test/' },
    403,
  ],
];

for (const [title, headers, status] of REFUSED) {
  test(`security 56: sign-in, sign-up and profile with ${title} are answered ${status}, set no cookie and change nothing`, async (t) => {
    const { account, browser } = await signedInBrowser(server);
    const email = `csrf-${account.email}`;
    for (const [path, body] of [
      ['login', { email: account.email, password: PASSWORD }],
      ['signup', { email, password: PASSWORD, name: 'X' }],
      ['users/profile', { name: 'Changed' }],
    ] as const) {
      const answer = await browser.post(`${NEWS}${API}/${path}`, body, { headers: headers as Record<string, string> });
      t.is(answer.status, status, path);
      t.deepEqual(answer.cookies, []);
      t.is(answer.headers['x-qt-auth'], undefined);
      t.is(answer.headers['cache-control'], 'no-store');
    }
    t.is((await browser.me(NEWS)).json().user.name, 'Test Reader');
    t.is(await countRows(server, 'accounts', { email }), 0);
    t.is(await countRows(server, 'sessions', { account_id: account.id }), 1);
  });
}

test('security 56: a script of the same origin, and a caller that is no browser, may sign in', async (t) => {
  const account = await server.makeAccount();
  const body = JSON.stringify({ email: account.email, password: PASSWORD });
  for (const headers of [
    { ...JSON_TYPE },
    { 'Content-Type': 'application/json; charset=utf-8' },
    { 'Content-Type': 'Application/JSON;charset="UTF-8"' },
    { ...JSON_TYPE, Origin: NEWS },
    { ...JSON_TYPE, Origin: NEWS, 'Sec-Fetch-Site': 'same-origin' },
    { ...JSON_TYPE, Referer: `${NEWS}/story` },
  ])
    t.is(
      (await server.browser().ask(`${NEWS}${API}/login`, { method: 'POST', headers, body })).status,
      200,
      JSON.stringify(headers),
    );
});

const tokenIn = (text: string) => /name="csrf_token" value="([^"]*)"/.exec(text)?.[1] ?? '';

test("security 57: the sign-in form without its token, with a changed one or with another browser's is not acted on", async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const page = await browser.navigate(`${AUTH}/login`);
  const theirs = await server.browser().navigate(`${AUTH}/login`);
  t.not(tokenIn(page.text), tokenIn(theirs.text));
  for (const token of [
    '',
    'x',
    tokenIn(theirs.text),
    `${tokenIn(page.text)}x`,
    tokenIn(page.text).slice(0, -1),
    tokenIn(page.text).toLowerCase(),
  ]) {
    const answer = await browser.submit(page, { identifier: account.email, password: PASSWORD, csrf_token: token });
    t.is(answer.status, 403);
    t.is(browser.jarOf(HOSTS.auth).get('qt-auth'), undefined);
  }
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
  t.is((await browser.submit(page, { identifier: account.email, password: PASSWORD })).status, 303);
});

test('security 57: forms that another site sends are refused even with the right token', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  for (const path of ['/login', '/signup']) {
    const page = await browser.navigate(`${AUTH}${path}`);
    for (const headers of [
      { Origin: 'https://evil.test' },
      { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'null', 'Sec-Fetch-Site': 'same-site' },
      { Origin: NEWS, 'Sec-Fetch-Site': 'same-site' },
    ]) {
      const answer = await browser.submit(
        page,
        { identifier: account.email, email: `x-${account.email}`, name: 'X', password: PASSWORD },
        { headers },
      );
      t.is(answer.status, 403, JSON.stringify(headers));
      t.is(answer.location, null);
    }
    for (const type of ['text/plain', 'application/json', 'multipart/form-data; boundary=x']) {
      t.is(
        (
          await browser.submit(
            page,
            { identifier: account.email, password: PASSWORD },
            { headers: { 'Content-Type': type } },
          )
        ).status,
        415,
        type,
      );
    }
  }
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
  t.is(await countRows(server, 'accounts', { email: `x-${account.email}` }), 0);
});

test('security 57: a browser state cookie that somebody made or changed is not believed', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const page = await browser.navigate(`${AUTH}/login`);
  const jar = browser.jarOf(HOSTS.auth);
  const [state = '', signature = ''] = String(jar.get('__Host-qt-browser')).split('.');
  const forged = Buffer.from(JSON.stringify({ csrf: 'AAAA', _expire: Date.now() + 1e6, _maxAge: 1e6 })).toString(
    'base64url',
  );
  t.true(state.length > 20 && signature.length === 43);
  for (const cookies of [
    `__Host-qt-browser=${forged}.${signature}`,
    `__Host-qt-browser=${state}`,
    `__Host-qt-browser=${forged}`,
    `__Host-qt-browser=${state}.${signature.slice(0, -1)}`,
    `__Host-qt-browser=${state}.`,
  ]) {
    t.is(
      (await browser.submit(page, { identifier: account.email, password: PASSWORD }, { cookies })).status,
      403,
      cookies,
    );
  }
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
});

const ORIGINS = ['https://evil.test', 'null', `${NEWS}.evil.test`, SPORTS, NEWS, '*', ''];
const PATHS = [
  'users/me',
  'login',
  'signup',
  'users/profile',
  'logout',
  'sessions',
  'sessions/validate',
  'sessions/00000000-0000-7000-8000-000000000000',
  'oauth/authorize',
  'oauth/authorize?allow_ajax=true',
  'oauth/auto-sso/authorize',
  'oauth/token',
  'events',
  'sdk.js',
  'nothing',
];

test('security 58: no answer below the prefix permits another origin anything, for any Origin and method', async (t) => {
  const browser = server.browser();
  for (const path of PATHS)
    for (const origin of ORIGINS)
      for (const method of ['GET', 'POST', 'OPTIONS', 'PUT', 'DELETE']) {
        const headers = {
          ...(origin && { Origin: origin }),
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type,x-qt-auth',
          'Access-Control-Request-Private-Network': 'true',
        };
        const answer = await browser.ask(`${NEWS}${API}/${path}`, { method, headers, cookies: null });
        t.deepEqual(
          Object.keys(answer.headers).filter(
            (name) => name.startsWith('access-control-') || name === 'timing-allow-origin',
          ),
          [],
          `${method} ${path} ${origin}`,
        );
        if (method === 'OPTIONS') t.true(answer.status === 405 || answer.status === 404, `${path}: ${answer.status}`);
        if (path !== 'sdk.js' && answer.status < 500)
          t.is(answer.headers['cross-origin-resource-policy'], 'same-origin');
      }
});

test("security 58: a signed-in reader's answers permit another origin nothing either", async (t) => {
  const { session, browser } = await signedInBrowser(server);
  for (const origin of ORIGINS.filter(Boolean))
    for (const path of ['users/me', 'sessions', 'sessions/validate']) {
      const answer = await browser.ask(`${NEWS}${API}/${path}`, {
        headers: { Origin: origin, 'Sec-Fetch-Site': 'cross-site' },
        cookies: String(session.cookies['news']),
      });
      t.is(answer.headers['access-control-allow-origin'], undefined);
      t.is(answer.headers['access-control-allow-credentials'], undefined);
      t.is(answer.headers['cross-origin-resource-policy'], 'same-origin');
      t.true(String(answer.headers['vary']).includes('Origin'));
    }
});
