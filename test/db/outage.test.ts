import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openEmbedded } from '../../server/db/embedded.ts';
import { migrate } from '../../server/db/migrate.ts';
import { authorizeUrl, send } from '../support/browser.ts';
import { startForwarder } from '../support/forwarder.ts';
import { API, AUTH, postJson, until } from '../support/raw.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';

// A PostgreSQL of this file's own, so that it can be stopped; behind a forwarder, so that it comes back on the same port.
const folder = join(tmpdir(), `causeway-outage-${randomBytes(6).toString('hex')}`);
let postgres = await openEmbedded({ folder, mayAdopt: false, flags: ['fsync=off'] });
const forwarder = await startForwarder(postgres.url);
await migrate(postgres.url);
const database = { url: forwarder.url, moveClock: async () => {}, drop: async () => {} };
const server = await startTestServer({ database, env: { CAUSEWAY_OPS_PORT: '0' } });
await server.apply(REALM_YAML);
test.after.always(async () => {
  await server.close();
  await forwarder.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});
const NEWS = originOf('news');
const { db } = server.services;
const sessionsOf = async (id: string) =>
  Number((await db.builder('sessions').where({ account_id: id }).count())[0]?.['count']);
const ready = () => send(server.opsPort as number, `http://127.0.0.1:${server.opsPort}/readyz`);
const healthy = () => send(server.opsPort as number, `http://127.0.0.1:${server.opsPort}/healthz`);

// Serial: PostgreSQL is away for all tests of the file at once.
test.serial(
  'reliability R-30, R-35: while PostgreSQL is away every answer is 503 with Retry-After, and service returns without a restart',
  async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser();
    t.is((await browser.post(`${API}/login`, { email: account.email, password: PASSWORD })).status, 200);
    await postgres.stop();
    forwarder.cut();
    t.is((await healthy()).status, 200, 'the process lives');
    t.is((await ready()).status, 503);
    const before = browser.cookieHeader(HOSTS.news);
    const answers = await Promise.all([
      browser.me(NEWS),
      browser.post(`${API}/login`, { email: account.email, password: PASSWORD }),
      browser.fetch(`${API}/logout`),
      browser.post(`${API}/users/profile`, { name: 'Lost' }),
      postJson(server.port, `${API}/signup`, { email: 'outage@example.com', password: PASSWORD }),
      browser.navigate(`${API}/oauth/token?code=${'c'.repeat(43)}`),
    ]);
    for (const answer of answers) {
      t.is(answer.status, 503, `${answer.url} ${answer.text.slice(0, 200)}`);
      t.true(Number(answer.headers['retry-after']) >= 1);
      t.is(answer.headers['cache-control'], 'no-store');
      t.notRegex(answer.text.replace(/<style[\s\S]*<\/style>/g, ''), /ECONN|postgres|knex|127\.0\.0\.1/i);
    }
    t.is(browser.cookieHeader(HOSTS.news), before, 'nobody is signed out by an outage');

    postgres = await openEmbedded({ folder, mayAdopt: false, flags: ['fsync=off'] });
    forwarder.restore(postgres.url);
    t.is((await browser.me(NEWS)).json().user.email, account.email);
    t.is((await ready()).status, 200);
    t.is((await postJson(server.port, `${API}/login`, { email: account.email, password: PASSWORD })).status, 200);
    await until(() => server.services.notifications.isConnected());
  },
);

test.serial(
  'reliability R-37: when the reply to the COMMIT of a sign-in is lost the answer is 503, and signing in again works',
  async (t) => {
    const account = await server.makeAccount();
    const lost = forwarder.lostCommits();
    forwarder.loseNextCommit('login.begin_session');
    const browser = server.browser();
    const answer = await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
    t.is(forwarder.lostCommits(), lost + 1);
    t.is(answer.status, 503);
    t.true(Number(answer.headers['retry-after']) >= 1);
    t.false(browser.jarOf(HOSTS.news).has('qt-auth'));
    t.is(await sessionsOf(account.id), 1, 'an extra session that nobody holds');
    t.is((await browser.post(`${API}/login`, { email: account.email, password: PASSWORD })).status, 200);
    t.is(await sessionsOf(account.id), 2, 'the sign-in was not repeated by itself');
  },
);

test.serial(
  'reliability R-37: when the reply to the COMMIT of a code is lost the browser comes again and ends signed in, by one session',
  async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser();
    await browser.post(`${AUTH}/api/auth/v1/login`, { email: account.email, password: PASSWORD });
    const start = await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/story`));
    const issued = await browser.navigate(start.location as string, { from: NEWS });
    const lost = forwarder.lostCommits();
    forwarder.loseNextCommit('oauth.redeem_fresh');
    const answer = await browser.navigate(issued.location as string, { from: AUTH });
    t.is(forwarder.lostCommits(), lost + 1);
    t.is(answer.status, 503);
    t.true(Number(answer.headers['retry-after']) >= 1);
    t.is((await browser.me(NEWS)).status, 401);
    const again = await browser.follow(issued.location as string, { from: AUTH });
    t.is(again.hops.at(-1), `${NEWS}/story`);
    t.is((await browser.me(NEWS)).json().user.email, account.email);
    t.is(await sessionsOf(account.id), 1);
  },
);

test.serial(
  'reliability R-37: when the reply to the COMMIT of a sign-up is lost the account is there, once, and opens',
  async (t) => {
    const email = `lost-${randomBytes(5).toString('hex')}@example.com`;
    forwarder.loseNextCommit();
    t.is((await postJson(server.port, `${API}/signup`, { email, password: PASSWORD })).status, 503);
    t.is((await postJson(server.port, `${API}/signup`, { email, password: PASSWORD })).status, 409);
    t.is((await postJson(server.port, `${API}/login`, { email, password: PASSWORD })).status, 200);
  },
);
