// `authorize` asked by script, on both hosts: the same decision, without a redirect, for scripts of the same origin only.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { landingOf, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, AUTHORIZE, EVIL, isReader, NEWS, onAuth, SPORTS, setsSession } from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const SCRIPT = { allow_ajax: 'true' };
const onNews = (more = {}) => authorizeUrl(NEWS, 'news', `${NEWS}/page`, { ...SCRIPT, ...more });
const codesOf = (sessionId: string) => countRows(server, 'authorization_codes', { session_id: sessionId });

test('contract §3.1: a flow by script, as published clients run it, ends signed in on the page', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const asked = await browser.fetch(onNews());
  t.is(asked.status, 200);
  const { redirect_uri: url, redirect_url: other } = asked.json();
  t.is(url, other);
  t.true(url.startsWith(`${AUTH}${AUTHORIZE}?`));
  t.true(
    asked.cookies.some((line) => line.startsWith('__Host-qt-flow-')),
    'bound to this browser',
  );
  const arrived = await browser.follow(url, { from: `${NEWS}/` });
  t.is(arrived.hops.at(-1), `${NEWS}/page`);
  t.is(arrived.hops.length, 3, 'without a restart');
  await isReader(t, browser, NEWS, account);
});

test('contract §3.1: a script of the auth domain is told where the code goes, in both spellings', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth']);
  const asked = await browser.fetch(onAuth('news', SCRIPT));
  t.is(asked.status, 200);
  t.deepEqual(Object.keys(asked.json()), ['redirect_uri', 'redirect_url']);
  const url = new URL(asked.json().redirect_uri);
  t.is(`${url.origin}${url.pathname}`, landingOf('news'));
  t.regex(String(url.searchParams.get('code')), /^[\w-]{43}$/);
  t.is(asked.location, null);
  t.is(await codesOf(session.id), 1);
});

const FOREIGN = [
  { 'Sec-Fetch-Site': 'cross-site', Origin: EVIL },
  { 'Sec-Fetch-Site': 'same-site', Origin: SPORTS },
  { 'Sec-Fetch-Site': 'same-site', Origin: undefined },
  { 'Sec-Fetch-Site': 'cross-site', Origin: 'null' },
  { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script' },
  { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
  { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
  { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
  { 'Sec-Fetch-Site': undefined, 'Sec-Fetch-Mode': undefined, 'Sec-Fetch-Dest': undefined, Origin: EVIL },
  { 'Sec-Fetch-Site': undefined, 'Sec-Fetch-Mode': undefined, 'Sec-Fetch-Dest': undefined, Referer: `${EVIL}/x` },
  { 'Sec-Fetch-Site': undefined, 'Sec-Fetch-Mode': undefined, 'Sec-Fetch-Dest': undefined, Origin: 'null' },
];

test('security 15, 60: no other origin, no page and no frame is ever handed an address or a code by script', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth', 'news']);
  for (const headers of FOREIGN) {
    for (const url of [onNews(), onAuth('news', SCRIPT)]) {
      const answer = await browser.fetch(url, { headers: { ...headers } });
      t.is(answer.status, 403, JSON.stringify(headers));
      t.deepEqual(Object.keys(answer.json()), ['error', 'error_description', 'message']);
      t.is(answer.headers['access-control-allow-origin'], undefined);
      t.deepEqual(answer.cookies, []);
    }
  }
  t.is(await codesOf(session.id), 0);
});

const FAULTS: Record<string, string>[] = [
  { client_id: 'nobody' },
  { client_id: 'sports' },
  { redirect_uri: `${EVIL}/` },
  { redirect_uri: `${landingOf('news')}/` },
  { response_type: 'token' },
  { callback_uri: `${EVIL}/` },
  { callback_uri: `${NEWS}/api/auth/v1/logout` },
  { state: 's'.repeat(2049) },
];

test('contract §3.1: a failure by script says error, error_description and message on both hosts, and nothing to go to', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth', 'news']);
  for (const fault of FAULTS) {
    for (const url of [onNews(fault), onAuth('news', { ...SCRIPT, ...fault })]) {
      const answer = await browser.fetch(url);
      t.is(answer.status, 400, url);
      const body = answer.json();
      t.deepEqual(Object.keys(body), ['error', 'error_description', 'message']);
      t.true(['invalid_request', 'unauthorized_client'].includes(body.error));
      t.is(body.message, body.error_description);
      t.false(answer.text.includes('evil.test'));
      t.is(answer.location, null);
      t.deepEqual(answer.cookies, []);
    }
  }
  t.is(await codesOf(session.id), 0);
});

test('contract §3.1: only the word true asks for the answer by script', async (t) => {
  for (const allow_ajax of ['false', 'TRUE', '1', 'yes', '']) {
    t.is(
      (await server.browser().navigate(authorizeUrl(NEWS, 'news', `${NEWS}/page`, { allow_ajax }))).status,
      303,
      allow_ajax,
    );
  }
});

test('security 1: a code that a script was told is worth nothing in another browser', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  const next = (await browser.fetch(onNews())).json().redirect_uri;
  const code = (await browser.fetch(`${next}&allow_ajax=true`)).json().redirect_uri;
  t.true(code.startsWith(landingOf('news')));
  t.false(setsSession(await server.browser().navigate(code, { from: EVIL })));
});
