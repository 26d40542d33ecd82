import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { beginSession, countRows, keepIn, signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const [NEWS, SPORTS, AUTH] = [originOf('news'), originOf('sports'), originOf('auth')];
const SITES = [NEWS, SPORTS, AUTH];

/** Statuses of users/me on every site and both nodes. */
async function statuses(browser: ReturnType<typeof server.browser>, cookies?: Record<string, string>) {
  const nodes = [server.browser([server.port]), server.browser([second.port])];
  const found = new Set<number>();
  for (const node of nodes)
    for (const site of SITES) {
      const name = Object.entries(HOSTS).find(([, host]) => site.endsWith(host))?.[0] ?? '';
      found.add(
        (await node.me(site, { cookies: cookies?.[name] ?? (browser.cookieHeader(new URL(site).host) || null) }))
          .status,
      );
    }
  return [...found];
}

test('security 48, 68: signing out on one domain ends the session on every domain and node, and the next answer there clears the cookie', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  t.deepEqual(await statuses(browser, session.cookies), [200]);
  t.is((await browser.fetch(`${SPORTS}/api/auth/v1/logout`)).status, 204);
  t.deepEqual(await statuses(browser, session.cookies), [401]);
  const next = await browser.me(NEWS);
  t.true(next.cookies.some((line) => line.startsWith('qt-auth=; Max-Age=0')));
  t.true(next.cookies.some((line) => line.startsWith('__Host-qt-auth=; Max-Age=0')));
  t.is(browser.jarOf(HOSTS.news).get('qt-auth'), undefined);
  const authorize = await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: `${NEWS}/` });
  t.true(authorize.hops.at(-1)?.startsWith(`${AUTH}/login?`));
});

test("security 48: one sign-out leaves the reader's other browsers signed in", async (t) => {
  const { account, browser } = await signedInBrowser(server);
  const other = await beginSession(server, account);
  await browser.fetch(`${NEWS}/api/auth/v1/logout`);
  t.deepEqual(await statuses(browser, other.cookies), [200]);
});

test('security 49: a disabled account is signed out everywhere from the next request on, and cannot sign in or redeem a code', async (t) => {
  const { account, session, browser } = await signedInBrowser(server, ['auth', 'sports']);
  const started = await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: `${NEWS}/` });
  const coded = await browser.navigate(String(started.location), { from: NEWS });
  t.true(coded.location?.includes('code='));
  await server.services.db.builder('accounts').where({ id: account.id }).update({ disabled_at: new Date() });
  t.deepEqual(await statuses(browser, { ...session.cookies, news: 'x=y' }), [401]);
  await browser.navigate(String(coded.location), { from: AUTH });
  t.is((await browser.me(NEWS)).status, 401);
  t.is((await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 401);
  t.is((await browser.fetch(`${SPORTS}/api/auth/v1/events`)).status, 401);
});

test('security 49, 206: a deleted account takes its sessions, codes and sign-in with it', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const other = await beginSession(server, account);
  const started = await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: `${NEWS}/` });
  const coded = await browser.navigate(String(started.location), { from: NEWS });
  const answer = await browser.fetch(`${SPORTS}/api/auth/v1/users/me`, { method: 'DELETE' });
  t.is(answer.status, 200);
  t.deepEqual(await statuses(browser, session.cookies), [401]);
  t.deepEqual(await statuses(browser, other.cookies), [401]);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
  await browser.navigate(String(coded.location), { from: AUTH });
  t.is((await browser.me(NEWS)).status, 401);
  t.is((await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 401);
});

test('security 206: another site cannot delete an account, and neither can a form', async (t) => {
  const { browser } = await signedInBrowser(server);
  for (const headers of [
    { Origin: 'https://evil.test' },
    { Origin: SPORTS },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' },
  ]) {
    t.is(
      (await browser.fetch(`${NEWS}/api/auth/v1/users/me`, { method: 'DELETE', headers })).status,
      403,
      JSON.stringify(headers),
    );
  }
  t.is(
    (
      await browser.fetch(`${NEWS}/api/auth/v1/users/me`, {
        method: 'POST',
        body: '_method=DELETE',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      })
    ).status,
    405,
  );
  t.is(
    (await browser.fetch(`${NEWS}/api/auth/v1/users/me`, { headers: { 'X-HTTP-Method-Override': 'DELETE' } })).status,
    200,
  );
});

