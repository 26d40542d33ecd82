import { request } from 'node:http';
import test from 'ava';
import { send } from '../support/browser.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { beginSession, signedInBrowser } from '../support/signed_in.ts';
import { getRaw, openStream } from '../support/sockets.ts';
import { API, AUTH, isCleared, isFailure, isSuccess, NEWS, plainUser } from './wire.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const VALIDATE = `${NEWS}${API}/sessions/validate`;
const SESSION_KEYS = ['id', 'domain', 'created-at', 'last-seen-at', 'user-agent', 'ip', 'current'];

test('contract §2: sessions/validate answers user and sessions, to GET and POST, by cookie and by header', async (t) => {
  const { account, session } = await signedInBrowser(server);
  const token = String(session.credentials['news']?.token);
  for (const method of ['GET', 'POST']) {
    for (const headers of [{ Cookie: String(session.cookies['news']) }, { 'X-QT-AUTH': token }]) {
      const body = isSuccess(t, await send(server.port, VALIDATE, { method, headers }));
      t.deepEqual(Object.keys(body), ['user', 'sessions']);
      t.deepEqual(body['user'], plainUser(account));
      t.is((body['sessions'] as unknown[]).length, 1);
    }
  }
});

test('contract §2: POST sessions/validate takes an empty body, a missing content type, and whatever else is sent', async (t) => {
  const { session } = await signedInBrowser(server);
  const token = String(session.credentials['news']?.token);
  const bare = await postWithoutAnything(token);
  t.is(bare, 200);
  for (const more of [
    { headers: { 'Content-Length': '0' } },
    { headers: { 'Content-Type': 'application/json' }, body: '{}' },
    { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'a=b' },
    { headers: { 'Content-Type': 'text/plain;charset=UTF-8' }, body: '' },
  ]) {
    const answer = await send(server.port, VALIDATE, {
      method: 'POST',
      ...more,
      headers: { ...more.headers, 'x-qt-auth': token },
    });
    isSuccess(t, answer);
  }
});

test('contract §2: sessions/validate without, with a dead and with a broken credential is 401', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const token = String(session.credentials['news']?.token);
  await browser.fetch(`${NEWS}${API}/logout`);
  for (const method of ['GET', 'POST']) {
    for (const headers of [{}, { 'x-qt-auth': token }, { 'x-qt-auth': 'dummy' }, { 'x-qt-auth': `${token}x` }]) {
      isFailure(t, await send(server.port, VALIDATE, { method, headers }), 401);
    }
  }
});

test('contract §2: sessions lists every browser of the account, times in milliseconds, the asking one as current', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const other = await beginSession(server, account, ['sports']);
  const { sessions } = isSuccess(t, await browser.fetch(`${NEWS}${API}/sessions`)) as {
    sessions: Record<string, unknown>[];
  };
  t.deepEqual(sessions.map(({ id }) => String(id)).sort(), [session.id, other.id].map(String).sort());
  for (const one of sessions) {
    for (const key of SESSION_KEYS) t.true(key in one, key);
    t.true(Number.isSafeInteger(one['created-at']) && Number.isSafeInteger(one['last-seen-at']));
    t.is(one['user-agent'], 'Test');
    t.is(one['ip'], '127.0.0.1');
    t.is(one['current'], one['id'] === session.id);
    t.is(one['domain'], one['id'] === session.id ? HOSTS.auth : HOSTS.sports);
  }
});

test('contract §2: DELETE sessions/:id ends that session alone; an unknown or foreign id is 404', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  const other = await beginSession(server, account, ['sports']);
  const stranger = await signedInBrowser(server);
  for (const id of [stranger.session.id, '00000000-0000-7000-8000-000000000000', 'no-uuid', 'validate2']) {
    isFailure(t, await browser.fetch(`${NEWS}${API}/sessions/${id}`, { method: 'DELETE' }), 404);
  }
  const ended = await browser.fetch(`${NEWS}${API}/sessions/${other.id}`, { method: 'DELETE' });
  t.deepEqual(Object.keys(isSuccess(t, ended)), ['message']);
  isFailure(t, await browser.fetch(`${NEWS}${API}/sessions/${other.id}`, { method: 'DELETE' }), 404);
  t.is((await browser.me(NEWS)).status, 200);
  t.is((await stranger.browser.me(NEWS)).status, 200);
});

