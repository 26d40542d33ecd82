// 3,000 requests from a seeded grammar of everything that has broken servers like this one (reliability §6). A failure names
// its seed and number; the same seed makes the same requests.

import test from 'ava';
import { listRoutes } from '../../server/app.ts';
import { createGenerator } from '../support/generator.ts';
import { exchange, postJson, statusesIn, UNLIMITED_YAML, until } from '../support/raw.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { makeRequest } from '../support/torture_grammar.ts';

const server = await startTestServer({
  yaml: UNLIMITED_YAML,
  env: { CAUSEWAY_PROXIES: '127.0.0.1', CAUSEWAY_LOG_LEVEL: 'info' },
});
test.after.always(() => server.close());
// An event stream has no end to wait for; test/sessions/events.test.ts has it.
const ROUTES = listRoutes(server.services).filter(({ name }) => name !== 'bridgekeeper.events');
const REQUESTS = 3000;
const AT_ONCE = 24;

test('reliability R-7, R-57: 3,000 requests of a seeded grammar get no 5xx, break nothing, and leave the pool idle', async (t) => {
  const seed = 20261121;
  const g = createGenerator(seed);
  const cookies: string[] = [];
  for (let reader = 0; reader < 6; reader++) {
    const { email } = await server.makeAccount();
    const browser = server.browser();
    await browser.post(`${originOf('news')}/api/auth/v1/login`, { email, password: PASSWORD });
    cookies.push(browser.cookieHeader(HOSTS.news));
  }
  const requests = Array.from({ length: REQUESTS }, () => makeRequest(g, ROUTES, g.pick(cookies)));
  const seen = new Map<number, number>();
  let next = 0;
  async function worker() {
    while (next < requests.length) {
      const number = next++;
      const bytes = requests[number] as Buffer;
      const received = await exchange(server.port, bytes);
      const [status = 0] = statusesIn(received).filter((one) => one !== 100);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      if (status < 200 || status >= 500)
        t.fail(
          `seed ${seed}, request ${number}: ${status}\n${bytes.toString('latin1').slice(0, 1500)}\n${received.slice(0, 600)}`,
        );
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  t.log(`seed ${seed}:`, Object.fromEntries([...seen].sort(([a], [b]) => a - b)));
  t.true([...seen.keys()].length > 8, 'the grammar reaches many kinds of answers');
  await until(() => server.services.db.pool().used === 0);
  t.is(server.services.db.pool().waiting, 0);
  t.deepEqual(
    server.lines.filter((line) => line.includes('"level":50')),
    [],
  );
  const { rows } = await server.services.db.builder.raw(
    "select count(*)::int as stuck from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
  );
  t.is(rows[0].stuck, 0);
  t.is(({} as Record<string, unknown>)['isAdmin'], undefined);
  // Theirs may have been erased: that is what some requests ask for.
  const account = await server.makeAccount();
  const again = server.browser();
  t.is(
    (await again.post(`${originOf('news')}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status,
    200,
  );
});

test('reliability R-7: forwarded addresses of every spelling are stored or left out, and never an error of ours', async (t) => {
  for (const address of [
    'fe80::1%eth0',
    '::1%lo',
    '::ffff:10.0.0.1',
    '0x7f.1',
    '010.1.1.1',
    '2130706433',
    '1.2.3.4:80',
    '[::1]:80',
    'unknown',
    '_hidden',
    '1.2.3.4/8',
    '::/0',
  ]) {
    const answer = await postJson(
      server.port,
      `${originOf('news')}/api/auth/v1/login`,
      { email: 'nobody@example.com', password: 'x' },
      { headers: { 'X-Forwarded-For': address } },
    );
    t.is(answer.status, 401, address);
  }
});
