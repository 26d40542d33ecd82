import test from 'ava';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { beginSession, countRows, inTurns, keepIn, signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, SPORTS, AUTH] = [originOf('news'), originOf('sports'), originOf('auth')];

test('security 45: cookies that were planted before a sign-in are worth nothing after it', async (t) => {
  const [attacker, victim] = [await signedInBrowser(server), await server.makeAccount()];
  const browser = server.browser();
  keepIn(browser, attacker.session);
  const planted = browser.cookieHeader(HOSTS.news);
  const answer = await browser.post(`${NEWS}/api/auth/v1/login`, { email: victim.email, password: PASSWORD });
  t.is(answer.status, 200);
  const [before, after] = [attacker.session.credentials['news'], browser.jarOf(HOSTS.news)];
  t.not(after.get('qt-auth'), before?.token);
  t.not(after.get('__Host-qt-auth'), before?.companion);
  t.is((await browser.me(NEWS)).json().user.email, victim.email);
  // Another reader's sign-in on this browser ended the session it held, on every domain.
  t.is((await attacker.browser.me(NEWS, { cookies: planted })).status, 401);
  t.is((await attacker.browser.me(SPORTS)).status, 401);
});

test('security 45: ids that nobody has issued are not adopted', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const jar = browser
    .jarOf(HOSTS.news)
    .set('qt-auth', 'A'.repeat(43))
    .set('__Host-qt-auth', 'B'.repeat(43))
    .set('__Host-qt-device', 'x');
  t.is((await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 200);
  t.not(jar.get('qt-auth'), 'A'.repeat(43));
  t.not(jar.get('__Host-qt-auth'), 'B'.repeat(43));
  t.not(jar.get('__Host-qt-device'), 'x');
  t.is(
    (await browser.me(NEWS, { cookies: `qt-auth=${'A'.repeat(43)}; __Host-qt-auth=${'B'.repeat(43)}` })).status,
    401,
  );
});

test('security 45: signing in again as the same reader renews the token of this host and leaves the other domains signed in', async (t) => {
  const { account, session, browser } = await signedInBrowser(server);
  const old = String(session.cookies['news']);
  t.is((await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 200);
  t.is((await browser.me(NEWS)).status, 200);
  t.is((await browser.me(NEWS, { cookies: old })).status, 401);
  t.is((await browser.me(SPORTS)).status, 200);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 1);
});

test('security 45: the hosted page gives the browser new cookies and a new form token at sign-in', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const page = await browser.navigate(`${AUTH}/login`);
  const before = new Map(browser.jarOf(HOSTS.auth));
  t.is((await browser.submit(page, { identifier: account.email, password: PASSWORD })).status, 303);
  const after = browser.jarOf(HOSTS.auth);
  t.truthy(before.get('__Host-qt-browser'));
  t.not(after.get('__Host-qt-browser'), before.get('__Host-qt-browser'));
  t.truthy(after.get('qt-auth'));
  // The form from before the sign-in is worthless, with the old cookies and with the new.
  const other = await server.makeAccount();
  const now = after.get('qt-auth');
  const again = await browser.submit(page, { identifier: other.email, password: PASSWORD });
  t.is(again.status, 403);
  // The same reader's second click goes on to where the first one led, and changes nothing.
  t.is((await browser.submit(page, { identifier: account.email, password: 'wrong' })).status, 303);
  t.is(after.get('qt-auth'), now);
  t.is(await countRows(server, 'sessions', { account_id: other.id }), 0);
});

test('security 45: signing up while signed in ends the session that the browser held', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const answer = await browser.post(`${NEWS}/api/auth/v1/signup`, {
    email: `fresh-${session.id}@example.com`,
    password: PASSWORD,
    name: 'Fresh',
  });
  t.is(answer.status, 200);
  t.is((await browser.me(NEWS, { cookies: String(session.cookies['news']) })).status, 401);
  t.is((await browser.me(SPORTS)).status, 401);
});

test('security 46: 1,000 ids are unique, 43 characters of base64url, and stored as hashes alone', async (t) => {
  const account = await server.makeAccount();
  const made: Awaited<ReturnType<typeof beginSession>>[] = [];
  await inTurns(1000, 6, async () => void made.push(await beginSession(server, account, ['news'])));
  const secrets = made.flatMap(({ credentials }) =>
    Object.values(credentials).flatMap(({ token, companion }) => [token, companion]),
  );
  t.is(new Set(secrets).size, 2000);
  t.true(secrets.every((secret) => /^[A-Za-z0-9_-]{43}$/.test(secret)));
  const rows = await server.services.db
    .builder('domain_sessions')
    .select('token_hash', 'companion_hash')
    .whereIn(
      'session_id',
      made.map(({ id }) => id),
    );
  t.is(rows.length, 1000);
  t.true(rows.every((row) => row.token_hash.length === 32 && row.companion_hash.length === 32));
});

test('security 46: a token that is shortened, lengthened, changed in one bit or in case is no token', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  const { token, companion } = session.credentials['news'] as { token: string; companion: string };
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const flip = (value: string, at: number) =>
    `${value.slice(0, at)}${alphabet[alphabet.indexOf(value[at] as string) ^ 1]}${value.slice(at + 1)}`;
  const variants = (value: string) =>
    [
      value.slice(0, -1),
      value.slice(1),
      value.slice(0, 22),
      `${value}A`,
      `A${value}`,
      `${value}=`,
      ` ${value} x`,
      value.toLowerCase(),
      value.toUpperCase(),
      ...[0, 20, 41, 42].map((at) => flip(value, at)),
      encodeURIComponent(`${value}\n`),
      `%41${value.slice(1)}`,
    ].filter((variant) => variant !== value);
  for (const variant of variants(token)) {
    t.is((await browser.me(NEWS, { cookies: `qt-auth=${variant}; __Host-qt-auth=${companion}` })).status, 401, variant);
    t.is((await browser.me(NEWS, { cookies: null, headers: { 'x-qt-auth': variant } })).status, 401, variant);
  }
  for (const variant of variants(companion))
    t.is((await browser.me(NEWS, { cookies: `qt-auth=${token}; __Host-qt-auth=${variant}` })).status, 401, variant);
  t.is((await browser.me(NEWS, { cookies: String(session.cookies['news']) })).status, 200);
});

test('security 46: nothing in the database is a live token, a code, a flow secret or a password', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const arrived = await browser.signInThrough(NEWS, account, PASSWORD, 'news');
  const code = arrived.hops.map((hop) => new URL(hop).searchParams.get('code')).find(Boolean);
  const cookies = [...browser.jars.values()].flatMap((jar) =>
    [...jar].filter(([name]) => !/quiet/.test(name)).map(([, value]) => value),
  );
  const secrets = [PASSWORD, code as string, ...cookies];
  t.true(secrets.length >= 7);
  const { db } = server.services;
  const tables = await db.builder('pg_tables').pluck('tablename').where({ schemaname: 'public' });
  let bytes = 0;
  for (const table of tables) {
    const { rows } = await db.builder.raw('select t::text as line from ?? t', [table]);
    const dump = rows.map((row: { line: string }) => row.line).join('\n');
    bytes += dump.length;
    for (const secret of secrets) {
      t.false(dump.includes(secret), table);
      t.false(dump.includes(Buffer.from(secret).toString('hex')), table);
      t.false(dump.includes(Buffer.from(secret, 'base64url').toString('hex')), table);
    }
  }
  t.true(bytes > 1000);
});
