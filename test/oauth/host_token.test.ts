// Codes that the backend of a site redeems host to host: what it must bring, and what its codes are good for.

import test from 'ava';

import { createTaggedToken, hashToken } from '../../server/lib/token.ts';
import { type Answer, type Browser, send } from '../support/browser.ts';
import { HOSTS, landingOf, originOf, REALM_YAML, type SiteName, startTestServer } from '../support/server.ts';
import { beginSession, cookiesOf, countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, AUTHORIZE, isRefused, landingWith, NEWS, onAuth, reachCode, SPORTS, setsSession } from './flow.ts';

const pageOf = (site: SiteName) => `${originOf(site)}/sso/callback`;
const YAML = ['news', 'sports'].reduce(
  (yaml, site) =>
    yaml.replace(
      `domain: ${HOSTS[site as SiteName]} }`,
      `domain: ${HOSTS[site as SiteName]}, backend_redirect_uris: ["${pageOf(site as SiteName)}"] }`,
    ),
  REALM_YAML,
);
const first = await startTestServer({ yaml: YAML });
const second = await startTestServer({ database: first.database });

const KEYS: Record<string, { secret: string; key: string }> = {};
for (const site of ['news', 'sports', 'shop']) {
  const made = { secret: createTaggedToken('cws'), key: createTaggedToken('cwk') };
  KEYS[site] = made;
  const { db, clients, realms } = first.services;
  const { id } = await first.realm();
  await db.transaction(async (q) => {
    await clients.changeSecrets(q, id, site, { add: made.secret });
    // The shop has a secret alone.
    if (site !== 'shop') await clients.setApiKey(q, id, site, hashToken(made.key));
    await realms.announce(q);
  });
}

test.after.always(async () => {
  await second.close();
  await first.close();
});

type Form = Record<string, string | undefined>;

