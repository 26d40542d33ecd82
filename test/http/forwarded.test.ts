import test from 'ava';
import { send } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { getRaw } from '../support/sockets.ts';

const SECRET = { news: 'proxy-secret-of-news-0123456789-abcdef', sports: 'proxy-secret-of-sports-0123456789-abcd' };
const YAML = REALM_YAML.replace('settings: { signup: open }', 'settings: { signup: open, sign_in_per_address: 10/15m }')
  .replace(`domain: ${HOSTS.news} }`, `domain: ${HOSTS.news}, proxy_secret: ${SECRET.news} }`)
  .replace(`domain: ${HOSTS.sports} }`, `domain: ${HOSTS.sports}, proxy_secret: ${SECRET.sports} }`);
const server = await startTestServer({ yaml: YAML });
// The same sites behind a load balancer of ours, which connects from the loopback address.
const balanced = await startTestServer({ database: server.database, env: { CAUSEWAY_PROXIES: '127.0.0.0/8' } });
test.after.always(async () => {
  await balanced.close();
  await server.close();
});
const [NEWS, SPORTS] = [originOf('news'), originOf('sports')];
const ME = '/api/auth/v1/users/me';
const proxy = (secret: string, more: Record<string, string> = {}) => ({ 'X-Causeway-Proxy-Secret': secret, ...more });

/** The address that a failed sign-in leaves in the audit log. */
async function auditedAddress(port: number, headers: Record<string, string>): Promise<string | null> {
  const account = await server.makeAccount();
  const answer = await send(port, `${NEWS}/api/auth/v1/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ email: account.email, password: 'wrong' }),
  });
  if (answer.status !== 401) throw new Error(`${answer.status} ${answer.text}`);
  const row = await server.services.db
    .builder('audit_events')
    .first('address')
    .where({ account_id: account.id, type: 'sign-in.failed' });
  return String(row?.address);
}

test('security 35: a proxy with its secret speaks for its own host', async (t) => {
  const answer = await send(server.port, `http://10.1.2.3:9000${ME}`, {
    headers: proxy(SECRET.news, { 'X-Forwarded-Host': HOSTS.news }),
  });
  t.is(answer.status, 401);
  t.is((await send(server.port, `${NEWS}${ME}`, { headers: proxy(SECRET.news) })).status, 401);
});

test('RFC 9112 §3.2, security 35: beside a proxy secret, too, a Host that is missing, doubled or impossible is answered 400', async (t) => {
  const lines = [`X-Causeway-Proxy-Secret: ${SECRET.news}`, `X-Forwarded-Host: ${HOSTS.news}`];
  for (const path of [ME, `${ME}?`]) {
    for (const hosts of [
      [],
      [''],
      ['a b/@'],
      ['a/b'],
      ['a@b'],
      ['a"b'],
      ['%zz'],
      ['[::1'],
      ['a:80:80'],
      [HOSTS.news, HOSTS.news],
    ]) {
      const answer = await getRaw(server.port, path, [...hosts.map((host) => `Host: ${host}`), ...lines]);
      t.is(answer.status, 400, `${path} ${hosts}`);
      t.is(answer.headers['cache-control'], 'no-store');
    }
    // The names that proxies give to their groups of servers are legal ones.
    for (const host of ['causeway_backend', '[::1]:8080', '10.1.2.3:9000', 'a%2db', 'backend:'])
      t.is((await getRaw(server.port, path, [`Host: ${host}`, ...lines])).status, 401, `${path} ${host}`);
  }
});

test('security 35: a proxy with its secret may not speak for the host of another client', async (t) => {
  for (const [url, headers] of [
    [`${SPORTS}${ME}`, { 'X-Forwarded-Host': HOSTS.news }],
    [`${NEWS}${ME}`, {}],
    [`${originOf('auth')}${ME}`, {}],
    [`${SPORTS}${ME}`, { 'X-Forwarded-Host': 'evil.test' }],
    [`${SPORTS}${ME}`, { 'X-Forwarded-Host': `${HOSTS.sports}, ${HOSTS.news}` }],
  ] as const) {
    const answer = await send(server.port, url, { headers: proxy(SECRET.sports, headers) });
    t.is(answer.status, 421, JSON.stringify([url, headers]));
    t.deepEqual(answer.cookies, []);
  }
});

