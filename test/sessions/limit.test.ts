// The most sessions of an account at once: who has to go, and who is asked.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { postJson } from '../support/raw.ts';
import { type HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';

const UNLIMITED = 'sign_in_per_account: 100000/1h, sign_in_per_address: 100000/1h';
const realmOf = (slug: string, over: string) =>
  REALM_YAML.replaceAll('test.localhost', `${slug}.localhost`)
    .replace('slug: test', `slug: ${slug}`)
    .replace('signup: open', `signup: open, sessions_max: 3, sessions_over: ${over}, ${UNLIMITED}`);

const server = await startTestServer();
await server.apply(realmOf('out', 'oldest-out'));
await server.apply(realmOf('ask', 'ask'));
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
type Slug = 'out' | 'ask';
const at = (slug: Slug, site: keyof typeof HOSTS) => originOf(site).replace('test.', `${slug}.`);
const makeAccount = (realm: Slug) => server.makeAccount({ realm, name: 'Robin Reader' });

/** A browser that signs in by script on a site. */
async function signIn(slug: Slug, account: { email: string }, ports: readonly number[] = [server.port]) {
  const browser = server.browser(ports);
  const answer = await browser.post(`${at(slug, 'news')}/api/auth/v1/login`, {
    email: account.email,
    password: PASSWORD,
  });
  const status = async () => (await browser.me(at(slug, 'news'))).status;
  return { browser, answer, status };
}

/** A browser that signs in on the hosted page, and the answer to its form. */
async function signInOnPage(slug: Slug, account: { email: string }, startAt?: string) {
  const browser = server.browser();
  const page = startAt
    ? await browser.follow(startAt, { from: at(slug, 'news') })
    : await browser.navigate(`${at(slug, 'auth')}/login`);
  const answer = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  const open = () => browser.navigate(new URL(String(answer.location), at(slug, 'auth')).href);
  const status = async () => (await browser.me(at(slug, 'auth'))).status;
  return { browser, answer, open, status };
}

test('security 51: with three sessions allowed the fourth sign-in ends the first, on every host and node, and tells why', async (t) => {
  const account = await makeAccount('out');
  const browsers = [];
  for (const _ of [1, 2, 3, 4]) browsers.push(await signIn('out', account));
  t.deepEqual(await Promise.all(browsers.map(({ status }) => status())), [401, 200, 200, 200]);
  t.like(browsers[3]?.answer.json(), { 'active-sessions-count': 3, 'sessions-max': 3 });
  const other = second.browser();
  const cookies = browsers[0]?.answer.cookies.map((line) => line.split(';')[0]).join('; ') ?? '';
  t.is((await other.me(at('out', 'news'), { cookies })).status, 401);
  const [event] = await server.services.db
    .builder('audit_events')
    .where({ account_id: account.id, type: 'session.revoked' });
  t.deepEqual(event.detail, { reason: 'limit' });
});

test('security 51: twenty sign-ins at once on two nodes never leave more than three sessions', async (t) => {
  const account = await makeAccount('out');
  let isOver = false;
  const count = async () => {
    while (!isOver) t.true((await countRows(server, 'sessions', { account_id: account.id })) <= 3);
  };
  const counting = count();
  const ports = [server.port, second.port];
  const browsers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => signIn('out', account, [ports[index % 2] as number])),
  );
  isOver = true;
  await counting;
  t.deepEqual([...new Set(browsers.map(({ answer }) => answer.status))], [200]);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 3);
  const statuses = await Promise.all(browsers.map(({ status }) => status()));
  t.is(statuses.filter((status) => status === 200).length, 3);
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'session.revoked' }), 17);
});

test('security 51: signing in again within a session costs no other session its place', async (t) => {
  const account = await makeAccount('out');
  const browsers = [await signIn('out', account), await signIn('out', account), await signIn('out', account)];
  const { browser } = browsers[2] ?? (await signIn('out', account));
  const again = { email: account.email, password: PASSWORD };
  t.is((await browser.post(`${at('out', 'news')}/api/auth/v1/login`, again)).status, 200);
  t.deepEqual(await Promise.all(browsers.map(({ status }) => status())), [200, 200, 200]);
});

test('without a limit, the default, nobody goes and no answer names one', async (t) => {
  const account = await server.makeAccount();
  for (const _ of [1, 2, 3, 4, 5]) {
    const answer = await postJson(server.port, `${originOf('news')}/api/auth/v1/login`, {
      email: account.email,
      password: PASSWORD,
    });
    t.false('sessions-max' in answer.json());
  }
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 5);
});

