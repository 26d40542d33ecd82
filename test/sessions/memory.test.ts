// One test after the other: they count what a node answers. Session checks that are answered from memory, in front of everything else: the same answers, and never a stale one.

import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { asHost } from '../../server/lib/ids.ts';
import { type Answer, send } from '../support/browser.ts';
import { spawnServer } from '../support/process.ts';
import { exchange, until } from '../support/raw.ts';
import { HOSTS, originOf, startBehindForwarder, startTestServer, type TestServer } from '../support/server.ts';
import { beginSession, type DirectSession } from '../support/signed_in.ts';
import { administer } from '../support/template.ts';

const server = await startTestServer();
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const NEWS = originOf('news');
const ME = `${NEWS}/api/auth/v1/users/me`;

const ask = (port: number, session: DirectSession, headers: Record<string, string> = {}) =>
  send(port, ME, { headers: { Cookie: session.cookies['news'], ...headers } });

const signOut = (node: TestServer, session: DirectSession) =>
  send(node.port, `${NEWS}/api/auth/v1/logout`, {
    headers: { Cookie: session.cookies['news'], Accept: 'application/json' },
  });

/** How many checks a node has answered in front of the general way. */
async function answered(node: TestServer): Promise<number> {
  const text = await node.services.metrics.text();
  return [...text.matchAll(/^causeway_session_checks_total\{[^}]*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
}

/** Whether a node would answer for a session from memory at this moment. */
function isKnown(node: TestServer, session: DirectSession): boolean {
  const credential = session.credentials['news'];
  if (!credential) throw new Error('not signed in on news');
  return node.services.signedInMemory.peek({ kind: 'cookie', ...credential }, asHost(HOSTS.news)) !== null;
}

/** A dead LISTEN connection is found within 6 s and made anew within 2 s more (db/notify.ts); no lease is held until then. */
const MOST_WARM_MS = 20_000;

/** Asks until the node holds the session in memory. */
async function warm(node: TestServer, session: DirectSession): Promise<void> {
  const deadline = performance.now() + MOST_WARM_MS;
  while (performance.now() < deadline) {
    await ask(node.port, session);
    if (isKnown(node, session)) return;
    await sleep(50);
  }
  throw new Error('never kept in memory');
}

function comparable({ status, headers, text }: Answer) {
  const { date: _date, 'x-request-id': id, ...rest } = headers;
  return { status, headers: rest, text, hasId: /^[\w-]{12}$/.test(String(id)) };
}

test.serial('what memory answers is letter by letter what the general way answers', async (t) => {
  const session = await beginSession(server, await server.makeAccount({ name: 'Zoë Ångström 中文' }));
  await warm(server, session);
  const token = session.credentials['news']?.token ?? '';
  await send(server.port, ME, { headers: { 'X-QT-AUTH': token } });
  const cases: [string, Record<string, string>][] = [
    ['cookies', { Cookie: session.cookies['news'] ?? '' }],
    ['header', { 'X-QT-AUTH': token }],
    ['nothing', {}],
    ['foreign cookies', { Cookie: 'theme=dark; consent=1' }],
  ];
  for (const [name, headers] of cases) {
    const before = await answered(server);
    const quick = await send(server.port, ME, { headers });
    t.is(await answered(server), before + 1, `${name}: not in front`);
    // With a query, if an empty one, nothing stands in front.
    const general = await send(server.port, `${ME}?`, { headers });
    t.is(await answered(server), before + 1, `${name}: the other one was in front too`);
    t.deepEqual(comparable(quick), comparable(general), name);
  }
});

const UNUSUAL: [string, (session: DirectSession) => Record<string, string | string[]>][] = [
  ['the same cookie twice', (s) => ({ Cookie: `${s.cookies['news']}; qt-auth=x` })],
  [
    'a companion of another session',
    (s) => ({ Cookie: String(s.cookies['news']).replace(/(__Host-qt-auth=.)./, '$1_') }),
  ],
  ['a token alone', (s) => ({ Cookie: `qt-auth=${s.credentials['news']?.token}` })],
  ['a companion alone', (s) => ({ Cookie: `__Host-qt-auth=${s.credentials['news']?.companion}` })],
  ['a header that is no token', () => ({ 'X-QT-AUTH': 'not-a-token' })],
  ['the token of another host', (s) => ({ Cookie: String(s.cookies['sports']) })],
];
for (const [name, headersOf] of UNUSUAL)
  test.serial(`security 43: memory never answers for ${name}`, async (t) => {
    const session = await beginSession(server, await server.makeAccount());
    await warm(server, session);
    const before = await answered(server);
    const answer = await send(server.port, ME, { headers: headersOf(session) });
    t.is(answer.status, 401);
    t.is(await answered(server), before);
  });

test.serial('a host that is not ours, and one that is named twice, are refused as ever', async (t) => {
  t.is((await send(server.port, ME, { headers: { Host: 'elsewhere.example' } })).status, 421);
  const twice = 'Host: news.test.localhost\r\nHost: news.test.localhost\r\n';
  const answer = await exchange(server.port, `GET /api/auth/v1/users/me HTTP/1.1\r\n${twice}Connection: close\r\n\r\n`);
  t.regex(answer, /^HTTP\/1\.1 400 /);
});

test.serial(
  'reliability R-20: signed out on one node, 0 of 200 checks are answered by the memory of the other',
  async (t) => {
    let accepted = 0;
    let fromMemory = 0;
    for (let round = 0; round < 200; round++) {
      const session = await beginSession(server, await server.makeAccountWithoutPassword());
      await ask(second.port, session);
      const before = await answered(second);
      await ask(second.port, session);
      fromMemory += (await answered(second)) - before;
      const out = await signOut(server, session);
      t.is(out.status, 204);
      if ((await ask(second.port, session)).status !== 401) accepted++;
    }
    t.is(accepted, 0);
    t.true(fromMemory > 100, `memory held ${fromMemory} of 200 before the sign-out, so it was hardly tried`);
  },
);

test.serial('reliability R-23: a disabled account is out at once, also where memory knows it', async (t) => {
  const account = await server.makeAccount();
  const session = await beginSession(server, account);
  await warm(second, session);
  await server.services.db.builder('accounts').where({ id: account.id }).update({ disabled_at: new Date() });
  t.is((await ask(second.port, session)).status, 401);
});

test.serial(
  'reliability R-24: a profile that was changed on one node is read at once from the other, and the count of sessions too',
  async (t) => {
    const account = await server.makeAccount();
    const session = await beginSession(server, account);
    await warm(second, session);
    await warm(server, session);
    await server.services.db.builder('accounts').where({ id: account.id }).update({ name: 'Renamed' });
    t.is((await ask(second.port, session)).json().user.name, 'Renamed');
    await warm(server, session);
    await beginSession(server, account);
    t.is((await ask(server.port, session)).json()['active-sessions-count'], 2);
  },
);

test.serial('reliability R-70: what is in memory expires with its session', async (t) => {
  const session = await beginSession(server, await server.makeAccount());
  await warm(server, session);
  await server.database.moveClock(400 * 86_400);
  t.is((await ask(server.port, session)).status, 401);
  await server.database.moveClock(-400 * 86_400);
});

test.serial(
  'reliability R-20: a frozen node finds its lease over when it wakes; the sign-out waits for that and no longer',
  async (t) => {
    const frozen = spawnServer({ DATABASE_URL: server.database.url });
    try {
      const { port } = await frozen.listening;
      for (let round = 0; round < 5; round++) {
        const session = await beginSession(server, await server.makeAccountWithoutPassword());
        for (let time = 0; time < 3; time++) t.is((await ask(port, session)).status, 200);
        frozen.child.kill('SIGSTOP');
        const asked = ask(port, session);
        const started = performance.now();
        const out = await signOut(server, session);
        t.is(out.status, 204);
        t.log(`sign-out beside a frozen node: ${Math.round(performance.now() - started)} ms`);
        const askedAfter = ask(port, session);
        frozen.child.kill('SIGCONT');
        // The one that began before the sign-out may have either answer.
        await asked;
        t.is((await askedAfter).status, 401);
      }
    } finally {
      frozen.child.kill('SIGKILL');
      await frozen.ended;
    }
  },
);

test.serial('reliability R-20: a node whose notifications go nowhere answers nothing stale', async (t) => {
  const { node: deaf, forwarder } = await startBehindForwarder(t, server);
  for (let round = 0; round < 3; round++) {
    const session = await beginSession(server, await server.makeAccountWithoutPassword());
    await warm(deaf, session);
    forwarder.deafen(true);
    const started = performance.now();
    const out = await signOut(server, session);
    t.is(out.status, 204);
    t.log(`sign-out beside a deaf node: ${Math.round(performance.now() - started)} ms`);
    t.is((await ask(deaf.port, session)).status, 401);
    forwarder.deafen(false);
  }
});

test.serial(
  'reliability R-20: who signs out of a session that is just being ended is told no sooner than who ends it may be',
  async (t) => {
    const { node: deaf, forwarder } = await startBehindForwarder(t, server);
    for (const [name, other] of [
      ['the same node', server],
      ['another node', second],
    ] as const) {
      const session = await beginSession(server, await server.makeAccountWithoutPassword());
      await warm(deaf, session);
      forwarder.deafen(true);
      const first = signOut(server, session);
      const { db } = server.services;
      await until(
        async () => Number((await db.builder('sessions').where({ id: session.id }).count())[0]?.['count']) === 0,
      );
      t.is((await signOut(other, session)).status, 204);
      t.is((await ask(deaf.port, session)).status, 401, name);
      t.is((await first).status, 204);
      forwarder.deafen(false);
    }
  },
);

test.serial(
  'reliability R-20: a database that keeps notices from its clients makes no difference to who waits',
  async (t) => {
    const { pathname } = new URL(server.database.url);
    await administer(server.database.url, `alter database "${pathname.slice(1)}" set client_min_messages = error`);
    const { node: deaf, forwarder } = await startBehindForwarder(t, server);
    const one = await startTestServer({ database: server.database });
    try {
      const session = await beginSession(one, await one.makeAccountWithoutPassword());
      await warm(deaf, session);
      forwarder.deafen(true);
      const out = await signOut(one, session);
      t.is(out.status, 204);
      t.is((await ask(deaf.port, session)).status, 401);
    } finally {
      await administer(server.database.url, `alter database "${pathname.slice(1)}" reset client_min_messages`);
      await one.close();
    }
  },
);

test.serial(
  'reliability R-20: a sign-out whose commit was not confirmed is told to nobody, and holds everywhere within a lease',
  async (t) => {
    const { node: losing, forwarder } = await startBehindForwarder(t, server);
    const session = await beginSession(server, await server.makeAccountWithoutPassword());
    await warm(second, session);
    forwarder.loseNextCommit('oidc.end_session');
    const out = await signOut(losing, session);
    t.is(forwarder.lostCommits(), 1);
    t.is(out.status, 503);
    let status = 200;
    for (let tries = 0; status === 200 && tries < 60; tries++) {
      status = (await ask(second.port, session)).status;
      if (status === 200) await sleep(50);
    }
    t.is(status, 401);
  },
);

test.serial('reliability R-20: a node that joins while readers sign out never answers for who is out', async (t) => {
  const sessions = await Promise.all(
    Array.from({ length: 40 }, async () => beginSession(server, await server.makeAccountWithoutPassword())),
  );
  const out = new Set<DirectSession>();
  const leaving = (async () => {
    for (const session of sessions) {
      await signOut(server, session);
      out.add(session);
      await sleep(15);
    }
  })();
  const joining = await startTestServer({ database: server.database });
  try {
    let accepted = 0;
    for (let round = 0; round < 8; round++)
      await Promise.all(
        sessions.map(async (session) => {
          const isOut = out.has(session);
          const { status } = await ask(joining.port, session);
          if (isOut && status !== 401) accepted++;
        }),
      );
    await leaving;
    for (const session of sessions) if ((await ask(joining.port, session)).status !== 401) accepted++;
    t.is(accepted, 0);
  } finally {
    await leaving;
    await joining.close();
  }
});

test.serial('without memory every check asks the database, and says the same', async (t) => {
  const forgetful = await startTestServer({ database: server.database, env: { CAUSEWAY_SESSION_MEMORY: '0' } });
  try {
    const session = await beginSession(server, await server.makeAccount());
    for (let time = 0; time < 3; time++) t.is((await ask(forgetful.port, session)).status, 200);
    t.is(forgetful.services.signedInMemory.count(), 0);
  } finally {
    await forgetful.close();
  }
});