/** Redeems a code as the backend of a site; `more` changes fields, undefined leaves one out. */
function post(
  code: string,
  site: SiteName = 'news',
  more: Form = {},
  ask: { key?: string; port?: number; on?: string } = {},
) {
  const form = {
    client_id: site,
    client_secret: KEYS[site]?.secret,
    grant_type: 'authorization_code',
    code,
    ...more,
  };
  const fields = Object.entries(form).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const key = ask.key ?? KEYS[site]?.key ?? '';
  return send(ask.port ?? first.port, `${ask.on ?? AUTH}/api/auth/v1/oauth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...(key && { 'X-BK-AUTH': key }) },
    body: new URLSearchParams(fields).toString(),
  });
}

/** Opens authorize as a backend sends its reader there, and takes the code from the redirect to its page. */
async function codeFor(browser: Browser, site: SiteName = 'news', state = 'of-the-backend'): Promise<string> {
  const query = new URLSearchParams({ client_id: site, redirect_uri: pageOf(site), response_type: 'code', state });
  const issued = await browser.navigate(`${AUTH}${AUTHORIZE}?${query}`, { from: `${originOf(site)}/` });
  const back = new URL(String(issued.location));
  if (`${back.origin}${back.pathname}` !== pageOf(site)) throw new Error(String(issued.location));
  if (back.searchParams.get('state') !== state) throw new Error('the state was lost');
  return back.searchParams.get('code') ?? '';
}

function isError(t: import('ava').ExecutionContext, answer: Answer, status: number, error: string) {
  t.is(answer.status, status, answer.text);
  t.is(answer.json().error, error);
  t.deepEqual(Object.keys(answer.json()), ['error', 'error_description']);
  t.is(answer.headers['cache-control'], 'no-store');
  t.deepEqual(answer.cookies, []);
}

test('contract §2: secret, API key and code become the session of the site, by header and by cookies', async (t) => {
  const { account, browser } = await signedInBrowser(first, ['auth']);
  const answer = await post(await codeFor(browser));
  t.is(answer.status, 200, answer.text);
  t.is(answer.headers['cache-control'], 'no-store');
  t.deepEqual(answer.cookies, []);
  const { access_token: token, token_type: type, expires_in: seconds, companion } = answer.json();
  t.is(type, 'Bearer');
  t.true(seconds > 86_400);
  const me = `${NEWS}/api/auth/v1/users/me`;
  t.is((await send(first.port, me, { headers: { 'x-qt-auth': token } })).json().user.email, account.email);
  const Cookie = cookiesOf({ token, companion });
  t.is((await send(first.port, me, { headers: { Cookie } })).json().user.email, account.email);
});

test('contract §2: the site itself takes the request too, with the redirect_uri of the code or without one', async (t) => {
  const { browser } = await signedInBrowser(first, ['auth']);
  const more = { redirect_uri: pageOf('news') };
  t.is((await post(await codeFor(browser), 'news', more, { on: NEWS })).status, 200);
  isError(t, await post(await codeFor(browser), 'news', { redirect_uri: landingOf('news') }), 400, 'invalid_grant');
});

test('security 16: what the backend gets is good on the host of that site and nowhere else', async (t) => {
  const { browser } = await signedInBrowser(first, ['auth']);
  const { access_token: token, companion } = (await post(await codeFor(browser))).json();
  for (const headers of [
    { 'x-qt-auth': token },
    { Cookie: cookiesOf({ token, companion }) },
    { Authorization: `Bearer ${token}` },
  ]) {
    for (const site of [SPORTS, AUTH])
      t.is((await send(first.port, `${site}/api/auth/v1/users/me`, { headers })).status, 401, site);
  }
  const userinfo = await send(first.port, `${AUTH}/oauth/userinfo`, { headers: { Authorization: `Bearer ${token}` } });
  t.is(userinfo.status, 401);
});

test('security 204: key of B with secret of A, key only, secret only, neither: invalid_client, and the code stays good', async (t) => {
  const { browser } = await signedInBrowser(first, ['auth']);
  const code = await codeFor(browser);
  const { news, sports } = KEYS;
  const wrong: [Form, string][] = [
    [{}, String(sports?.key)],
    [{ client_secret: sports?.secret }, String(news?.key)],
    [{ client_secret: sports?.secret }, String(sports?.key)],
    [{ client_id: 'sports' }, String(news?.key)],
    [{ client_secret: undefined }, String(news?.key)],
    [{}, ''],
    [{ client_secret: undefined }, ''],
    [{ client_secret: news?.key }, String(news?.secret)],
    [{ client_id: undefined }, String(news?.key)],
    [{ client_id: 'nobody' }, String(news?.key)],
    [{ client_secret: '' }, String(news?.key)],
  ];
  for (const [form, key] of wrong) isError(t, await post(code, 'news', form, { key }), 401, 'invalid_client');
  t.is((await post(code)).status, 200);
});

test('security 204: a client without an API key gets nothing for its secret alone', async (t) => {
  isError(t, await post('A'.repeat(43), 'shop'), 401, 'invalid_client');
  isError(t, await post('A'.repeat(43), 'shop', {}, { key: '' }), 401, 'invalid_client');
});

test('security 204: a code of B is refused for A, and is then dead for B', async (t) => {
  const { browser } = await signedInBrowser(first, ['auth']);
  const code = await codeFor(browser, 'sports');
  isError(t, await post(code, 'news'), 400, 'invalid_grant');
  isError(t, await post(code, 'sports'), 400, 'invalid_grant');
});

test('security 204: a site with no session of a browser needs no Origin and no Cookie, and takes none for a proof', async (t) => {
  const { browser, session } = await signedInBrowser(first);
  const code = await codeFor(browser);
  const body = new URLSearchParams({ client_id: 'news', grant_type: 'authorization_code', code }).toString();
  const headers = {
    'Content-Type': 'application/x-www-form-urlencoded',
    Origin: NEWS,
    Cookie: String(session.cookies['news']),
  };
  const answer = await send(first.port, `${NEWS}/api/auth/v1/oauth/token`, { method: 'POST', headers, body });
  t.is(answer.json().error, 'invalid_client');
  t.is((await post(code)).status, 200);
});

test('security 7: a code of the landing page is refused here, and one of the backend on the landing page, and both are dead', async (t) => {
  const { browser, session } = await signedInBrowser(first, ['auth']);
  const { code, landing } = await reachCode(browser);
  isError(t, await post(code), 400, 'invalid_grant');
  t.false(setsSession(await browser.navigate(landing, { from: AUTH })));
  const backend = await codeFor(browser);
  await browser.navigate(onAuth());
  isRefused(t, await browser.navigate(landingWith(backend), { from: AUTH }));
  isError(t, await post(backend), 400, 'invalid_grant');
  // Started on the site, so with a flow cookie that fits: still no code of the landing page.
  const query = new URLSearchParams({ client_id: 'news', redirect_uri: pageOf('news'), response_type: 'code' });
  const start = await browser.navigate(`${NEWS}${AUTHORIZE}?${query}`, { from: `${NEWS}/` });
  const issued = await browser.navigate(String(start.location), { from: NEWS });
  const started = new URL(String(issued.location)).searchParams.get('code') ?? '';
  isRefused(t, await browser.navigate(landingWith(started), { from: AUTH }));
  t.is(await countRows(first, 'domain_sessions', { session_id: session.id }), 1);
  const oidc = { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } };
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: 'news',
    code: await codeFor(browser),
  });
  t.is(
    (await send(first.port, `${AUTH}/oauth/token`, { ...oidc, body: form.toString() })).json().error,
    'invalid_client',
  );
});

test('security 4: a code works once; a second use ends the session that the first one made', async (t) => {
  const { browser } = await signedInBrowser(first, ['auth']);
  const code = await codeFor(browser);
  const { access_token: token } = (await post(code)).json();
  isError(t, await post(code), 400, 'invalid_grant');
  const headers = { 'x-qt-auth': token };
  t.is((await send(first.port, `${NEWS}/api/auth/v1/users/me`, { headers })).status, 401);
});

test.serial(
  'security 5: of 100 redemptions at once over two nodes one succeeds at most, in each of 5 rounds, none with 5xx',
  async (t) => {
    const account = await first.makeAccount();
    const session = await beginSession(first, account, ['auth']);
    const browser = first.browser();
    browser.jarOf(HOSTS.auth).set('qt-auth', String(session.credentials['auth']?.token));
    browser.jarOf(HOSTS.auth).set('__Host-qt-auth', String(session.credentials['auth']?.companion));
    for (let round = 1; round <= 5; round++) {
      const code = await codeFor(browser);
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          post(code, 'news', {}, { port: index % 2 === 0 ? first.port : second.port }),
        ),
      );
      t.is(answers.filter(({ status }) => status === 200).length, 1, `round ${round}`);
      // 503 is a starved machine that turned a request away before it touched the code; 429 the limit on failures.
      const others = answers.filter(({ status }) => status !== 200 && status !== 503);
      t.deepEqual([...new Set(others.map((answer) => answer.json().error))], ['invalid_grant']);
      // Every one of the others was a replay, which ends what the winner got.
      t.is(await countRows(first, 'domain_sessions', { session_id: session.id }), 1);
    }
  },
);

test('RFC 6749 §5.2: what is missing or unknown has the error of the standard', async (t) => {
  isError(t, await post('', 'news'), 400, 'invalid_request');
  isError(t, await post('x', 'news', { grant_type: undefined }), 400, 'invalid_request');
  isError(t, await post('x', 'news', { grant_type: 'refresh_token' }), 400, 'unsupported_grant_type');
  for (const code of ['x', 'A'.repeat(43), 'A'.repeat(5000), "' or 1=1--"])
    isError(t, await post(code), 400, 'invalid_grant');
  const headers = { 'Content-Type': 'application/json', 'X-BK-AUTH': String(KEYS['news']?.key) };
  const json = await send(first.port, `${AUTH}/api/auth/v1/oauth/token`, { method: 'POST', headers, body: '{}' });
  t.is(json.status, 415);
  t.is(json.json().error, 'invalid_request');
});

test('security 194: neither code, secret, API key nor session stands in the log', async (t) => {
  const { browser } = await signedInBrowser(first, ['auth']);
  const code = await codeFor(browser);
  await post(code, 'news', {}, { key: String(KEYS['sports']?.key) });
  const { access_token: token, companion } = (await post(code)).json();
  const secrets = [code, token, companion, ...Object.values(KEYS).flatMap(({ secret, key }) => [secret, key])];
  for (const secret of secrets) t.false([...first.lines, ...second.lines].some((line) => line.includes(secret)));
});
