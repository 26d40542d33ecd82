import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { beginSession, countRows, keepIn, signedInBrowser } from '../support/signed_in.ts';

const OTHER = { auth: 'auth.other.localhost', site: 'site.other.localhost' };
const YAML = `${REALM_YAML}
  - slug: other
    auth_domain: ${OTHER.auth}
    settings: { signup: open }
    brand: { name: Other Group }
    clients:
      - { id: site, kind: first-party, name: The Other Site, domain: ${OTHER.site} }
      - { id: shared, kind: first-party, name: Shared Id, domain: shared.other.localhost }
`;
const server = await startTestServer({ yaml: YAML });
test.after.always(() => server.close());
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];
const [SITE, OTHER_AUTH] = [`http://${OTHER.site}`, `http://${OTHER.auth}`];
const API = '/api/auth/v1';

test('security 38: an account of one realm cannot sign in on a host of another, and the answer does not tell that it exists', async (t) => {
  const account = await server.makeAccount();
  const nobody = await server
    .browser()
    .post(`${SITE}${API}/login`, { email: 'nobody@example.com', password: PASSWORD });
  const answer = await server.browser().post(`${SITE}${API}/login`, { email: account.email, password: PASSWORD });
  t.is(answer.status, 401);
  t.is(answer.text, nobody.text);
  t.is((await server.browser().post(`${NEWS}${API}/login`, { email: account.email, password: PASSWORD })).status, 200);
});

test('security 38: a session of one realm is nobody on a host of another, whether as cookie or as header', async (t) => {
  const { session } = await signedInBrowser(server);
  for (const { token, companion } of Object.values(session.credentials)) {
    for (const site of [SITE, OTHER_AUTH]) {
      const browser = server.browser();
      const cookies = `qt-auth=${token}; __Host-qt-auth=${companion}`;
      t.is((await browser.me(site, { cookies })).status, 401);
      t.is((await browser.me(site, { cookies: null, headers: { 'x-qt-auth': token } })).status, 401);
      t.is((await browser.fetch(`${site}${API}/sessions/validate`, { cookies })).status, 401);
      t.is((await browser.fetch(`${site}${API}/logout`, { cookies })).status, 204);
    }
  }
  t.is(await countRows(server, 'sessions', { id: session.id }), 1);
});

test('security 38: a session of one host is nobody on another host of the same realm', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  t.is((await browser.me(originOf('sports'), { cookies: String(session.cookies['news']) })).status, 401);
  t.is((await browser.me(AUTH, { cookies: String(session.cookies['news']) })).status, 401);
  t.is((await browser.me(NEWS, { cookies: String(session.cookies['auth']) })).status, 401);
});

test('security 38: the same e-mail address is two accounts in two realms, and neither can be found or changed from the other', async (t) => {
  const email = 'same@example.com';
  const [one, two] = [
    await server.makeAccount({ email }),
    await server.makeAccount({ email, realm: 'other', password: 'another long password' }),
  ];
  t.not(one.id, two.id);
  const browser = server.browser();
  t.is((await browser.post(`${SITE}${API}/login`, { email, password: PASSWORD })).status, 401);
  t.is((await browser.post(`${SITE}${API}/login`, { email, password: 'another long password' })).status, 200);
  t.is((await browser.me(SITE)).json().user.id, Number(two.id));
  // Names of the other realm's account in body, query and header change nothing.
  const answer = await browser.post(
    `${SITE}${API}/users/profile?id=${one.id}&user-id=${one.id}`,
    { id: Number(one.id), 'user-id': Number(one.id), 'realm-id': 1, name: 'Changed' },
    { headers: { 'X-User-Id': String(one.id), 'X-Realm': 'test' } },
  );
  t.is(answer.json().user.id, Number(two.id));
  t.is((await server.services.db.builder('accounts').first('name').where({ id: one.id }))?.['name'], 'Test Reader');
});

