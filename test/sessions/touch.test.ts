// Readers whose session nobody has noted as seen for a minute: answered in front like all others, and noted together by one
// statement that waits for nobody. One test after the other: they count what is sent and what a node answers.

import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import pg from 'pg';
import { asHost } from '../../server/lib/ids.ts';
import { type Answer, authorizeUrl, send } from '../support/browser.ts';
import { postJson, until } from '../support/raw.ts';
import { listenToStatements } from '../support/sent.ts';
import { HOSTS, originOf, PASSWORD, startTestServer, type TestServer } from '../support/server.ts';
import { beginSession, type DirectSession } from '../support/signed_in.ts';

const statementsOf = listenToStatements();
const server = await startTestServer();
const second = await startTestServer({ database: server.database });
const forgetful = await startTestServer({ database: server.database, env: { CAUSEWAY_SESSION_MEMORY: '0' } });
test.after.always(async () => {
  await forgetful.close();
  await second.close();
  await server.close();
});
const { db } = server.services;
const NEWS = originOf('news');
const ME = `${NEWS}/api/auth/v1/users/me`;
const NEWS_HOST = asHost(HOSTS.news);

const ask = (node: TestServer, session: DirectSession, url = ME) =>
  send(node.port, url, { headers: { Cookie: session.cookies['news'] } });
const presentedBy = (session: DirectSession) => {
  const credential = session.credentials['news'];
  if (!credential) throw new Error('not signed in on news');
  return { kind: 'cookie', ...credential } as const;
};
const find = (node: TestServer, session: DirectSession) =>
  node.services.accounts.findSignedIn(presentedBy(session), NEWS_HOST);

/** Sessions that were last seen two minutes ago, and would be over in one. */
async function staleSessions(count: number): Promise<DirectSession[]> {
  const sessions: DirectSession[] = [];
  while (sessions.length < count)
    sessions.push(await beginSession(server, await server.makeAccountWithoutPassword(), ['auth', 'news']));
  await age(sessions);
  return sessions;
}
const age = (sessions: readonly DirectSession[]) =>
  db
    .builder('sessions')
    .whereIn('id', idsOf(sessions))
    .update({
      last_seen_at: db.builder.raw("causeway_now() - interval '2 minutes'"),
      idle_expires_at: db.builder.raw("causeway_now() + interval '1 minute'"),
    });
async function staleSession(): Promise<DirectSession> {
  const [session] = await staleSessions(1);
  if (!session) throw new Error('none was made');
  return session;
}
const idsOf = (sessions: readonly DirectSession[]) => sessions.map(({ id }) => id);

/** Of these sessions, how many are noted as seen on news, with all of their idle time before them. */
async function countSeen(sessions: readonly DirectSession[]): Promise<number> {
  const [row] = await db
    .builder('sessions')
    .whereIn('id', idsOf(sessions))
    .where({ last_seen_host: HOSTS.news })
    .whereRaw("last_seen_at > causeway_now() - interval '1 minute'")
    .whereRaw("idle_expires_at > causeway_now() + make_interval(secs => idle_seconds) - interval '1 minute'")
    .count('* as count');
  return Number(row?.['count']);
}

