import { randomBytes } from 'node:crypto';
import test from 'ava';
import { authorizeUrl, send } from '../support/browser.ts';
import { API, AUTH, exchange, headOf, postJson, statusesIn, UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, landingOf, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const NEWS = originOf('news');
const { db } = server.services;

const SQL = [
  "' or 1=1--",
  "'; drop table accounts;--",
  '" or ""="',
  "\\'; select pg_sleep(20);--",
  "' union select password_hash from accounts--",
  '$1 ? ?? :name',
  "'||pg_sleep(20)||'",
  '%27%20or%201=1',
  '$$;select 1;$$',
  "admin'/*--",
  '{"$ne":null}',
];

test('security 188: SQL in any field, parameter, cookie, header or path is text and nothing else', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  for (const sql of SQL) {
    const answers = await Promise.all([
      ...['email', 'username', 'password'].map((field) =>
        postJson(server.port, `${API}/login`, { email: 'nobody@example.com', password: 'x', [field]: sql }),
      ),
      ...['name', 'email', 'username', 'password'].map((field) =>
        postJson(server.port, `${API}/signup`, { email: `x${sql}`, password: 'short', [field]: sql }),
      ),
      browser.post(`${API}/users/profile`, {
        name: sql,
        'first-name': sql,
        'last-name': sql,
        'phone-number': sql,
        metadata: { [sql]: sql },
      }),
      browser.post(`${API}/users/profile`, { email: sql }),
      ...['client_id', 'redirect_uri', 'callback_uri', 'response_type', 'state'].map((name) =>
        send(server.port, authorizeUrl(NEWS, 'news', `${NEWS}/`, { [name]: sql })),
      ),
      send(server.port, `${landingOf('news')}?code=${encodeURIComponent(sql)}&callback_uri=${encodeURIComponent(sql)}`),
      send(
        server.port,
        `${AUTH}/login?request_handle=${encodeURIComponent(sql)}&login_hint=${encodeURIComponent(sql)}&ui_locales=${encodeURIComponent(sql)}`,
      ),
      send(server.port, `${API}/logout?redirect-url=${encodeURIComponent(sql)}`),
      browser.fetch(`${API}/sessions/${encodeURIComponent(sql)}`, { method: 'DELETE' }),
      browser.fetch(`${API}/sessions?others=${encodeURIComponent(sql)}`, { method: 'DELETE' }),
      send(server.port, `${API}/users/me`, {
        headers: { 'X-QT-AUTH': sql, 'X-Forwarded-For': sql, 'Accept-Language': sql, 'User-Agent': sql },
      }),
      send(server.port, `${API}/users/me`, { headers: { Cookie: `qt-auth=${sql}; __Host-qt-auth=${sql}` } }),
      send(server.port, `${API}/users/me`, { headers: { 'X-Causeway-Proxy-Secret': sql } }),
      postJson(
        server.port,
        `${API}/login`,
        { email: account.email, password: PASSWORD },
        { headers: { 'User-Agent': sql } },
      ),
    ]);
    for (const answer of answers) t.true(answer.status < 500, `${answer.status} ${answer.url} ${sql}`);
    t.is(answers.at(-1)?.status, 200);
    t.is(answers.slice(0, 3).filter(({ status }) => status === 200).length, 0);
  }
  const stored = await db.builder('accounts').first('*').where({ id: account.id });
  t.is(stored.first_name, SQL.at(-1));
  t.is(stored.email, account.email);
  const agents = await db.builder('sessions').pluck('user_agent').where({ account_id: account.id });
  for (const sql of SQL) t.true(agents.includes(sql), sql);
});

test('security 189: crafted strings of 100 KB in any header are refused, of 7 KB answered without an error of ours', async (t) => {
  const seeds = [
    'a@',
    '(',
    ',',
    '\t ',
    '"\'',
    '/*',
    'en;q=0.1,',
    'a.',
    '%25',
    '[',
    '1.1.1.1,',
    ';=',
    'http://',
    '-_.!~',
    'Mozilla/5.0 (',
  ];
  const names = [
    'User-Agent',
    'Accept',
    'Accept-Language',
    'Accept-Encoding',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'Cookie',
    'Origin',
    'Referer',
    'X-QT-AUTH',
    'Sec-Fetch-Site',
    'If-None-Match',
    'Content-Type',
    'Authorization',
    'X-Causeway-Proxy-Secret',
  ];
  for (const seed of seeds) {
    const text = seed.repeat(100_000 / seed.length);
    t.deepEqual(
      statusesIn(await exchange(server.port, `${headOf('GET', '/login', [`X-Long: ${text}`], HOSTS.auth)}\r\n`)),
      [seed.trim() === '' ? 200 : 431],
      'blanks around a value do not count',
    );
    const answers = await Promise.all(
      names.map((name) =>
        exchange(
          server.port,
          `${headOf('GET', '/login', [`${name}: ${text.slice(0, 7000)}`, 'Accept: text/html'], HOSTS.auth)}\r\n`,
        ),
      ),
    );
    for (const [index, received] of answers.entries()) {
      t.true((statusesIn(received)[0] ?? 500) < 500, `${names[index]} ${seed}: ${received.slice(0, 80)}`);
    }
    const host = await exchange(
      server.port,
      `GET /login HTTP/1.1\r\nHost: ${text.slice(0, 7000)}\r\nConnection: close\r\n\r\n`,
    );
    t.true([400, 421].includes(statusesIn(host)[0] ?? 0), seed);
  }
});