test('security 38: sessions of another realm can be neither listed nor ended by their id', async (t) => {
  const victim = await signedInBrowser(server);
  const account = await server.makeAccount({ realm: 'other' });
  const browser = server.browser();
  await browser.post(`${SITE}${API}/login`, { email: account.email, password: PASSWORD });
  const { sessions } = (await browser.fetch(`${SITE}${API}/sessions`)).json();
  t.is(sessions.length, 1);
  const unknown = await browser.fetch(`${SITE}${API}/sessions/00000000-0000-7000-8000-000000000000`, {
    method: 'DELETE',
  });
  const answer = await browser.fetch(`${SITE}${API}/sessions/${victim.session.id}`, { method: 'DELETE' });
  t.is(answer.status, 404);
  t.is(answer.text, unknown.text);
  t.is((await browser.fetch(`${SITE}${API}/sessions?others=true`, { method: 'DELETE' })).json().ended, 0);
  t.is((await victim.browser.me(NEWS)).status, 200);
  t.is((await victim.browser.me(NEWS)).json()['active-sessions-count'], 1);
});

test('security 38: the client of another realm is unknown on this host, in either role of the host', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  for (const [host, client, target] of [
    [NEWS, 'site', SITE],
    [AUTH, 'site', SITE],
    [SITE, 'news', NEWS],
    [OTHER_AUTH, 'news', NEWS],
    [OTHER_AUTH, 'site', NEWS],
  ] as const) {
    for (const path of ['oauth/authorize', 'oauth/auto-sso/authorize']) {
      const url = authorizeUrl(target, client, `${target}/`, {}, `${API}/${path}`).replace(target, host);
      const answer = await browser.navigate(url, { from: target });
      t.is(answer.status, 400, url);
      t.is(answer.location, null);
    }
  }
  t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
});

test('security 38: a code of one realm makes no session on a host of another', async (t) => {
  const account = await server.makeAccount();
  const session = await beginSession(server, account, ['auth']);
  const browser = server.browser();
  keepIn(browser, session);
  const started = await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: `${NEWS}/` });
  const coded = await browser.navigate(String(started.location), { from: NEWS });
  const flow = browser.cookieHeader(HOSTS.news);
  const stolen = await browser.navigate(String(coded.location).replace(NEWS, SITE), {
    from: OTHER_AUTH,
    cookies: flow,
  });
  t.is(stolen.status, 400);
  t.is(stolen.location, null);
  t.false(stolen.cookies.some((line) => /^qt-auth=[^;]/.test(line)));
  t.is(await countRows(server, 'domain_sessions', { session_id: session.id }), 1);
});

test("security 38: the way back of one realm's sign-in page means nothing on the sign-in page of another", async (t) => {
  const browser = server.browser();
  const page = await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/secret-story`), { from: `${NEWS}/` });
  const handle = new URL(String(page.hops.at(-1))).searchParams.get('request_handle');
  t.truthy(handle);
  const own = await browser.navigate(`${AUTH}/login?request_handle=${handle}`);
  t.true(own.text.includes('The News'));
  const foreign = await browser.navigate(`${OTHER_AUTH}/login?request_handle=${handle}`);
  t.is(foreign.status, 200);
  t.false(/The News|news\.test/.test(foreign.text));
  const account = await server.makeAccount({ realm: 'other' });
  const posted = await browser.submit(foreign, {
    identifier: account.email,
    password: PASSWORD,
    handle: String(handle),
  });
  t.is(posted.status, 303);
  t.is(posted.location, '/');
});

test('security 38: pages of one realm name no site and no brand of another', async (t) => {
  for (const path of ['/', '/login', '/signup', '/signed-out', '/nothing']) {
    const page = await server.browser().navigate(`${OTHER_AUTH}${path}`);
    t.true(page.text.includes('Other Group'), path);
    t.false(/Test Group|The News|The Sports|test\.localhost/.test(page.text), path);
  }
});

test('security 38: the pages of the auth domain are not served on client hosts, nor the landing page on the auth domain', async (t) => {
  for (const path of ['/', '/login', '/signup', '/logout', '/signed-out'])
    t.is((await server.browser().navigate(`${NEWS}${path}`)).status, 404, path);
  // There the path is for backends alone, by POST.
  const landing = await server.browser().navigate(`${AUTH}${API}/oauth/token?code=${'A'.repeat(43)}`);
  t.is(landing.status, 405);
  t.is(landing.headers.allow, 'POST');
});
