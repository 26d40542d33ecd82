import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { until } from '../support/raw.ts';
import { HOSTS, originOf, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { openStream } from '../support/sockets.ts';

const server = await startTestServer();
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const [NEWS, SPORTS] = [originOf('news'), originOf('sports')];
const EVENTS = '/api/auth/v1/events';

/** An open stream of a new reader on a node. */
async function openFor(port: number, site: 'news' | 'sports' = 'news') {
  const reader = await signedInBrowser(server);
  const stream = await openStream(port, `${originOf(site)}${EVENTS}`, { Cookie: String(reader.session.cookies[site]) });
  await stream.opened;
  return { ...reader, stream };
}

test('the event stream of a signed-in reader stays open and may not be stored', async (t) => {
  const { stream } = await openFor(server.port);
  t.is(stream.status, 200);
  t.is(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
  t.is(stream.headers['cache-control'], 'no-store');
  t.is(stream.headers['x-accel-buffering'], 'no');
  t.is(stream.headers['x-content-type-options'], 'nosniff');
  t.is(stream.headers['access-control-allow-origin'], undefined);
  stream.close();
});

test('security 48: a sign-out on one node ends the open streams of every domain on the other node at once', async (t) => {
  const { session, browser, stream } = await openFor(second.port);
  const sports = await openStream(second.port, `${SPORTS}${EVENTS}`, { Cookie: String(session.cookies['sports']) });
  await sports.opened;
  const stranger = await openFor(second.port);
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/logout`)).status, 204);
  t.true((await stream.ended).endsWith('event: signed-out\ndata: {}\n\n'));
  t.true((await sports.ended).endsWith('event: signed-out\ndata: {}\n\n'));
  t.is((await stranger.browser.me(NEWS)).status, 200);
  const still = await Promise.race([stranger.stream.ended, Promise.resolve('open')]);
  t.is(still, 'open');
  stranger.stream.close();
});

test('security 52: ending a session from the list of sessions ends its streams', async (t) => {
  const { account, session, stream } = await openFor(second.port);
  const { db, sessions } = server.services;
  await db.transaction((q) =>
    sessions.revoke(
      q,
      { id: session.id, realmId: account.realmId, accountId: account.id },
      { reason: 'ended-by-owner', address: null },
    ),
  );
  t.true((await stream.ended).includes('event: signed-out'));
});

test('a session that ended without an announcement is found by the next check of the streams', async (t) => {
  const { session, stream } = await openFor(server.port);
  await server.services.db.builder('sessions').where({ id: session.id }).delete();
  await server.services.streams.check();
  t.true((await stream.ended).includes('event: signed-out'));
});

test('the event stream is refused with 401 to who is not signed in, and with 403 to another site', async (t) => {
  const { browser } = await signedInBrowser(server);
  const anonymous = await server.browser().fetch(`${NEWS}${EVENTS}`);
  t.is(anonymous.status, 401);
  t.is(anonymous.headers['content-type'], 'application/json; charset=utf-8');
  for (const headers of [
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: 'https://evil.test' },
    { Origin: SPORTS },
  ]) {
    t.is((await browser.fetch(`${NEWS}${EVENTS}`, { headers })).status, 403, JSON.stringify(headers));
  }
});

test('a stream that is opened while its session is being signed out ends all the same', async (t) => {
  const readers = await Promise.all(Array.from({ length: 20 }, () => signedInBrowser(server)));
  const outcomes = await Promise.all(
    readers.map(async ({ session, browser }) => {
      const [stream] = await Promise.all([
        openStream(second.port, `${NEWS}${EVENTS}`, { Cookie: String(session.cookies['news']) }),
        browser.fetch(`${SPORTS}/api/auth/v1/logout`),
      ]);
      return stream.status === 401 ? '401' : (await stream.ended).includes('event: signed-out') ? 'told' : 'silent';
    }),
  );
  t.true(
    outcomes.every((outcome) => outcome === '401' || outcome === 'told'),
    outcomes.join(),
  );
});

test('one session holds at most 50 streams on a node; a further one takes the place of the oldest', async (t) => {
  const { session, stream: oldest } = await openFor(server.port);
  const headers = { Cookie: String(session.cookies['news']) };
  const more = await Promise.all(
    Array.from({ length: 50 }, () => openStream(server.port, `${NEWS}${EVENTS}`, headers)),
  );
  t.false((await oldest.ended).includes('signed-out'));
  for (const stream of more) stream.close();
});

test('a stream ends when its tab is closed, though that only says that nothing more will be asked', async (t) => {
  const { session } = await signedInBrowser(server);
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  socket.write(`GET ${EVENTS} HTTP/1.1\r\nHost: ${HOSTS.news}\r\nCookie: ${session.cookies['news']}\r\n\r\n`);
  await until(() => text.includes('retry: '));
  socket.end();
  await once(socket, 'close');
  t.false(text.includes('signed-out'));
});

test('closing the server ends its streams without saying that anybody signed out', async (t) => {
  const third = await startTestServer({ database: server.database });
  const { stream, browser } = await openFor(third.port);
  t.is(third.services.streams.count(), 1);
  await third.close();
  const text = await stream.ended;
  t.true(text.startsWith('retry: '));
  t.false(text.includes('signed-out'));
  t.is((await browser.me(NEWS)).status, 200);
  t.truthy(browser.jarOf(HOSTS.news).get('qt-auth'));
});
