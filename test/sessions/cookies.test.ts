import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { getRaw } from '../support/sockets.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, SPORTS, AUTH] = [originOf('news'), originOf('sports'), originOf('auth')];
const ME = '/api/auth/v1/users/me';

test('security 42: every cookie of a full run is HttpOnly, Secure, SameSite=Lax, Path=/ and host-only', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const lines: string[] = [];
  const noting = <T extends { cookies: string[] }>(answer: T): T => {
    lines.push(...answer.cookies);
    return answer;
  };
  // By hand, so that the cookies of every hop are seen.
  let hop = noting(await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/story`), { from: `${NEWS}/` }));
  while (hop.location && !hop.location.startsWith(`${AUTH}/login`))
    hop = noting(await browser.navigate(hop.location, { from: NEWS }));
  const page = noting(await browser.navigate(String(hop.location), { from: NEWS }));
  hop = noting(await browser.submit(page, { identifier: account.email, password: PASSWORD }));
  while (hop.location && hop.location !== `${NEWS}/story`)
    hop = noting(await browser.navigate(new URL(hop.location, hop.url).href, { from: AUTH }));
  t.is(hop.location, `${NEWS}/story`);
  noting(
    await browser.follow(authorizeUrl(SPORTS, 'sports', `${SPORTS}/`, {}, '/api/auth/v1/oauth/auto-sso/authorize'), {
      from: `${SPORTS}/`,
    }),
  );
  noting(await browser.fetch(`${NEWS}/api/auth/v1/logout`));
  noting(await browser.me(NEWS));
  noting(await browser.post(`${SPORTS}/api/auth/v1/login`, { email: account.email, password: PASSWORD }));

  const names = new Set(lines.map((line) => line.slice(0, line.indexOf('=')).replace(/^(__Host-qt-flow-).*/, '$1*')));
  for (const name of [
    'qt-auth',
    '__Host-qt-auth',
    '__Host-qt-flow-*',
    '__Host-qt-browser',
    '__Host-qt-device',
    '__Host-qt-quiet',
  ])
    t.true(names.has(name), name);
  for (const line of lines) {
    const [pair = '', ...attributes] = line.split('; ').map((part, index) => (index === 0 ? part : part.toLowerCase()));
    for (const wanted of ['httponly', 'secure', 'samesite=lax', 'path=/'])
      t.true(attributes.includes(wanted), `${wanted}: ${line}`);
    t.false(
      attributes.some((attribute) => attribute.startsWith('domain')),
      line,
    );
    t.true(pair.startsWith('qt-auth=') || pair.startsWith('__Host-'), line);
    t.true(pair.length <= 4096, line);
  }
});

test('security 43: a qt-auth that a sibling host tossed in front of the own one never decides who is signed in', async (t) => {
  const [attacker, victim] = [await signedInBrowser(server), await signedInBrowser(server)];
  const [theirs, own] = [attacker.session.credentials['news'], victim.session.credentials['news']];
  for (const cookies of [
    `qt-auth=${theirs?.token}; qt-auth=${own?.token}; __Host-qt-auth=${own?.companion}`,
    `qt-auth=${own?.token}; qt-auth=${theirs?.token}; __Host-qt-auth=${own?.companion}`,
    `qt-auth=${theirs?.token}; __Host-qt-auth=${own?.companion}`,
    `qt-auth=${theirs?.token}`,
    `qt-auth=${own?.token}`,
    `__Host-qt-auth=${own?.companion}`,
    `qt-auth=${own?.token}; __Host-qt-auth=${own?.companion}; __Host-qt-auth=${theirs?.companion}`,
    `qt-auth=${own?.token}; __Host-qt-auth=${own?.token}`,
  ]) {
    const answer = await victim.browser.me(NEWS, { cookies });
    t.is(answer.status, 401, cookies);
    const sorted = answer.cookies.filter((line) => /^(__Host-)?qt-auth=; Max-Age=0/.test(line));
    t.is(sorted.length, answer.cookies.length);
    t.true(
      answer.cookies.some((line) => line.startsWith('qt-auth=;')) &&
        answer.cookies.some((line) => line.startsWith('__Host-qt-auth=;')),
    );
  }
  t.is((await attacker.browser.me(NEWS)).status, 200);
});

test('security 43: a tossed qt-auth cannot change or delete the account of the one who tossed it', async (t) => {
  const attacker = await signedInBrowser(server);
  const cookies = `qt-auth=${attacker.session.credentials['news']?.token}`;
  t.is((await attacker.browser.post(`${NEWS}/api/auth/v1/users/profile`, { name: 'Tossed' }, { cookies })).status, 401);
  t.is((await attacker.browser.fetch(`${NEWS}${ME}`, { method: 'DELETE', cookies })).status, 401);
});

test('security 44: a cookie that stands twice is no session in either order, and every variant of it is cleared', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const good = session.credentials['news'];
  const bad = 'B'.repeat(43);
  for (const pair of [
    `qt-auth=${good?.token}; qt-auth=${bad}`,
    `qt-auth=${bad}; qt-auth=${good?.token}`,
    `qt-auth=${good?.token}; qt-auth=${good?.token}`,
  ]) {
    const answer = await browser.me(NEWS, { cookies: `${pair}; __Host-qt-auth=${good?.companion}` });
    t.is(answer.status, 401);
    const cleared = answer.cookies.map((line) => line.replace(/; (HttpOnly|Secure|SameSite=Lax|Max-Age=0)/g, ''));
    for (const variant of [
      'qt-auth=; Path=/',
      '__Host-qt-auth=; Path=/',
      'qt-auth=; Path=/api',
      'qt-auth=; Path=/api/auth',
      'qt-auth=; Path=/api/auth/v1',
      'qt-auth=; Path=/api/auth/v1/users',
      `qt-auth=; Domain=${HOSTS.news}; Path=/`,
      'qt-auth=; Domain=test.localhost; Path=/',
      'qt-auth=; Domain=test.localhost; Path=/api',
      `qt-auth=; Domain=${HOSTS.news}; Path=/api/auth/v1/users`,
    ])
      t.true(cleared.includes(variant), `${variant} in\n${cleared.join('\n')}`);
    t.true(answer.cookies.every((line) => line.includes('Max-Age=0') && line.includes('Secure')));
  }
});

test('security 44: two Cookie lines count like one line with both', async (t) => {
  const { session } = await signedInBrowser(server);
  const good = session.credentials['news'];
  const lines = (first: string, second: string) => [
    `Host: ${HOSTS.news}`,
    `Cookie: qt-auth=${first}; __Host-qt-auth=${good?.companion}`,
    `Cookie: qt-auth=${second}`,
  ];
  t.is((await getRaw(server.port, ME, lines(String(good?.token), 'x'))).status, 401);
  t.is((await getRaw(server.port, ME, lines('x', String(good?.token)))).status, 401);
  t.is(
    (
      await getRaw(server.port, ME, [
        `Host: ${HOSTS.news}`,
        `Cookie: qt-auth=${good?.token}`,
        `Cookie: __Host-qt-auth=${good?.companion}`,
      ])
    ).status,
    200,
  );
});

test('security 53: 14 KB of foreign cookies do no harm, and 17 KB are answered 431 in JSON that nobody may store', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const fill = (kilobytes: number) =>
    Array.from({ length: kilobytes }, (_, index) => `foreign${index}=${'x'.repeat(1010)}`).join('; ');
  t.is((await browser.me(NEWS, { cookies: `${fill(14)}; ${session.cookies['news']}` })).status, 200);
  const refused = await browser.me(NEWS, { cookies: `${fill(17)}; ${session.cookies['news']}` });
  t.is(refused.status, 431);
  t.is(refused.headers['cache-control'], 'no-store');
  t.is(refused.headers['content-type'], 'application/json; charset=utf-8');
  t.regex(refused.json().error.message, /cookies/i);
  t.is(refused.json().message, refused.json().error.message);
});

const MALFORMED = [
  'qt-auth=%E0%A4%A',
  'qt-auth=%00',
  ';;=;',
  '=',
  'qt-auth',
  'qt-auth=',
  'qt-auth=""',
  'qt-auth="x"',
  `qt-auth="${'A'.repeat(43)}"`,
  'qt-auth=é',
  'qt-auth=\u00ff\u00fe',
  `qt-auth=${'A'.repeat(4000)}`,
  'qt-auth={}',
  'qt-auth=[object Object]',
  'qt-auth=null',
  'qt-auth=undefined',
  'qt-auth=1 or 1=1',
  "qt-auth=' or ''='",
  'qt-auth=%27%20or%201%3D1',
  'qt-auth==',
  'qt-auth= =x',
  '__proto__=x; qt-auth=x',
  'constructor=x',
  'toString=x; hasOwnProperty=y',
  Array.from({ length: 100 }, (_, index) => `c${index}=v`).join('; '),
  `qt-auth=${'A'.repeat(43)}; __Host-qt-auth=%E0%A4%A`,
  'qt-auth=a,b',
  'qt-auth=a|b',
];

test('security 54: a malformed cookie counts as no session and never breaks the server', async (t) => {
  const none = await server.browser().me(NEWS);
  for (const cookies of MALFORMED) {
    for (const path of [ME, '/api/auth/v1/sessions/validate', '/api/auth/v1/sessions', '/api/auth/v1/events']) {
      const answer = await getRaw(server.port, path, [`Host: ${HOSTS.news}`, `Cookie: ${cookies}`]);
      t.is(answer.status, 401, `${path} ${cookies.slice(0, 60)}`);
      t.is(answer.body, none.text);
    }
  }
  const broken = await getRaw(server.port, ME, [`Host: ${HOSTS.news}`, 'Cookie: qt-auth=a\u0000b']);
  t.is(broken.status, 400);
});

test('security 54: malformed cookies of the auth domain show the sign-in page', async (t) => {
  for (const cookies of [
    '__Host-qt-browser=%E0%A4%A',
    '__Host-qt-browser=x; __Host-qt-browser.sig=y',
    '__Host-qt-browser=bnVsbA; __Host-qt-browser.sig=x',
    '__Host-qt-device=x.y.z',
    '__Host-qt-browser=; __Host-qt-device=',
    ...MALFORMED.slice(0, 12),
  ]) {
    const answer = await getRaw(server.port, '/login', [
      `Host: ${HOSTS.auth}`,
      'Accept: text/html',
      `Cookie: ${cookies}`,
    ]);
    t.is(answer.status, 200, cookies);
    t.true(answer.body.includes('name="csrf_token"'));
  }
});
