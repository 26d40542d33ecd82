// One-time session tokens: everything that holds for the codes of the session-sharing flow, on their own route.

import test from 'ava';
import type { Browser } from '../support/browser.ts';
import { send } from '../support/browser.ts';
import { HOSTS, originOf, REALM_YAML, type SiteName, startTestServer, type TestServer } from '../support/server.ts';
import { beginSession, countRows, signedInBrowser } from '../support/signed_in.ts';
import {
  AUTH,
  EVIL,
  FLOW,
  flowsOf,
  isReader,
  isRefused,
  landingWith,
  NEWS,
  reachCode,
  SPORTS,
  setsSession,
} from './flow.ts';
import { INTO_THE_API, PAYLOADS } from './payloads.ts';

const YAML = REALM_YAML.replace('signup: open', 'signup: open, session_tokens: "on"');
const first = await startTestServer({ yaml: YAML });
const second = await startTestServer({ database: first.database });
test.after.always(async () => {
  await second.close();
  await first.close();
});
const ISSUE = '/api/auth/v1/sessions/access-token';
const PAGE = `${NEWS}/page`;

const validateUrl = (token: string, site: SiteName = 'news', more: Record<string, string> = {}) =>
  `${originOf(site)}${ISSUE}/validate?${new URLSearchParams({
    'access-token': token,
    'redirect-url': `${originOf(site)}/page`,
    redirect: 'true',
    ...more,
  })}`;

/** Asks for a token as an app does: by header, keeping the flow cookie for its web view. */
async function issueFor(app: Browser, token: string, site: SiteName = 'news'): Promise<string> {
  const answer = await app.post(`${originOf(site)}${ISSUE}`, {}, { headers: { 'x-qt-auth': token } });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.json()['access-token'];
}

/** An app that is signed in on a site and has asked for a token; its jar is that of its web view. */
async function appWithToken(site: SiteName = 'news', server: TestServer = first, ports = [first.port, second.port]) {
  const account = await server.makeAccount();
  const session = await beginSession(server, account, ['auth', 'news', 'sports']);
  const app = server.browser(ports);
  const token = await issueFor(app, String(session.credentials[site]?.token), site);
  return { account, session, app, token };
}

test('contract §2: a session token signs the web view of the app in, on that host, with a session of its own', async (t) => {
  const { account, session, app, token } = await appWithToken();
  await isReader(t, app, NEWS, null);
  const landed = await app.navigate(validateUrl(token));
  t.is(landed.status, 303);
  t.is(landed.location, PAGE);
  t.is(landed.headers['cache-control'], 'no-store');
  t.is(landed.headers['referrer-policy'], 'no-referrer');
  await isReader(t, app, NEWS, account);
  t.not(app.jarOf(HOSTS.news).get('qt-auth'), session.credentials['news']?.token);
  t.is(await countRows(first, 'domain_sessions', { session_id: session.id, host: HOSTS.news }), 2);
  // Part of the same sign-in: it ends with it.
  t.is((await app.fetch(`${NEWS}/api/auth/v1/logout`)).status, 204);
  t.is(await countRows(first, 'sessions', { id: session.id }), 0);
});

test('contract §2: without redirect=true the answer is the user', async (t) => {
  const { account, app, token } = await appWithToken();
  const answer = await app.fetch(validateUrl(token, 'news', { redirect: '' }));
  t.is(answer.status, 200);
  t.true(setsSession(answer));
  t.deepEqual(Object.keys(answer.json()), ['user']);
  t.is(answer.json().user.email, account.email);
  await isReader(t, app, NEWS, account);
});

test('contract §2: a wrong, missing or strange token is 401, as JSON for a script and as a page for a browser', async (t) => {
  const browser = first.browser();
  for (const token of ['', 'x', 'A'.repeat(43), 'A'.repeat(5000), '%00', "' or 1=1--"]) {
    const answer = await browser.fetch(validateUrl(token));
    t.is(answer.status, 401, token);
    t.is(typeof answer.json().error.message, 'string');
    const page = await browser.navigate(validateUrl(token));
    isRefused(t, page, 401);
    t.regex(String(page.headers['content-type']), /^text\/html/);
  }
});

test('contract §2: whoever is not signed in on that host gets no token', async (t) => {
  const { session } = await signedInBrowser(first, ['auth', 'sports']);
  for (const token of ['', 'dummy', 'A'.repeat(43), String(session.credentials['sports']?.token)]) {
    const answer = await first.browser().post(`${NEWS}${ISSUE}`, {}, { headers: { 'x-qt-auth': token } });
    t.is(answer.status, 401, token);
    t.deepEqual(
      answer.cookies.filter((line) => line.startsWith(FLOW) && !line.includes('Max-Age=0')),
      [],
    );
  }
});

