// Time is moved for the whole database of this file, so its tests run one after the other.

import test from 'ava';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { beginSession, keepIn, signedInBrowser } from '../support/signed_in.ts';
import { openStream } from '../support/sockets.ts';

const MINUTE = 60;
const HOUR = 3600;
const YAML = REALM_YAML.replace(
  'settings: { signup: open }',
  'settings: { signup: open, session_idle: 1h, session_absolute: 5h, reauth_window: 10m }',
);
const server = await startTestServer({ yaml: YAML });
test.after.always(() => server.close());
const [NEWS, SPORTS] = [originOf('news'), originOf('sports')];
const sessionRow = (id: string) =>
  server.services.db
    .builder('sessions')
    .first('last_seen_at', 'idle_expires_at', 'expires_at', 'last_seen_host')
    .where({ id });

test.serial('security 47: a session ends when nobody has used it for the idle time, to the minute', async (t) => {
  const [used, unused] = [await signedInBrowser(server), await signedInBrowser(server)];
  await server.database.moveClock(HOUR - MINUTE);
  t.is((await used.browser.me(NEWS)).status, 200);
  await server.database.moveClock(MINUTE + 1);
  t.is((await used.browser.me(NEWS)).status, 200);
  const answer = await unused.browser.me(NEWS);
  t.is(answer.status, 401);
  t.true(answer.cookies.some((line) => line.startsWith('qt-auth=; Max-Age=0')));
  t.is((await unused.browser.me(SPORTS)).status, 401);
});

test.serial(
  'security 47: use on one domain keeps the session alive on all, and never beyond the absolute time',
  async (t) => {
    const { session, browser } = await signedInBrowser(server);
    const ends = (await sessionRow(session.id))?.['expires_at'];
    for (let half = 1; half < 10; half++) {
      await server.database.moveClock(HOUR / 2);
      t.is((await browser.me(half % 2 ? NEWS : SPORTS)).status, 200, `after ${half / 2} h`);
    }
    t.deepEqual((await sessionRow(session.id))?.['expires_at'], ends);
    await server.database.moveClock(HOUR / 2 - MINUTE);
    t.is((await browser.me(NEWS)).status, 200);
    await server.database.moveClock(MINUTE + 1);
    t.is((await browser.me(NEWS)).status, 401);
    t.is((await browser.me(SPORTS)).status, 401);
  },
);

test.serial('security 47: the idle time is written at most once a minute', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const first = await sessionRow(session.id);
  await server.database.moveClock(MINUTE - 2);
  for (let count = 0; count < 5; count++) await browser.me(NEWS);
  t.deepEqual(await sessionRow(session.id), first);
  await server.database.moveClock(3);
  await Promise.all(Array.from({ length: 10 }, () => browser.me(SPORTS)));
  const second = await sessionRow(session.id);
  t.true(second?.['last_seen_at'] > first?.['last_seen_at']);
  t.true(second?.['idle_expires_at'] > first?.['idle_expires_at']);
  t.is(second?.['last_seen_host'], HOSTS.sports);
  await browser.me(NEWS);
  t.deepEqual(await sessionRow(session.id), second);
});

test.serial('security 47: no session cookie lasts longer than the absolute time', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const answers = [
    await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD }),
    await server.browser().signInThrough(SPORTS, account, PASSWORD, 'sports'),
  ];
  const ages = answers
    .flatMap(({ cookies }) => cookies)
    .filter((line) => /^(__Host-)?qt-auth=./.test(line))
    .map((line) => Number(/Max-Age=(\d+)/.exec(line)?.[1]));
  t.is(ages.length, 4);
  t.true(ages.every((age) => age === 5 * HOUR));
});

test.serial('security 47: sessions that are over are swept out of the database, live ones stay', async (t) => {
  const { session: over } = await signedInBrowser(server);
  await server.database.moveClock(HOUR + 1);
  const { session: live, browser } = await signedInBrowser(server);
  for (const job of server.services.sessions.jobs) await job.run(server.services.db);
  t.is(await sessionRow(over.id), undefined);
  t.truthy(await sessionRow(live.id));
  t.is((await browser.me(NEWS)).status, 200);
});

test.serial('security 52: ending sessions needs a recent sign-in, which signing in again gives', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const other = await beginSession(server, account);
  const elsewhere = server.browser();
  keepIn(elsewhere, other);
  await server.database.moveClock(10 * MINUTE + 1);
  for (const path of [`/sessions/${other.id}`, '/sessions?others=true']) {
    const answer = await browser.fetch(`${NEWS}/api/auth/v1${path}`, { method: 'DELETE' });
    t.is(answer.status, 403);
    t.is(answer.json().error.code, 'reauth_required');
  }
  t.is((await elsewhere.me(NEWS)).status, 200);
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/sessions`)).json().sessions.length, 2);

  t.is((await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 200);
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/sessions/${other.id}`, { method: 'DELETE' })).status, 200);
  t.is((await elsewhere.me(NEWS)).status, 401);
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/sessions`)).json().sessions[0].id, session.id);
});

test.serial('security 206: deleting the account needs a recent sign-in', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  await server.database.moveClock(10 * MINUTE + 1);
  const answer = await browser.fetch(`${NEWS}/api/auth/v1/users/me`, { method: 'DELETE' });
  t.is(answer.status, 403);
  t.is(answer.json().error.code, 'reauth_required');
  t.is((await browser.me(NEWS)).json().user.id, Number(account.id));
});

test.serial('security 47: an open event stream ends when its session has run out', async (t) => {
  const { session } = await signedInBrowser(server);
  const stream = await openStream(server.port, `${NEWS}/api/auth/v1/events`, {
    Cookie: String(session.cookies['news']),
  });
  await stream.opened;
  await server.services.streams.check();
  await server.database.moveClock(HOUR + 1);
  await server.services.streams.check();
  t.true((await stream.ended).includes('event: signed-out\n'));
});
