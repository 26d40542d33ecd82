import test from 'ava';
import { send } from '../support/browser.ts';
import { HOSTS, originOf, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { getRaw, sendRaw } from '../support/sockets.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const NEWS = originOf('news');
const ME = '/api/auth/v1/users/me';

const ENDPOINTS = [
  ['GET', ME],
  ['GET', '/api/auth/v1/logout'],
  ['GET', '/api/auth/v1/sessions'],
  ['GET', '/api/auth/v1/sessions/validate'],
  ['GET', '/api/auth/v1/oauth/authorize?client_id=news'],
  ['GET', '/api/auth/v1/oauth/auto-sso/authorize?client_id=news'],
  ['GET', '/api/auth/v1/oauth/token?code=x'],
  ['GET', '/api/auth/v1/events'],
  ['GET', '/api/auth/v1/sdk.js'],
  ['POST', '/api/auth/v1/login'],
  ['POST', '/api/auth/v1/signup'],
  ['POST', '/api/auth/v1/users/profile'],
  ['GET', '/'],
  ['GET', '/login'],
  ['POST', '/login'],
  ['GET', '/signup'],
  ['GET', '/logout'],
  ['GET', '/nothing'],
] as const;

for (const [method, path] of ENDPOINTS) {
  test(`security 32: ${method} ${path} on a host that nobody registered is answered 421 and sets no cookie`, async (t) => {
    for (const host of ['evil.test', 'localhost', `x.${HOSTS.news}`, `${HOSTS.news}.`, `${HOSTS.news}:8443`]) {
      const answer = await send(server.port, `${NEWS}${path}`, {
        method,
        headers: { Host: host, 'Content-Type': 'application/json' },
        ...(method === 'POST' && { body: '{}' }),
      });
      t.true(answer.status === 421 || answer.status === 400, `${host}: ${answer.status}`);
      t.deepEqual(answer.cookies, []);
      t.is(answer.location, null);
    }
  });
}

test('security 32: headers that name another host change nothing about where the server sends a browser', async (t) => {
  const query = new URLSearchParams({
    client_id: 'news',
    redirect_uri: `${NEWS}/api/auth/v1/oauth/token`,
    callback_uri: `${NEWS}/story`,
    response_type: 'code',
  });
  for (const headers of [
    { 'X-Forwarded-Host': 'evil.test' },
    { Forwarded: 'host=evil.test' },
    { 'X-Original-Host': 'evil.test' },
    { 'X-Host': 'evil.test' },
    { 'X-Forwarded-Server': 'evil.test' },
    { 'X-Forwarded-Prefix': '/evil' },
    { 'X-Original-URL': 'http://evil.test/' },
    { 'X-Rewrite-URL': '/evil' },
  ]) {
    const answer = await send(server.port, `${NEWS}/api/auth/v1/oauth/authorize?${query}`, { headers });
    t.is(answer.status, 303);
    t.true(answer.location?.startsWith(`${originOf('auth')}/api/auth/v1/oauth/authorize?`), String(answer.location));
    t.false(/evil/.test(JSON.stringify(answer.headers)));
  }
});

const ODD_HOSTS: readonly [title: string, value: string, status: 400 | 421][] = [
  ['a port that is no number', 'evil.test:fake@a.test', 400],
  ['a user name', `a.test@${HOSTS.news}`, 400],
  ['two names with a comma', `${HOSTS.news},evil.test`, 400],
  ['two names with a space', `${HOSTS.news} evil.test`, 400],
  ['an IPv6 address', '[::1]', 400],
  ['nothing', '', 400],
  ['a label of 300 letters', `${'a'.repeat(300)}.test`, 400],
  ['a label of 64 letters', `${'a'.repeat(64)}.test`, 400],
  ['a slash', `${HOSTS.news}/x`, 400],
  ['a backslash', `${HOSTS.news}\\x`, 400],
  ['an underscore', 'news_test.localhost', 400],
  ['a percent sign', 'news%2etest.localhost', 400],
  ['a port of six digits', `${HOSTS.news}:123456`, 400],
  ['an empty port', `${HOSTS.news}:`, 400],
  ['two ports', `${HOSTS.news}:80:80`, 400],
  ['a port that is not the registered one', `${HOSTS.news}:81`, 421],
  ['the default port of another scheme', `${HOSTS.news}:443`, 421],
];

for (const [title, value, status] of ODD_HOSTS) {
  test(`security 33: a Host with ${title} is answered ${status}`, async (t) => {
    const answer = await getRaw(server.port, ME, [`Host: ${value}`]);
    t.is(answer.status, status);
    t.is(answer.headers['cache-control'], 'no-store');
    t.is(answer.headers['set-cookie'], undefined);
    t.false(answer.body.includes('evil'));
  });
}

test('security 33: white space around a Host belongs to the header line and letters count in either case', async (t) => {
  for (const line of [`Host: ${HOSTS.news}\t`, `Host:   ${HOSTS.news}  `, `Host: ${HOSTS.news.toUpperCase()}`]) {
    t.is((await getRaw(server.port, ME, [line])).status, 401, line);
  }
});

test('security 33: a request without any Host line is refused', async (t) => {
  t.is((await getRaw(server.port, ME, ['Accept: */*'])).status, 400);
  t.is((await sendRaw(server.port, `GET ${ME} HTTP/1.0\r\n\r\n`)).status, 400);
});

test('security 34: more than one Host line is answered 400, equal or not (RFC 9112 §3.2)', async (t) => {
  for (const lines of [
    [`Host: ${HOSTS.news}`, 'Host: evil.test'],
    ['Host: evil.test', `Host: ${HOSTS.news}`],
    [`Host: ${HOSTS.news}`, `host: ${HOSTS.news}`],
  ]) {
    const answer = await getRaw(server.port, ME, lines);
    t.is(answer.status, 400, lines.join());
    t.is(answer.headers['cache-control'], 'no-store');
  }
});

test('security 34: a target in absolute form is answered 400, whatever host it names (RFC 9112 §3.2.2)', async (t) => {
  for (const target of [
    `http://evil.test${ME}`,
    `http://${HOSTS.news}${ME}`,
    `https://${HOSTS.news}${ME}`,
    '*',
    `evil.test${ME}`,
    `HTTP://a@b${ME}`,
  ]) {
    const answer = await getRaw(server.port, target, [`Host: ${HOSTS.news}`]);
    t.is(answer.status, 400, target);
    t.false(answer.body.includes('evil'), target);
  }
});

test('RFC 9112 §3.2.1: a target with a fragment is answered 400, whatever would have answered it without', async (t) => {
  const authorize = `/api/auth/v1/oauth/authorize?${new URLSearchParams({ client_id: 'news', redirect_uri: `${NEWS}/api/auth/v1/oauth/token` })}`;
  // Once it is known, a hop is answered in front of the general way.
  for (let time = 0; time < 2; time++)
    t.is((await getRaw(server.port, authorize, [`Host: ${HOSTS.news}`])).status, 303);
  for (const target of [`${authorize}&state=a#b`, `${authorize}#`, `${ME}#`, `${ME}?a#b`, '/#', '#'])
    for (const more of [[], ['X-Purpose: none']])
      t.is((await getRaw(server.port, target, [`Host: ${HOSTS.news}`, ...more])).status, 400, target);
});

test('security 34: a target that begins with two slashes names no other host', async (t) => {
  const answer = await getRaw(server.port, `//evil.test${ME}`, [`Host: ${HOSTS.news}`]);
  t.is(answer.status, 404);
  t.false(JSON.stringify(answer).includes('evil'));
});

test('security 33, 34: refused hosts write nothing into the database', async (t) => {
  const before = await countRows(server, 'audit_events', {});
  await getRaw(server.port, '/api/auth/v1/oauth/authorize?client_id=news', ['Host: evil.test']);
  t.is(await countRows(server, 'audit_events', {}), before);
});