test('security 201: session tokens are off by default, in both directions', async (t) => {
  const plain = await startTestServer();
  const { session, browser } = await signedInBrowser(plain);
  const asked = await browser.post(
    `${NEWS}${ISSUE}`,
    {},
    { headers: { 'x-qt-auth': String(session.credentials['news']?.token) } },
  );
  t.is(asked.status, 403);
  t.deepEqual(asked.cookies, []);
  isRefused(t, await browser.navigate(validateUrl('A'.repeat(43))), 401);
  t.is(await countRows(plain, 'authorization_codes', { kind: 'session-token' }), 0);
  await plain.close();
});

test('security 201: switched off again, a token that is out is worth nothing', async (t) => {
  const server = await startTestServer({ yaml: YAML });
  const { app, token } = await appWithToken('news', server, [server.port]);
  await server.apply(REALM_YAML.replace('signup: open', 'signup: open, session_tokens: "off"'));
  const browser = server.browser();
  for (const [name, value] of app.jarOf(HOSTS.news)) browser.jarOf(HOSTS.news).set(name, value);
  isRefused(t, await browser.navigate(validateUrl(token)), 401);
  await server.close();
});

test('security 201, item 1: a token of an attacker signs nobody else in, and is then dead for its own app too', async (t) => {
  const { app, token } = await appWithToken();
  const victim = await signedInBrowser(first);
  isRefused(t, await victim.browser.navigate(validateUrl(token), { from: EVIL }), 401);
  await isReader(t, victim.browser, NEWS, victim.account);
  const empty = first.browser();
  isRefused(t, await empty.navigate(validateUrl(token), { from: EVIL }), 401);
  await isReader(t, empty, NEWS, null);
  isRefused(t, await app.navigate(validateUrl(token)), 401);
});

test('security 201, item 1: a flow cookie of a sign-in that the victim has under way does not fit', async (t) => {
  const { token } = await appWithToken();
  const { browser, account } = await signedInBrowser(first, ['auth']);
  await reachCode(browser);
  t.is(flowsOf(browser).length, 1);
  isRefused(t, await browser.navigate(validateUrl(token), { from: EVIL }), 401);
  await isReader(t, browser, NEWS, null);
  await isReader(t, browser, AUTH, account);
});

test('security 201, item 4: a token works once; a second use from elsewhere ends the session that it made and no other', async (t) => {
  const { account, session, app, token } = await appWithToken();
  t.true(setsSession(await app.navigate(validateUrl(token))));
  isRefused(t, await first.browser().navigate(validateUrl(token), { from: EVIL }), 401);
  await isReader(t, app, NEWS, null);
  const own = { 'x-qt-auth': String(session.credentials['news']?.token) };
  t.is((await send(first.port, `${NEWS}/api/auth/v1/users/me`, { headers: own })).json().user.email, account.email);
});

test('security 201, item 4: the same web view that loads the address again goes on with the same session', async (t) => {
  const { account, session, app, token } = await appWithToken();
  await app.navigate(validateUrl(token));
  const kept = app.jarOf(HOSTS.news).get('qt-auth');
  const again = await app.navigate(validateUrl(token));
  t.is(again.location, PAGE);
  t.false(setsSession(again));
  const json = await app.fetch(validateUrl(token, 'news', { redirect: 'false' }));
  t.is(json.json().user.email, account.email);
  t.is(app.jarOf(HOSTS.news).get('qt-auth'), kept);
  t.is(await countRows(first, 'domain_sessions', { session_id: session.id, host: HOSTS.news }), 2);
});

test.serial(
  'security 201, item 5: of 100 uses at once over two nodes exactly one makes a session, in each of 5 rounds',
  async (t) => {
    const account = await first.makeAccount();
    const session = await beginSession(first, account, ['news']);
    for (let round = 1; round <= 5; round++) {
      const app = first.browser();
      const token = await issueFor(app, String(session.credentials['news']?.token));
      const headers = { Cookie: app.cookieHeader(HOSTS.news) };
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          send(index % 2 === 0 ? first.port : second.port, validateUrl(token), { headers }),
        ),
      );
      t.is(answers.filter(setsSession).length, 1, `round ${round}`);
      // 503 is a starved machine that turned a request away before it touched the token.
      t.deepEqual(
        [...new Set(answers.map(({ status }) => status))].filter((status) => ![303, 401, 503].includes(status)),
        [],
      );
      t.is(await countRows(first, 'domain_sessions', { session_id: session.id }), round + 1);
    }
  },
);