test('contract §2: DELETE sessions?others=true ends all but the asking one; without it nothing happens', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  await beginSession(server, account);
  await beginSession(server, account);
  const count = async () => (await browser.me(NEWS)).json()['active-sessions-count'];
  for (const query of ['', '?others=false', '?others=']) {
    isFailure(t, await browser.fetch(`${NEWS}${API}/sessions${query}`, { method: 'DELETE' }), 400);
  }
  t.is(await count(), 3);
  const body = isSuccess(t, await browser.fetch(`${NEWS}${API}/sessions?others=true`, { method: 'DELETE' }));
  t.is(body['ended'], 2);
  t.is(await count(), 1);
  isFailure(t, await send(server.port, `${NEWS}${API}/sessions?others=true`, { method: 'DELETE' }), 401);
});

test('contract §2: logout is 204 without a body or its type, clears qt-auth and ends every domain', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const Cookie = String(session.cookies['news']);
  const answer = await getRaw(server.port, `${API}/logout`, [`Host: ${HOSTS.news}`, `Cookie: ${Cookie}`]);
  t.is(answer.status, 204);
  t.is(answer.body, '');
  t.is(answer.headers['content-type'], undefined);
  t.is(answer.headers['content-length'], undefined);
  t.is(answer.headers['cache-control'], 'no-store');
  for (const site of [NEWS, AUTH]) t.is((await browser.me(site)).status, 401);
});

test('contract §2: logout by header, with a dead session and with nothing at all is 204 and clears qt-auth', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const url = `${NEWS}${API}/logout`;
  const headers = { 'x-qt-auth': String(session.credentials['news']?.token) };
  for (const more of [{ headers }, { headers }, { headers: { Cookie: String(session.cookies['news']) } }, {}]) {
    const answer = await send(server.port, url, more);
    t.is(answer.status, 204);
    t.is(answer.text, '');
    isCleared(t, answer);
    t.is((await browser.me(AUTH)).status, 401);
  }
});

test('contract §2: events is an event stream for a signed-in reader and a JSON 401 for anybody else', async (t) => {
  const { session } = await signedInBrowser(server);
  const stream = await openStream(server.port, `${NEWS}${API}/events`, {
    Cookie: String(session.cookies['news']),
    Accept: 'text/event-stream',
  });
  await stream.opened;
  t.is(stream.status, 200);
  t.is(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
  t.is(stream.headers['cache-control'], 'no-store');
  t.is(
    (await send(server.port, `${NEWS}${API}/logout`, { headers: { Cookie: String(session.cookies['news']) } })).status,
    204,
  );
  t.true((await stream.ended).endsWith('event: signed-out\ndata: {}\n\n'));
  isFailure(t, await send(server.port, `${NEWS}${API}/events`, { headers: { Accept: 'text/event-stream' } }), 401);
});

test('contract §2: sdk.js is a script for every host, cacheable, and confirmed by its tag', async (t) => {
  for (const site of [NEWS, AUTH]) {
    const answer = await send(server.port, `${site}${API}/sdk.js`);
    t.is(answer.status, 200);
    t.is(answer.headers['content-type'], 'text/javascript; charset=utf-8');
    t.is(answer.headers['cache-control'], 'public, max-age=300');
    t.deepEqual(answer.cookies, []);
    t.true(answer.text.length > 500);
    const again = await send(server.port, `${site}${API}/sdk.js`, {
      headers: { 'If-None-Match': String(answer.headers['etag']) },
    });
    t.is(again.status, 304);
    t.is(again.text, '');
  }
});

/** A POST with neither body, nor length, nor type: what the plainest of clients sends. */
function postWithoutAnything(token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { Host: HOSTS.news, 'x-qt-auth': token };
    const options = {
      host: '127.0.0.1',
      port: server.port,
      method: 'POST',
      path: `${API}/sessions/validate`,
      headers,
      setHost: false,
      agent: false,
    };
    const asked = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.removeHeader('Content-Length');
    asked.removeHeader('Transfer-Encoding');
    asked.on('error', reject);
    asked.end();
  });
}
