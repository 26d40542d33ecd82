// Where a browser may be sent: only to pages of the client that asked. Hosts as in production, https and no loopback names.

import test from 'ava';
import { type Answer, send } from '../support/browser.ts';
import { startTestServer } from '../support/server.ts';
import { AUTHORIZE, AUTO_SSO, isRefused } from './flow.ts';
import { INTO_THE_API, PAYLOADS } from './payloads.ts';

const YAML = `
realms:
  - slug: test
    auth_domain: auth.test
    clients:
      - { id: a, kind: first-party, domain: a.test }
      - { id: b, kind: first-party, domain: b.test }
`;
const server = await startTestServer({ yaml: YAML, env: { CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '' } });
test.after.always(() => server.close());
const A = 'https://a.test';
const AUTH = 'https://auth.test';
const LANDING = `${A}/api/auth/v1/oauth/token`;

/** An address of 8 KB is refused before anybody reads it. */
const statusFor = (callback: string) => (callback.length > 8000 ? 414 : 400);

const query = (callback: string) =>
  new URLSearchParams({ client_id: 'a', redirect_uri: LANDING, callback_uri: callback, response_type: 'code' });
const cases: [name: string, ask: (callback: string) => Promise<Answer>][] = [
  ['authorize on the client domain', (callback) => send(server.port, `${A}${AUTHORIZE}?${query(callback)}`)],
  ['authorize on the auth domain', (callback) => send(server.port, `${AUTH}${AUTHORIZE}?${query(callback)}`)],
  ['auto-sso on the client domain', (callback) => send(server.port, `${A}${AUTO_SSO}?${query(callback)}`)],
  ['auto-sso on the auth domain', (callback) => send(server.port, `${AUTH}${AUTO_SSO}?${query(callback)}`)],
  ['allow_ajax on the client domain', (callback) => ajax(A, callback)],
  ['allow_ajax on the auth domain', (callback) => ajax(AUTH, callback)],
];
const ajax = (site: string, callback: string) =>
  send(server.port, `${site}${AUTHORIZE}?${query(callback)}&allow_ajax=true`, {
    headers: { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  });

for (const [name, ask] of cases) {
  test(`security 21, 31: ${name} refuses every callback that is not plainly a page of the client`, async (t) => {
    for (const callback of [...PAYLOADS, ...INTO_THE_API]) {
      const answer = await ask(callback);
      isRefused(t, answer, statusFor(callback), callback);
      t.deepEqual(answer.cookies, [], callback);
      if (name.startsWith('allow_ajax') && answer.status === 400)
        t.deepEqual(Object.keys(answer.json()), ['error', 'error_description', 'message']);
    }
  });
}

test('security 21: an empty callback is none, and leads to the front page of the client', async (t) => {
  for (const [name, ask] of cases.filter(([name]) => !name.startsWith('allow_ajax'))) {
    const answer = await ask('');
    t.is(answer.status, 303, name);
    const location = new URL(String(answer.location));
    t.is(
      name === 'auto-sso on the auth domain'
        ? location.origin
        : new URL(String(location.searchParams.get('callback_uri'))).href.slice(0, -1),
      A,
    );
  }
});

test('security 21: a host that is the same only after normalisation is accepted, and is sent on normalised', async (t) => {
  for (const [sent, wanted] of [
    ['https://A.TEST/', `${A}/`],
    ['HTTPS://a.test', `${A}/`],
    ['https://a%2etest/', `${A}/`],
    ['https://ａ.test/', `${A}/`],
    ['https://a.test:443/x', `${A}/x`],
    ['https://a.test:/@evil.test', `${A}/@evil.test`],
    ['https://a.test/x/../y/./z', `${A}/y/z`],
    ['https://a.test/search?q=a b', `${A}/search?q=a%20b`],
    ['https://a.test/a"b<c>', `${A}/a%22b%3Cc%3E`],
    ['https://a.test?x=https://evil.test/', `${A}/?x=https://evil.test/`],
    ['https://a.test/apis/auth', `${A}/apis/auth`],
    ['https://a.test/api/authors', `${A}/api/authors`],
    ['https://a.test/news/api/auth/v1', `${A}/news/api/auth/v1`],
    ['https://a.test/%ff', `${A}/%ff`],
  ] as const) {
    const answer = await send(server.port, `${A}${AUTHORIZE}?${query(sent)}`);
    t.is(answer.status, 303, sent);
    t.is(new URL(String(answer.location)).searchParams.get('callback_uri'), wanted);
  }
});

test('security 28: an address in another script reaches its page again, in pure ASCII', async (t) => {
  const path = '/செய்தி?q=é&r=a%26b#ப';
  const answer = await send(server.port, `${AUTH}${AUTO_SSO}?${query(`${A}${path}`)}`);
  t.is(answer.status, 303);
  t.regex(String(answer.location), /^[\x21-\x7e]+$/);
  const back = new URL(String(answer.location));
  t.is(decodeURIComponent(back.pathname), '/செய்தி');
  t.deepEqual(
    [...back.searchParams],
    [
      ['q', 'é'],
      ['r', 'a&b'],
      ['logged_in', 'false'],
    ],
  );
  t.is(decodeURIComponent(back.hash), '#ப');
});

test('security 28: line breaks, NUL and broken encodings are 400 without a header of their own', async (t) => {
  for (const bad of ['%0d%0aX-Injected:1', '%0a', '%00', '%', '%zz', '%ff', '%c0%af', '%ed%a0%80', '%e0%80%af']) {
    for (const name of ['callback_uri', 'redirect_uri', 'client_id', 'response_type']) {
      const good = query(`${A}/x`);
      good.delete(name);
      for (const site of [A, AUTH]) {
        const url = `${site}${AUTHORIZE}?${good}&${name}=${encodeURIComponent(`${A}/x`)}${bad}`;
        const answer = await send(server.port, url);
        isRefused(t, answer, 400, `${name}=${bad}`);
        t.is(answer.headers['x-injected'], undefined);
      }
    }
  }
});

test('security 28: a state is handed on as it is, and can neither break out of its parameter nor begin a header', async (t) => {
  for (const state of ['a\r\nX-Injected: 1', 'a&code=b#c', 'é"<script>', '%0d%0a']) {
    for (const site of [A, AUTH]) {
      const answer = await send(
        server.port,
        `${site}${AUTHORIZE}?${query(`${A}/x`)}&state=${encodeURIComponent(state)}`,
      );
      t.is(answer.status, 303);
      t.is(answer.headers['x-injected'], undefined);
      t.regex(String(answer.location), /^[\x21-\x7e]+$/);
      t.is(new URL(String(answer.location)).searchParams.get('state'), state);
    }
  }
  for (const bad of ['%00', '%ff', '%1b[0m', '%']) {
    isRefused(t, await send(server.port, `${A}${AUTHORIZE}?${query(`${A}/x`)}&state=${bad}`), 400, bad);
  }
});

test('security 12: the landing page never sends a browser off its host, whatever code and callback it is given', async (t) => {
  const codes = ['', '&code=', '&code=bogus', `&code=${'A'.repeat(43)}`, '&code=tfa-validation-is-required'];
  for (const code of codes) {
    for (const callback of [...PAYLOADS.filter((text) => text.length < 3000), ...INTO_THE_API]) {
      const url = `${LANDING}?callback_uri=${encodeURIComponent(callback)}${code}`;
      isRefused(t, await send(server.port, url), 400, url);
    }
  }
});

test('security 12: a browser with a flow under way is restarted only for a page of its own host', async (t) => {
  const Cookie = `__Host-qt-flow-x=${'A'.repeat(43)}`;
  for (const callback of [...PAYLOADS.filter((text) => text.length < 3000), ...INTO_THE_API]) {
    const url = `${LANDING}?callback_uri=${encodeURIComponent(callback)}&code=${'B'.repeat(43)}`;
    isRefused(t, await send(server.port, url, { headers: { Cookie } }), 400, url);
  }
  const own = await send(
    server.port,
    `${LANDING}?callback_uri=${encodeURIComponent(`${A}/x`)}&code=${'B'.repeat(43)}`,
    { headers: { Cookie } },
  );
  t.true(String(own.location).startsWith(`${A}${AUTHORIZE}?`));
  t.is(new URL(String(own.location)).searchParams.get('callback_uri'), `${A}/x`);
});

test('security 12, 21, 31: signing out never sends a browser off its host or back into the sign-in API', async (t) => {
  const headers = {
    'Sec-Fetch-Site': 'same-origin',
    'Sec-Fetch-Mode': 'navigate',
    'Sec-Fetch-Dest': 'document',
    Accept: 'text/html',
  };
  for (const callback of [...PAYLOADS, ...INTO_THE_API]) {
    const url = `${A}/api/auth/v1/logout?redirect-url=${encodeURIComponent(callback)}`;
    const answer = await send(server.port, url, { headers });
    t.true(
      answer.status === statusFor(callback) || (answer.status === 303 && answer.location === `${A}/`),
      `${callback} -> ${answer.status} ${answer.location}`,
    );
  }
  const allowed = await send(
    server.port,
    `${A}/api/auth/v1/logout?redirect-url=${encodeURIComponent(`${A}/bye?x=1`)}`,
    { headers },
  );
  t.is(allowed.location, `${A}/bye?x=1`);
});

test('security 21, 24: the usual loopback rules do not reach a realm of public names', async (t) => {
  for (const callback of ['http://localhost/', 'http://127.0.0.1/', 'http://a.localhost/', 'http://[::1]/']) {
    isRefused(t, await send(server.port, `${A}${AUTHORIZE}?${query(callback)}`), 400, callback);
  }
});