test('security 201, item 7: a token of one host is refused on another, and is then dead on its own', async (t) => {
  const { app, token } = await appWithToken();
  for (const [name, value] of app.jarOf(HOSTS.news)) app.jarOf(HOSTS.sports).set(name, value);
  isRefused(t, await app.navigate(validateUrl(token, 'sports')), 401);
  await isReader(t, app, SPORTS, null);
  isRefused(t, await app.navigate(validateUrl(token)), 401);
  t.is((await app.navigate(`${AUTH}${ISSUE}/validate?access-token=${token}`)).status, 404);
});

test('security 201, item 7: a code is no session token and a session token is no code', async (t) => {
  const { browser } = await signedInBrowser(first, ['auth']);
  const { code, landing } = await reachCode(browser);
  isRefused(t, await browser.navigate(validateUrl(code)), 401);
  t.false(setsSession(await browser.navigate(landing, { from: AUTH })), 'tried elsewhere, it is dead');
  const { app, token } = await appWithToken();
  isRefused(t, await app.navigate(landingWith(token), { from: AUTH }));
  isRefused(t, await app.navigate(validateUrl(token)), 401);
  const body = new URLSearchParams({ grant_type: 'authorization_code', client_id: 'news', code: token }).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const posted = await send(first.port, `${AUTH}/oauth/token`, { method: 'POST', headers, body });
  t.true(posted.status >= 400 && posted.status < 500 && !posted.text.includes('access_token'));
});

test('security 201, item 9: HEAD, fetching ahead and parts of pages leave a token usable', async (t) => {
  const { app, token } = await appWithToken();
  const head = await app.navigate(validateUrl(token), { method: 'HEAD' });
  t.is(head.status, 405);
  t.is(head.headers['allow'], 'GET');
  for (const headers of [{ 'Sec-Purpose': 'prefetch;prerender' }, { Purpose: 'prefetch' }, { 'X-Moz': 'prefetch' }])
    isRefused(t, await app.navigate(validateUrl(token), { headers }), 403);
  for (const destination of ['image', 'iframe', 'script'])
    isRefused(t, await app.navigate(validateUrl(token), { headers: { 'Sec-Fetch-Dest': destination } }), 403);
  t.true(setsSession(await app.navigate(validateUrl(token))));
});

test('security 201, item 12: no address but a page of this host is ever redirected to, and a mistyped one costs no token', async (t) => {
  const { account, app, token } = await appWithToken();
  const foreign = [EVIL, `${SPORTS}/page`, `${AUTH}/login`, '//evil.test', 'javascript:alert(1)', `${NEWS}@evil.test/`];
  for (const target of [...foreign, ...[...PAYLOADS, ...INTO_THE_API].filter((one) => one.length < 4000)]) {
    for (const sent of [token, 'A'.repeat(43)])
      isRefused(t, await app.navigate(validateUrl(sent, 'news', { 'redirect-url': target })), 400, target);
  }
  t.is((await app.navigate(validateUrl(token, 'news', { 'redirect-url': '' }))).location, `${NEWS}/`);
  await isReader(t, app, NEWS, account);
});

test('security 201: another site cannot have a browser ask for a token', async (t) => {
  const { session } = await signedInBrowser(first);
  const Cookie = String(session.cookies['news']);
  for (const headers of [
    { Origin: EVIL, 'Content-Type': 'application/json' },
    { Origin: SPORTS, 'Content-Type': 'application/json' },
    { Origin: NEWS, 'Content-Type': 'text/plain' },
  ]) {
    const answer = await send(first.port, `${NEWS}${ISSUE}`, {
      method: 'POST',
      headers: { ...headers, Cookie },
      body: '{}',
    });
    t.true([403, 415].includes(answer.status), String(answer.status));
    t.false(answer.text.includes('"access-token"'));
  }
});

test('security 194: no session token stands in the log or in the database', async (t) => {
  const { app, token } = await appWithToken();
  await app.navigate(validateUrl(token));
  await first.browser().navigate(validateUrl(token));
  t.false([...first.lines, ...second.lines].some((line) => line.includes(token)));
  const rows = await first.services.db.builder('authorization_codes').select('*');
  t.false(JSON.stringify(rows).includes(token));
});

test.serial('security 201: a token is good for less than 61 seconds', async (t) => {
  const late = await appWithToken();
  await first.database.moveClock(61);
  isRefused(t, await late.app.navigate(validateUrl(late.token)), 401);
  await isReader(t, late.app, NEWS, null);
  const timely = await appWithToken();
  await first.database.moveClock(55);
  t.true(setsSession(await timely.app.navigate(validateUrl(timely.token))));
});

test('security 201: a token ends with the session that it was asked by', async (t) => {
  const { session, app, token } = await appWithToken();
  const headers = { 'x-qt-auth': String(session.credentials['news']?.token) };
  t.is((await send(first.port, `${NEWS}/api/auth/v1/logout`, { headers })).status, 204);
  isRefused(t, await app.navigate(validateUrl(token)), 401);
});
