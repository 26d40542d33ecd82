// One use, one host, one browser: what happens to a code that is presented again, elsewhere, or by a robot.

import test from 'ava';
import { send } from '../support/browser.ts';
import { HOSTS, landingOf, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import {
  AUTH,
  AUTHORIZE,
  EVIL,
  flowsOf,
  isReader,
  isRefused,
  issueDirectly,
  landingWith,
  liveSession,
  NEWS,
  onAuth,
  reachCode,
  SPORTS,
  setsSession,
} from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());

test('security 4: a used code from another browser is refused, and ends the session that it made and no other', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth', 'sports']);
  const { landing } = await reachCode(browser);
  t.true(setsSession(await browser.navigate(landing, { from: AUTH })));
  await isReader(t, browser, NEWS, account);
  isRefused(t, await server.browser().navigate(landing, { from: EVIL }));
  await isReader(t, browser, NEWS, null);
  await isReader(t, browser, SPORTS, account);
  await isReader(t, browser, AUTH, account);
});

test('RFC 6749 §4.1.2: a replayed code stays refused, and its rightful reader signs in again without a password', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser);
  await browser.navigate(landing, { from: AUTH });
  const stranger = server.browser();
  isRefused(t, await stranger.navigate(landing, { from: EVIL }));
  for (let times = 0; times < 3; times++) t.false(setsSession(await stranger.navigate(landing, { from: EVIL })));
  await isReader(t, stranger, NEWS, null);
  const second = await reachCode(browser);
  await browser.navigate(second.landing, { from: AUTH });
  await isReader(t, browser, NEWS, account);
});

test('security 6: the same browser reloading the used address goes to its page again, with the same session', async (t) => {
  const { account, browser, session } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser);
  t.is((await browser.navigate(landing, { from: AUTH })).location, `${NEWS}/page`);
  const token = browser.jarOf(HOSTS.news).get('qt-auth');
  for (let times = 0; times < 3; times++) {
    const again = await browser.navigate(landing, { from: AUTH });
    t.is(again.status, 303);
    t.is(again.location, `${NEWS}/page`);
    t.false(setsSession(again));
  }
  t.is(browser.jarOf(HOSTS.news).get('qt-auth'), token);
  t.is(await countRows(server, 'domain_sessions', { session_id: session.id, host: HOSTS.news }), 1);
  await isReader(t, browser, NEWS, account);
});

test('security 6: a browser that lost the answer with its cookies arrives by itself when it asks again', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser);
  // The connection broke: the code is used, the cookies never came.
  await send(server.port, landing, { headers: { Cookie: browser.cookieHeader(HOSTS.news) } });
  const arrived = await browser.follow(landing, { from: AUTH });
  t.is(arrived.hops.at(-1), `${NEWS}/page`);
  await isReader(t, browser, NEWS, account);
});

test('security 7: a code of one client is refused on the domain of another, and is then dead on its own', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth']);
  const { landing, code } = await reachCode(browser);
  const [name = ''] = flowsOf(browser);
  // Even the flow cookie in the right place changes nothing.
  const cookies = `${name}=${browser.jarOf(HOSTS.news).get(name)}`;
  isRefused(t, await browser.navigate(landingWith(code, 'sports'), { from: AUTH, cookies }));
  const back = await browser.navigate(landing, { from: AUTH });
  t.false(setsSession(back));
  t.true(String(back.location).startsWith(`${NEWS}${AUTHORIZE}?`), 'dead, so the flow begins again');
  t.is(await countRows(server, 'domain_sessions', { session_id: session.id }), 1);
  await isReader(t, browser, NEWS, null);
});

test('RFC 6749 §4.1.3: a code is issued to one client, and a used one tried on another domain ends nothing', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const { landing, code } = await reachCode(browser);
  await browser.navigate(landing, { from: AUTH });
  isRefused(t, await browser.navigate(landingWith(code, 'sports'), { from: AUTH }));
  await isReader(t, browser, SPORTS, null);
  await isReader(t, browser, NEWS, account);
});

test('security 7: the standard token endpoint takes no code of this flow, and this flow no code by POST', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  const { landing, code } = await reachCode(browser);
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: 'news',
    code,
    redirect_uri: landingOf('news'),
  });
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  for (const url of [`${AUTH}/oauth/token`, `${AUTH}/api/auth/v1/oauth/token`, landingOf('news')]) {
    const answer = await send(server.port, url, { method: 'POST', headers, body: body.toString() });
    t.true(answer.status >= 400 && answer.status < 500, url);
    t.false(answer.text.includes('access_token'));
  }
  t.true(setsSession(await browser.navigate(landing, { from: AUTH })), 'none of them has used it up');
});