test('asked: a script signs in beyond the limit, is told both numbers, and can end the others', async (t) => {
  const account = await makeAccount('ask');
  const browsers = [];
  for (const _ of [1, 2, 3, 4]) browsers.push(await signIn('ask', account));
  const last = browsers[3];
  t.like(last?.answer.json(), { 'active-sessions-count': 4, 'sessions-max': 3 });
  const ended = await last?.browser.fetch(`${at('ask', 'news')}/api/auth/v1/sessions?others=true`, {
    method: 'DELETE',
  });
  t.is(ended?.json().ended, 3);
  t.deepEqual(await Promise.all(browsers.map(({ status }) => status())), [401, 401, 401, 200]);
});

test('asked: on the hosted page the fourth sign-in signs nobody in until the reader has chosen to sign the others out', async (t) => {
  const account = await makeAccount('ask');
  const browsers = [await signIn('ask', account), await signIn('ask', account), await signIn('ask', account)];
  const start = authorizeUrl(at('ask', 'news'), 'news', `${at('ask', 'news')}/story`);
  const { browser, answer, open, status } = await signInOnPage('ask', account, start);
  t.is(answer.status, 303);
  t.regex(String(answer.location), /^\/login\/sessions\?request_handle=/);
  t.is(await status(), 401);
  t.deepEqual(await Promise.all(browsers.map((one) => one.status())), [200, 200, 200]);
  t.is((await browsers[0]?.browser.me(at('ask', 'news')))?.json()['active-sessions-count'], 3);

  const page = await open();
  t.is(page.status, 200);
  t.is(page.text.split('Last seen').length - 1, 3);
  const chosen = await browser.submit(page, { answer: 'continue' });
  t.is(chosen.status, 303);
  t.regex(String(chosen.location), /^\/api\/auth\/v1\/oauth\/authorize/);
  t.is(await status(), 200);
  t.deepEqual(await Promise.all(browsers.map((one) => one.status())), [401, 401, 401]);
  const { hops } = await browser.follow(new URL(String(chosen.location), at('ask', 'auth')).href, {
    from: at('ask', 'auth'),
  });
  t.is(hops.at(-1), `${at('ask', 'news')}/story`);
  t.is((await browser.me(at('ask', 'news'))).json()['active-sessions-count'], 1);
  t.is((await browser.submit(page, { answer: 'continue' })).status, 303, 'a second click goes on');
});

test('asked: a reader who cancels is not signed in, and all other sessions stay', async (t) => {
  const account = await makeAccount('ask');
  const browsers = [await signIn('ask', account), await signIn('ask', account), await signIn('ask', account)];
  const { browser, open, status } = await signInOnPage('ask', account);
  const chosen = await browser.submit(await open(), { answer: 'cancel' });
  t.is(chosen.location, '/login');
  t.is(await status(), 401);
  t.deepEqual(await Promise.all(browsers.map((one) => one.status())), [200, 200, 200]);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 3);
});

test('security 48, 49: a sign-in that waits for an answer is no session, ends with the others, and is answered once', async (t) => {
  const account = await makeAccount('ask');
  for (const _ of [1, 2, 3]) await signIn('ask', account);
  const { browser, open, status } = await signInOnPage('ask', account);
  const held = browser.jarOf(new URL(at('ask', 'auth')).host).get('__Host-qt-held') ?? '';
  t.is(held.length, 43);
  const asHeader = { headers: { 'x-qt-auth': held }, cookies: null };
  t.is((await browser.fetch(`${at('ask', 'auth')}/api/auth/v1/users/me`, asHeader)).status, 401);
  const page = await open();
  const { db, sessions } = server.services;
  const of = { realmId: account.realmId, accountId: account.id };
  await db.transaction((q) => sessions.revokeAllOf(q, of, { reason: 'password-changed', address: null }));
  t.is((await browser.submit(page, { answer: 'continue' })).location, '/');
  t.is(await status(), 401);
});

test('asked: a disabled account gets no session by an answer', async (t) => {
  const account = await makeAccount('ask');
  for (const _ of [1, 2, 3]) await signIn('ask', account);
  const { browser, open, status } = await signInOnPage('ask', account);
  const page = await open();
  await server.services.db.builder('accounts').where({ id: account.id }).update({ disabled_at: new Date() });
  await browser.submit(page, { answer: 'continue' });
  t.is(await status(), 401);
});

test('asked: another site cannot answer for the reader', async (t) => {
  const account = await makeAccount('ask');
  for (const _ of [1, 2, 3]) await signIn('ask', account);
  const { browser, open, status } = await signInOnPage('ask', account);
  await open();
  const url = `${at('ask', 'auth')}/login/sessions`;
  const form = { method: 'POST', body: 'answer=continue' };
  const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const foreign = { ...type, Origin: 'https://evil.test', 'Sec-Fetch-Site': 'cross-site' };
  t.is((await browser.fetch(url, { ...form, headers: foreign })).status, 403);
  t.is((await browser.fetch(url, { ...form, headers: type })).location, '/login/sessions', 'without its token');
  t.is(await status(), 401);
});