test('security 49: an operator who ends all sessions of a reader ends them on both nodes', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const other = await beginSession(server, account);
  const { db, sessions } = server.services;
  const ended = await db.transaction((q) =>
    sessions.revokeAllOf(q, { realmId: account.realmId, accountId: account.id }, { reason: 'operator', address: null }),
  );
  t.is(ended, 2);
  t.deepEqual(await statuses(browser, session.cookies), [401]);
  t.deepEqual(await statuses(browser, other.cookies), [401]);
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'session.revoked' }), 2);
});

test('security 49: a session row that is deleted in the database is over, whoever deleted it', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  await server.services.db.builder('sessions').where({ id: session.id }).delete();
  t.deepEqual(await statuses(browser, session.cookies), [401]);
});

test('security 52: a reader sees own sessions with device and time, and nothing in the list is a credential', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const other = await beginSession(server, account, ['news']);
  const stranger = await signedInBrowser(server);
  const { sessions } = (await browser.fetch(`${NEWS}/api/auth/v1/sessions`)).json();
  t.deepEqual(sessions.map(({ id }: { id: string }) => id).sort(), [session.id, other.id].sort());
  for (const entry of sessions) {
    t.deepEqual(Object.keys(entry).sort(), [
      'created-at',
      'current',
      'domain',
      'domains',
      'id',
      'ip',
      'last-seen-at',
      'user-agent',
    ]);
    t.is(entry.current, entry.id === session.id);
    t.is((await browser.me(NEWS, { cookies: null, headers: { 'x-qt-auth': entry.id } })).status, 401);
    t.is((await browser.me(NEWS, { cookies: `qt-auth=${entry.id}; __Host-qt-auth=${entry.id}` })).status, 401);
  }
  const text = JSON.stringify(sessions);
  for (const { token, companion } of [
    ...Object.values(session.credentials),
    ...Object.values(other.credentials),
    ...Object.values(stranger.session.credentials),
  ]) {
    t.false(text.includes(token) || text.includes(companion));
  }
});

test('security 52: a reader ends one other session, or all others, and keeps the own', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const others = await Promise.all([
    beginSession(server, account),
    beginSession(server, account),
    beginSession(server, account),
  ]);
  keepIn(server.browser(), others[0] as (typeof others)[0]);
  const [first, ...rest] = others;
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/sessions/${first?.id}`, { method: 'DELETE' })).status, 200);
  t.deepEqual(await statuses(browser, first?.cookies), [401]);
  for (const { cookies } of rest) t.deepEqual(await statuses(browser, cookies), [200]);
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/sessions?others=true`, { method: 'DELETE' })).json().ended, 2);
  for (const { cookies } of rest) t.deepEqual(await statuses(browser, cookies), [401]);
  t.deepEqual(await statuses(browser, session.cookies), [200]);
});

test('security 52: the sessions of somebody else cannot be ended, and look as if they did not exist', async (t) => {
  const [{ browser }, stranger] = [await signedInBrowser(server), await signedInBrowser(server)];
  const unknown = await browser.fetch(`${NEWS}/api/auth/v1/sessions/00000000-0000-7000-8000-000000000000`, {
    method: 'DELETE',
  });
  t.is(unknown.status, 404);
  for (const id of [
    stranger.session.id,
    `${stranger.session.id}x`,
    stranger.session.id.toUpperCase(),
    '%00',
    "'",
    '..%2fme',
  ]) {
    const answer = await browser.fetch(`${NEWS}/api/auth/v1/sessions/${id}`, { method: 'DELETE' });
    t.is(answer.status, 404, id);
    t.is(answer.text, unknown.text);
  }
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/sessions?others=false`, { method: 'DELETE' })).status, 400);
  t.is(
    (
      await browser.fetch(`${NEWS}/api/auth/v1/sessions`, {
        method: 'DELETE',
        headers: { Origin: 'https://evil.test' },
      })
    ).status,
    403,
  );
  t.deepEqual(await statuses(stranger.browser, stranger.session.cookies), [200]);
});

test('security 55: users/me has the keys of the contract and no others', async (t) => {
  const { browser } = await signedInBrowser(server);
  for (const path of ['users/me', 'sessions/validate']) {
    const body = (await browser.fetch(`${NEWS}/api/auth/v1/${path}`)).json();
    t.deepEqual(Object.keys(body.user).sort(), [
      'avatar-s3-key',
      'avatar-url',
      'communication-email',
      'created-at',
      'email',
      'first-name',
      'id',
      'is-tfa-enabled',
      'last-name',
      'login-phone-number',
      'metadata',
      'name',
      'phone-number',
      'slug',
      'updated-at',
      'username',
      'verification-status',
    ]);
    t.deepEqual(
      Object.keys(body).sort(),
      path === 'users/me' ? ['active-sessions-count', 'source', 'user'] : ['sessions', 'user'],
    );
  }
});