test('security 9: HEAD and fetching ahead leave a code usable', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser);
  const head = await browser.navigate(landing, { method: 'HEAD', from: AUTH });
  t.is(head.status, 405);
  t.is(head.headers['allow'], 'GET, POST');
  const ahead = [
    { 'Sec-Purpose': 'prefetch' },
    { 'Sec-Purpose': 'prefetch;prerender' },
    { 'Sec-Purpose': 'prefetch;anonymous-client-ip' },
    { Purpose: 'prefetch' },
    { 'X-Moz': 'prefetch' },
  ];
  for (const headers of ahead) isRefused(t, await browser.navigate(landing, { from: AUTH, headers }), 403);
  for (const destination of ['image', 'iframe', 'script', 'embed', 'object']) {
    const headers = { 'Sec-Fetch-Dest': destination, 'Sec-Fetch-Mode': 'no-cors' };
    isRefused(t, await browser.navigate(landing, { from: EVIL, headers }), 403);
  }
  t.true(setsSession(await browser.navigate(landing, { from: AUTH })));
  await isReader(t, browser, NEWS, account);
});

test('security 9: HEAD and fetching ahead issue no code and start no flow', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth']);
  const start = new URL(onAuth());
  start.host = HOSTS.news;
  for (const url of [onAuth(), start.href]) {
    t.is((await browser.navigate(url, { method: 'HEAD' })).status, 405);
    const answer = await browser.navigate(url, { headers: { 'Sec-Purpose': 'prefetch' } });
    isRefused(t, answer, 403);
    t.deepEqual(answer.cookies, []);
  }
  t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
});

test('security 208: a word in place of a code is refused cleanly, with and without a flow under way', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth']);
  for (const word of [
    'tfa-validation-is-required',
    'tfa-setup-is-required',
    '0',
    'null',
    'A'.repeat(42),
    'ä',
    "'",
    '%00',
  ]) {
    const url = `${landingOf('news')}?code=${word === '%00' ? word : encodeURIComponent(word)}`;
    isRefused(t, await server.browser().navigate(url, { from: AUTH }));
  }
  const { landing } = await reachCode(browser);
  isRefused(
    t,
    await browser.navigate(landing.replace(/code=[^&]*/, 'code=tfa-validation-is-required'), { from: AUTH }),
  );
  t.is(await countRows(server, 'domain_sessions', { session_id: session.id }), 1);
  t.true(setsSession(await browser.navigate(landing, { from: AUTH })));
});

test('security 16: the token of one domain opens no other, neither as cookie nor as header nor as bearer', async (t) => {
  const { session } = await signedInBrowser(server, ['auth', 'news']);
  for (const [from, elsewhere] of [
    ['news', [SPORTS, AUTH]],
    ['auth', [NEWS, SPORTS]],
  ] as const) {
    const { token } = session.credentials[from]!;
    for (const site of elsewhere) {
      for (const headers of [
        { Cookie: session.cookies[from] },
        { 'X-QT-AUTH': token },
        { Authorization: `Bearer ${token}` },
      ]) {
        t.is((await send(server.port, `${site}/api/auth/v1/users/me`, { headers })).status, 401, `${from} at ${site}`);
      }
    }
    t.is(
      (
        await send(server.port, onAuth(), { headers: { 'X-QT-AUTH': session.credentials['news']!.token } })
      ).location?.split('?')[0],
      `${AUTH}/login`,
    );
  }
});

test('security 16: a flow cookie, a code and a session token are never one another', async (t) => {
  const { session, browser } = await signedInBrowser(server, ['auth', 'news']);
  const { code, flowCookie } = await issueDirectly(server, await liveSession(server, session));
  const secret = flowCookie.split('=')[1] ?? '';
  for (const token of [code, secret]) {
    t.is((await send(server.port, `${NEWS}/api/auth/v1/users/me`, { headers: { 'X-QT-AUTH': token } })).status, 401);
  }
  for (const other of [secret, session.credentials['news']!.token, session.credentials['auth']!.token]) {
    isRefused(t, await server.browser().navigate(landingWith(other), { from: AUTH }));
  }
  t.is((await browser.me(NEWS)).status, 200);
});