test('security 35: a proxy secret that nobody has is refused, and so is one that is too long or sent twice', async (t) => {
  for (const secret of [
    'x',
    SECRET.news.slice(0, -1),
    `${SECRET.news}x`,
    SECRET.news.toUpperCase(),
    'x'.repeat(5000),
  ]) {
    t.is((await send(server.port, `${NEWS}${ME}`, { headers: proxy(secret) })).status, 403);
  }
  const twice = await getRaw(server.port, ME, [
    `Host: ${HOSTS.news}`,
    `X-Causeway-Proxy-Secret: ${SECRET.sports}`,
    `X-Causeway-Proxy-Secret: ${SECRET.news}`,
  ]);
  t.is(twice.status, 403);
});

test('security 35: without a secret X-Forwarded-Host, -For and -Proto are ignored', async (t) => {
  const answer = await send(server.port, `${NEWS}${ME}`, {
    headers: { 'X-Forwarded-Host': 'evil.test', 'X-Forwarded-Proto': 'http', 'X-Forwarded-For': '9.9.9.9' },
  });
  t.is(answer.status, 401);
  t.is((await send(server.port, `http://evil.test${ME}`, { headers: { 'X-Forwarded-Host': HOSTS.news } })).status, 421);
  t.is(await auditedAddress(server.port, { 'X-Forwarded-For': '9.9.9.9' }), '127.0.0.1');
});

test('security 35, 36: the audit log names the address that a proven proxy saw, and nothing that was sent to it', async (t) => {
  t.is(
    await auditedAddress(server.port, proxy(SECRET.news, { 'X-Forwarded-For': '6.6.6.6, 198.51.100.21' })),
    '198.51.100.21',
  );
});

test('security 36: a proxy named in CAUSEWAY_PROXIES is believed for the hop before it', async (t) => {
  t.is(await auditedAddress(balanced.port, { 'X-Forwarded-For': '6.6.6.6, 198.51.100.22' }), '198.51.100.22');
  t.is(
    await auditedAddress(
      balanced.port,
      proxy(SECRET.news, { 'X-Forwarded-For': '6.6.6.6, 198.51.100.23, 203.0.113.5' }),
    ),
    '198.51.100.23',
  );
});

test('security 36: 50 wrong passwords under 50 made-up addresses are limited as one address', async (t) => {
  const tries = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      // The proven hop is the one that counts; the rest of the list is the caller's invention.
      send(server.port, `${NEWS}/api/auth/v1/login`, {
        method: 'POST',
        headers: proxy(SECRET.news, {
          'Content-Type': 'application/json',
          'X-Forwarded-For': `10.9.8.${index}, 198.51.100.99`,
        }),
        body: JSON.stringify({ email: `nobody-${index}@example.com`, password: 'wrong' }),
      }),
    ),
  );
  t.is(tries.filter(({ status }) => status === 401).length, 10);
  const refused = tries.filter(({ status }) => status === 429);
  t.is(refused.length, 40);
  t.true(refused.every(({ headers }) => Number(headers['retry-after']) >= 1));
});

test('security 36: a list of 1,500 forwarded addresses is ignored', async (t) => {
  const forwarded = Array(1500).fill('9.9.9.9').join(',');
  t.is(await auditedAddress(balanced.port, { 'X-Forwarded-For': forwarded }), '127.0.0.1');
});

test('security 37: cookies are Secure whatever the hop to the server looks like', async (t) => {
  const account = await server.makeAccount();
  for (const headers of [
    {},
    { 'X-Forwarded-Proto': 'http' },
    { 'X-Forwarded-Proto': 'https' },
    { 'X-Forwarded-Proto': 'http', 'X-Forwarded-Ssl': 'off' },
  ]) {
    const answer = await send(server.port, `${NEWS}/api/auth/v1/login`, {
      method: 'POST',
      headers: {
        ...proxy(SECRET.news, { 'X-Forwarded-For': '198.51.100.30' }),
        'Content-Type': 'application/json',
        ...headers,
      },
      body: JSON.stringify({ email: account.email, password: PASSWORD }),
    });
    t.is(answer.status, 200);
    t.true(answer.cookies.length >= 3);
    for (const line of answer.cookies) t.regex(line, /; Secure/);
  }
  const page = await send(server.port, `${originOf('auth')}/login`, {
    headers: { Accept: 'text/html', 'X-Forwarded-Proto': 'http' },
  });
  t.is(page.status, 200);
  for (const line of page.cookies) t.regex(line, /; secure/i);
  t.true(page.cookies.length > 0);
});