async function answeredInFront(node: TestServer): Promise<number> {
  const text = await node.services.metrics.text();
  return Number(/^causeway_session_checks_total\{answer="signed-in"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

function comparable({ status, headers, text }: Answer) {
  const { date: _date, 'x-request-id': id, ...rest } = headers;
  return { status, headers: rest, text, hasId: /^[\w-]{12}$/.test(String(id)) };
}

const NODES = [
  ['with session memory', server],
  ['without', forgetful],
] as const;
for (const [which, node] of NODES)
  test.serial(
    `${which}: many who are to be noted as seen at once are found by one statement and noted by one`,
    async (t) => {
      const sessions = await staleSessions(60);
      const sent = await statementsOf(async () => {
        const found = await Promise.all(sessions.map((session) => find(node, session)));
        t.deepEqual(
          found.map((one) => one?.session.id),
          idsOf(sessions),
        );
      });
      t.deepEqual(sent, ['accounts.find_signed_in', 'sessions.touch']);
      t.is(await countSeen(sessions), 60);
      const again = await statementsOf(() => Promise.all(sessions.map((session) => find(node, session))));
      t.false(again.includes('sessions.touch'), 'once a minute at most');
    },
  );

test.serial('once noted as seen, a reader is answered from memory for the rest of the minute', async (t) => {
  let session = await staleSession();
  // Kept only while the node holds its lease, which it may not do for a moment.
  await until(async () => {
    session = await staleSession();
    t.is((await ask(server, session)).status, 200);
    return server.services.signedInMemory.peek(presentedBy(session), NEWS_HOST) !== null;
  });
  t.deepEqual(await statementsOf(async () => t.is((await ask(server, session)).status, 200)), []);
});

for (const [which, node] of NODES)
  test.serial(
    `${which}: whoever is to be noted as seen is answered in front, letter by letter as the general way does`,
    async (t) => {
      const [first, session] = await staleSessions(2);
      if (!first || !session) throw new Error('two were to be made');
      // Realms and clients are in memory once somebody has asked.
      await ask(node, first);
      const before = await answeredInFront(node);
      const quick = await ask(node, session);
      t.is(await answeredInFront(node), before + 1);
      t.is(await countSeen([session]), 1);
      await age([session]);
      const general = await ask(second, session, `${ME}?`);
      t.is(await countSeen([session]), 1);
      t.deepEqual(comparable(quick), comparable(general));
    },
  );

test.serial('a hop notes its reader as seen, too, and is answered in front', async (t) => {
  const session = await staleSession();
  const url = authorizeUrl(NEWS, 'news', `${NEWS}/`);
  const begun = await send(server.port, url, { headers: { 'Sec-Fetch-Mode': 'navigate' } });
  const sent = await statementsOf(async () => {
    const issued = await send(server.port, String(begun.location), {
      headers: { Cookie: session.cookies['auth'], 'Sec-Fetch-Mode': 'navigate' },
    });
    t.true(String(issued.location).includes('/oauth/token?code='));
  });
  t.deepEqual(sent, ['accounts.find_signed_in', 'sessions.touch', 'oauth.insert_codes']);
});

test.serial('a session that somebody holds is not waited for; its next request notes it', async (t) => {
  const [held, free] = await staleSessions(2);
  if (!held || !free) throw new Error('two were to be made');
  await db.transaction(async (q) => {
    await q.builder('sessions').where({ id: held.id }).forUpdate().first('id');
    // The row stays locked until both have answered: whoever waited for it would never be done.
    const [one, other] = await Promise.all([find(server, held), find(server, free)]);
    t.true(one?.session.isSeenStale);
    t.false(other?.session.isSeenStale);
    t.is((await ask(server, held)).status, 200);
  });
  t.is(await countSeen([held, free]), 1);
  t.is((await ask(server, held)).status, 200);
  t.is(await countSeen([held, free]), 2);
});

test.serial('two nodes that note the same sessions in opposite orders do it once, and neither fails', async (t) => {
  for (let round = 0; round < 5; round++) {
    const sessions = await staleSessions(40);
    const touchAll = (node: TestServer, all: readonly DirectSession[]) =>
      Promise.all(all.map((session) => node.services.sessions.touch(session, NEWS_HOST)));
    const noted = await Promise.all([touchAll(server, sessions), touchAll(second, sessions.toReversed())]);
    t.is(noted.flat().filter((seconds) => seconds !== null).length, 40);
    t.is(await countSeen(sessions), 40);
  }
});

test.serial('reliability R-20: who signs out while being noted as seen is out on every node', async (t) => {
  for (const session of await staleSessions(40)) {
    const [, out] = await Promise.all([
      ask(second, session),
      send(server.port, `${NEWS}/api/auth/v1/logout`, {
        headers: { Cookie: session.cookies['news'], Accept: 'application/json' },
      }),
    ]);
    t.is(out.status, 204);
    t.is((await ask(second, session)).status, 401);
  }
});

test.serial('security 43: a token without its companion does not keep a session alive', async (t) => {
  const session = await staleSession();
  const { token, companion } = presentedBy(session);
  const foreign = `${companion.startsWith('A') ? 'B' : 'A'}${companion.slice(1)}`;
  const cookie = `qt-auth=${token}; __Host-qt-auth=${foreign}`;
  t.is((await send(server.port, ME, { headers: { Cookie: cookie } })).status, 401);
  t.is(await countSeen([session]), 0);
});

test.serial(
  'security 202: cookie and header of two readers keep neither session alive, of one reader the cookie’s',
  async (t) => {
    const account = await server.makeAccountWithoutPassword();
    const [own, sibling] = [await beginSession(server, account), await beginSession(server, account)];
    const foreign = await staleSession();
    const both = (header: DirectSession) => ({
      Cookie: own.cookies['news'] ?? '',
      'X-QT-AUTH': header.credentials['news']?.token ?? '',
    });
    await age([own, sibling]);
    t.is((await send(server.port, ME, { headers: both(foreign) })).status, 401);
    t.is(await countSeen([own, foreign]), 0);
    t.is((await send(server.port, ME, { headers: both(sibling) })).status, 200);
    t.is(await countSeen([own, sibling]), 1);
    t.is(await countSeen([own]), 1);
  },
);

test.serial(
  'while the table cannot be written readers are answered, and connections stay free for reading',
  async (t) => {
    const sessions = await staleSessions(12);
    await db.transaction(async (q) => {
      await q.builder.raw('lock table sessions in share mode');
      const touches: Promise<number | null>[] = [];
      for (const session of sessions) {
        touches.push(server.services.sessions.touch(session, NEWS_HOST));
        // Longer than a group holds back the next one: each would have a connection of its own if it were let.
        await sleep(30);
      }
      // This transaction, three that hang, and what the node does unasked.
      t.true(db.pool().used <= 6, `${db.pool().used} connections are in use`);
      t.is((await ask(server, sessions[0] as DirectSession)).status, 200);
      t.true((await Promise.all(touches)).every((seconds) => seconds === null));
    });
    await Promise.all(sessions.map((session) => ask(server, session)));
    t.is(await countSeen(sessions), 12);
  },
);

test.serial(
  'reliability R-42: on a read-only primary readers are answered though they cannot be noted as seen',
  async (t) => {
    const own = await startTestServer();
    const admin = new pg.Client({ connectionString: own.database.url });
    await admin.connect();
    await admin.query('set default_transaction_read_only = off');
    const turn = async (readOnly: 'on' | 'off') => {
      await admin.query(
        `do $$ begin execute format('alter database %I set default_transaction_read_only = ${readOnly}', current_database()); end $$`,
      );
      // Connections of before keep what they began with.
      await admin.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    };
    try {
      const account = await own.makeAccount();
      const session = await beginSession(own, account);
      const { rows } = await admin.query(
        "update sessions set last_seen_at = now() - interval '2 minutes' where id = $1 returning last_seen_at",
        [session.id],
      );
      const seenAt = async () =>
        (await admin.query('select last_seen_at from sessions where id = $1', [session.id])).rows[0]?.last_seen_at;
      await turn('on');
      for (const path of ['', '?']) t.is((await ask(own, session, ME + path)).status, 200);
      const signIn = await postJson(own.port, `${NEWS}/api/auth/v1/login`, {
        email: account.email,
        password: PASSWORD,
      });
      t.is(signIn.status, 503);
      t.deepEqual(await seenAt(), rows[0]?.last_seen_at);
      t.is(own.lines.filter((line) => line.includes('could not be noted as seen')).length, 1);
      await turn('off');
      t.is((await ask(own, session)).status, 200);
      t.true((await seenAt()) > rows[0]?.last_seen_at);
    } finally {
      await admin.end();
      await own.close();
    }
  },
);