test('security 189: crafted strings that fill a body are refused in every field', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  for (const seed of [
    'a@',
    '(((((',
    ',,,,',
    '\t \t',
    '""',
    "''",
    '<',
    'a.',
    '\\\\',
    '[{',
    '%00',
    'http://',
    '٣',
    '\u0301',
  ]) {
    const text = seed.repeat(Math.floor(30_000 / seed.length));
    for (const [path, fields] of [
      ['login', ['email', 'username', 'password']],
      ['signup', ['email', 'username', 'password', 'name']],
      ['users/profile', ['email', 'name', 'avatar-url', 'phone-number', 'metadata']],
    ] as const) {
      for (const field of fields)
        t.is((await browser.post(`${API}/${path}`, { [field]: text })).status, 400, `${path} ${field} ${seed}`);
    }
  }
});

/** Stack traces, statements, names and versions of what the server is made of. */
const BUILT_OF =
  /\bat .*\.(ts|js|cjs|mjs):\d|node_modules|server\/|\bselect \w|insert into|postgres|pg_|knex|koa\/|node\/v?\d|v\d+\.\d+\.\d+|sqlstate|\w+Error:/;

test('security 190: 200 different errors at once show their own input alone, and nothing of how we are built', async (t) => {
  const html = { Accept: 'text/html' };
  const kinds = [
    (mark: string) => send(server.port, authorizeUrl(NEWS, mark, `${NEWS}/`), { headers: html }),
    (mark: string) => send(server.port, authorizeUrl(NEWS, 'news', `https://${mark}.evil.test/`), { headers: html }),
    (mark: string) =>
      send(server.port, authorizeUrl(NEWS, 'news', `${NEWS}/`, { redirect_uri: `https://${mark}.evil.test/` }), {
        headers: html,
      }),
    (mark: string) =>
      send(
        server.port,
        authorizeUrl(NEWS, 'news', `${NEWS}/`, { redirect_uri: `https://${mark}.evil.test/`, allow_ajax: 'true' }),
      ),
    (mark: string) => send(server.port, `${API}/${mark}`),
    (mark: string) => send(server.port, `http://${mark}.evil.test/login`, { headers: html }),
    (mark: string) => send(server.port, `${landingOf('news')}?code=${mark}`, { headers: html }),
    (mark: string) => postJson(server.port, `${API}/login`, { email: `${mark}@example.com`, password: mark }),
    (mark: string) => postJson(server.port, `${API}/signup`, { email: [mark], password: mark }),
    (mark: string) => postJson(server.port, `${API}/login`, `{"${mark}":`),
    (mark: string) => send(server.port, `${API}/users/me?${mark}`, { method: 'PUT' }),
    (mark: string) => send(server.port, `${API}/users/me`, { headers: { Cookie: `qt-auth=${mark}` } }),
  ];
  const marks = Array.from({ length: 200 }, () => `mark${randomBytes(8).toString('hex')}`);
  const answers = await Promise.all(
    marks.map((mark, index) => (kinds[index % kinds.length] as (mark: string) => ReturnType<typeof send>)(mark)),
  );
  const ids = new Set<string>();
  answers.forEach((answer, index) => {
    const shown = `${answer.text} ${JSON.stringify(answer.headers)}`;
    t.true(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.url}`);
    for (const found of shown.match(/mark[0-9a-f]{16}/g) ?? []) t.is(found, marks[index] as string);
    t.notRegex(shown.replace(/<style[\s\S]*<\/style>/g, ''), BUILT_OF, answer.url);
    t.is(answer.headers['x-powered-by'], undefined);
    t.is(answer.headers['server'], undefined);
    ids.add(String(answer.headers['x-request-id']));
    if (String(answer.headers['content-type']).startsWith('application/json'))
      t.is(typeof answer.json().message, 'string');
  });
  t.is(ids.size, 200, 'each answer has a reference of its own');
});
