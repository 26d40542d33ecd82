import { randomBytes } from 'node:crypto';
import test from 'ava';
import { authorizeUrl, send } from '../support/browser.ts';
import { API, AUTH, exchange, headOf, postJson, until } from '../support/raw.ts';
import { HOSTS, landingOf, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const PROXY_SECRET = randomBytes(32).toString('base64url');
const SECRET = `config-${randomBytes(32).toString('base64url')}`;
const YAML = `
realms:
  - slug: test
    auth_domain: ${HOSTS.auth}
    settings: { sign_up_per_address: 10000/1h }
    clients:
      - { id: news, kind: first-party, domain: ${HOSTS.news}, proxy_secret: ${PROXY_SECRET} }
      - { id: sports, kind: first-party, domain: ${HOSTS.sports} }
`;
const server = await startTestServer({ yaml: YAML, env: { CAUSEWAY_SECRET: SECRET } });
test.after.always(() => server.close());
const { db } = server.services;
const [NEWS, SPORTS] = [originOf('news'), originOf('sports')];

/** Signs in through the whole flow, fails in every way on it, and returns every secret value that was on the wire. */
async function journey(): Promise<Set<string>> {
  const secrets = new Set<string>([SECRET, PROXY_SECRET, PASSWORD]);
  const account = await server.makeAccount();
  const browser = server.browser();
  const noteJars = () => {
    for (const jar of browser.jars.values()) {
      for (const [name, value] of jar) if (name !== '__Host-qt-quiet') secrets.add(value);
    }
  };
  const wrong = (name: string) => {
    const value = `${name}-${randomBytes(24).toString('base64url')}`;
    secrets.add(value);
    return value;
  };

  const page = await browser.follow(
    authorizeUrl(NEWS, 'news', `${NEWS}/x?ticket=${wrong('callback')}`, { state: wrong('state') }),
  );
  secrets.add(new URL(page.hops.at(-1) as string).searchParams.get('request_handle') as string);
  secrets.add(/name="csrf_token" value="([^"]+)"/.exec(page.text)?.[1] as string);
  noteJars();
  await browser.submit(page, { identifier: account.email, password: wrong('password') });
  await browser.submit(page, { identifier: account.email, password: PASSWORD, csrf_token: wrong('csrf') });
  const posted = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  const issued = await browser.navigate(new URL(posted.location as string, page.url).href, { from: page.url });
  secrets.add(new URL(issued.location as string).searchParams.get('code') as string);
  noteJars();
  await browser.navigate(issued.location as string, { from: AUTH });
  noteJars();
  await server.browser().navigate(issued.location as string, { from: AUTH });
  await server.browser().navigate(`${landingOf('news')}?code=${wrong('code').slice(-43).padStart(43, 'x')}`);

  const app = await postJson(server.port, `${API}/login`, { email: account.email, password: PASSWORD });
  secrets.add(String(app.headers['x-qt-auth']));
  await send(server.port, `${API}/users/me`, {
    headers: {
      'X-QT-AUTH': wrong('token'),
      Authorization: `Bearer ${wrong('bearer')}`,
      Cookie: `qt-auth=${wrong('cookie')}`,
      'X-Causeway-Proxy-Secret': wrong('proxy'),
    },
  });
  await send(server.port, `${API}/users/me`, {
    headers: { 'X-Causeway-Proxy-Secret': PROXY_SECRET, Host: HOSTS.sports },
  });
  await postJson(server.port, `${API}/login`, { email: account.email, password: wrong('password') });
  await postJson(server.port, `${API}/login`, `{"email":"x","password":"${wrong('broken')}`);
  await postJson(server.port, `${API}/signup`, { email: account.email, password: wrong('taken') });
  await postJson(server.port, `${API}/signup`, { email: 'x', password: wrong('refused'), username: 7 });
  await browser.follow(authorizeUrl(SPORTS, 'sports', `${SPORTS}/`), { from: SPORTS });
  noteJars();
  await browser.post(`${NEWS}/api/auth/v1/logout?redirect-url=${wrong('redirect')}`, {});
  await browser.fetch(`${NEWS}/api/auth/v1/logout`);
  return secrets;
}

test('security 194: after whole journeys, failures included, no log line and no audit row holds a secret that was on the wire', async (t) => {
  const secrets = await journey();
  t.true(secrets.size > 20);
  t.true(server.lines.length > 20);
  const logged = server.lines.join('');
  const { rows } = await db.builder.raw('select e::text as text from audit_events e');
  const audited = rows.map(({ text }: { text: string }) => text).join('\n');
  for (const secret of secrets) {
    t.true(secret.length > 10, secret);
    for (const one of new Set([secret, ...secret.split('.').filter((part) => part.length > 40)])) {
      t.false(logged.includes(one), `in a log line: ${one}`);
      t.false(audited.includes(one), `in an audit row: ${one}`);
    }
  }
});

test('security 199: no table holds a secret in the clear: tokens, codes and proxy secrets are found by their hash', async (t) => {
  const secrets = await journey();
  const found = await server.services.clients.findHostOfProxySecret(PROXY_SECRET);
  t.is(found, HOSTS.news as never);
  t.is(await server.services.clients.findHostOfProxySecret(`${PROXY_SECRET.slice(0, -1)}x`), null);
  const { rows } = await db.builder.raw(
    "select table_name from information_schema.tables where table_schema = 'public'",
  );
  for (const { table_name } of rows as { table_name: string }[]) {
    const { rows: texts } = await db.builder.raw('select r::text as text from ?? r', [table_name]);
    const all = texts.map(({ text }: { text: string }) => text).join('\n');
    for (const secret of secrets) {
      // The callback is kept with its code on purpose: what the address says later is not believed.
      if (secret.startsWith('callback-')) continue;
      t.false(all.includes(secret), `${table_name} holds ${secret}`);
      t.false(all.includes(Buffer.from(secret).toString('hex')), `${table_name} holds the bytes of ${secret}`);
    }
  }
});

test('security 195: nothing that a caller sends can begin a log line of its own or reach a terminal as a control sequence', async (t) => {
  const forged = 'x\n{"level":30,"forged":true}\r\n';
  const before = server.lines.length;
  await postJson(server.port, `${API}/signup`, { email: 'x', username: `${forged}\u001b[31m`, password: PASSWORD });
  await postJson(server.port, `${API}/login`, { username: forged, password: PASSWORD });
  await postJson(server.port, `${API}/signup`, {
    email: `l${randomBytes(5).toString('hex')}@example.com`,
    name: forged,
    password: PASSWORD,
  });
  for (const evil of [forged, '\u0085forged', '\u2028{"forged":true}', '\u009b31m']) {
    await send(server.port, authorizeUrl(NEWS, evil, evil, { redirect_uri: evil }));
    await send(server.port, authorizeUrl(NEWS, 'news', evil, {}));
    await send(server.port, authorizeUrl(NEWS, 'news', `${NEWS}/`, { redirect_uri: `${NEWS}/${evil}` }));
  }
  await send(server.port, `${API}/users/profile`, {
    method: 'POST',
    headers: {
      Origin: 'http://x{"forged":true}',
      'Content-Type': 'application/json',
      'User-Agent': '","forged":true,"x":"',
    },
  });
  await exchange(server.port, `${headOf('GET', '/', ['X-A: b'], 'x"{forged}')}\r\n`);
  await until(() => server.lines.length > before + 15);
  for (const line of server.lines) {
    t.is(line.trimEnd().split('\n').length, 1);
    t.notRegex(line.trimEnd(), /[\u0000-\u001f\u007f-\u009f]/);
    const parsed = JSON.parse(line) as Record<string, unknown>;
    t.is(parsed['forged'], undefined);
  }
});

test('security 194: a configuration never prints its secrets', (t) => {
  const { config } = server.services;
  for (const printed of [JSON.stringify(config), String(config.secrets), `${config.databaseUrl}`]) {
    t.false(printed.includes(SECRET));
    t.false(printed.includes(server.database.url));
    t.true(printed.includes('[secret]'));
  }
});
