import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { landingOf, originOf, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];
const ME = `${NEWS}/api/auth/v1/users/me`;
// On the auth domain the answer would carry a code, on a client domain only the next step.
const onAuth = (more: Record<string, string> = {}) =>
  authorizeUrl(AUTH, 'news', `${NEWS}/story`, { redirect_uri: landingOf('news'), allow_ajax: 'true', ...more });
const onNews = (more: Record<string, string> = {}) =>
  authorizeUrl(NEWS, 'news', `${NEWS}/story`, { allow_ajax: 'true', ...more });

const REFUSED: readonly [title: string, headers: Record<string, string>][] = [
  ['another site', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors', Origin: 'https://evil.test' }],
  ['another site, without Origin', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' }],
  [
    'a sibling host',
    { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors', Origin: `http://x.${new URL(AUTH).host}` },
  ],
  ['a sibling host, without Origin', { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors' }],
  ['an opaque origin of another site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'null' }],
  ['an opaque origin in an old browser', { Origin: 'null' }],
  ['another site in an old browser', { Origin: 'https://evil.test' }],
  ['another site in an old browser that sends only a Referer', { Referer: 'https://evil.test/' }],
  [
    'a page change of the same origin',
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
  ],
  [
    'a page change of another site',
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
  ],
  ['the address bar', { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }],
  ['a same-origin claim with a foreign Origin', { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://evil.test' }],
];

for (const [title, headers] of REFUSED) {
  test(`security 60: authorize for scripts, asked from ${title}, is refused and makes no code`, async (t) => {
    const { browser, session } = await signedInBrowser(server);
    for (const url of [onAuth(), onNews()]) {
      const answer = await browser.ask(url, { headers: { Accept: '*/*', ...headers } });
      t.is(answer.status, 403);
      t.is(answer.json().error, 'access_denied');
      t.false('redirect_uri' in answer.json());
      t.is(answer.location, null);
    }
    t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
  });
}

for (const [title, headers] of [
  [
    'a script of the same origin',
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' },
  ],
  ['an old browser with the Referer of the same origin', { Referer: `${AUTH}/` }],
  ['a caller that is no browser', {}],
] as const) {
  test(`security 60: authorize for scripts answers ${title} in JSON that nobody may store, read from elsewhere or sniff`, async (t) => {
    const { browser, session } = await signedInBrowser(server);
    const answer = await browser.ask(onAuth(), { headers: { Accept: '*/*', ...headers } });
    t.is(answer.status, 200);
    const target = new URL(answer.json().redirect_uri);
    t.is(`${target.origin}${target.pathname}`, landingOf('news'));
    t.regex(String(target.searchParams.get('code')), /^[\w-]{43}$/);
    t.is(answer.json().redirect_url, answer.json().redirect_uri);
    t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
    t.is(answer.headers['x-content-type-options'], 'nosniff');
    t.is(answer.headers['cross-origin-resource-policy'], 'same-origin');
    t.is(answer.headers['cache-control'], 'no-store');
    t.is(answer.headers['access-control-allow-origin'], undefined);
    t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 1);
  });
}

test('security 61: a script on a client domain is led to the auth domain, and from there to the configured sign-in page', async (t) => {
  const browser = server.browser();
  const first = (await browser.fetch(onNews())).json().redirect_uri;
  t.true(first.startsWith(`${AUTH}/api/auth/v1/oauth/authorize?`));
  const second = (await browser.fetch(onAuth())).json().redirect_uri;
  t.true(second.startsWith(`${AUTH}/login?`));
});

const BAD = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)//',
  'data:text/html,x',
  'vbscript:x',
  'https://evil.test/',
  '//evil.test/',
  '///evil.test',
  '/\\evil.test',
  '\\\\evil.test',
  `${NEWS}@evil.test/`,
  `${NEWS}:x@evil.test/`,
  `${NEWS}.evil.test/`,
  'http:evil.test',
  'http:/evil.test',
  ' https://evil.test',
  `${NEWS}/\r\nLocation: https://evil.test`,
  `${NEWS}/%0d%0aX: y`,
  `${NEWS}\\@evil.test`,
  `${NEWS}/api/auth/v1/logout`,
  'blob:x',
  'about:blank',
  '/story',
  'story',
  `${NEWS}\t/`,
  `${NEWS}/\u0000`,
];

for (const name of ['redirect_uri', 'callback_uri'] as const) {
  test(`security 61: a script that asks with a dangerous ${name} gets an error without any address`, async (t) => {
    const { browser, session } = await signedInBrowser(server);
    for (const value of BAD)
      for (const url of [onAuth({ [name]: value }), onNews({ [name]: value })]) {
        const answer = await browser.fetch(url);
        t.is(answer.status, 400, value);
        t.truthy(answer.json().error);
        for (const key of ['redirect_uri', 'redirect_url']) t.false(key in answer.json());
        t.false(answer.text.includes('evil'), answer.text);
      }
    t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
  });
}

test('security 62: only the literal true asks for JSON; anything else is an ordinary authorize', async (t) => {
  const { browser } = await signedInBrowser(server);
  for (const value of ['false', 'TRUE', 'True', '1', 'yes', ' true', 'true ', '']) {
    const answer = await browser.navigate(onNews({ allow_ajax: value }), { from: `${NEWS}/` });
    t.is(answer.status, 303, value);
    t.true(answer.location?.startsWith(AUTH));
  }
});

test('security 62: a repeated allow_ajax, or one with brackets, is refused', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  for (const more of [
    '&allow_ajax=true',
    '&allow_ajax=false',
    '&allow_ajax[]=true',
    '&allow_ajax%5B%5D=1',
    '&allow_ajax',
  ]) {
    for (const url of [onAuth(), onNews()]) {
      const answer = await browser.fetch(`${url}${more}`);
      t.is(answer.status, 400, more);
      t.is(answer.location, null);
    }
  }
  t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
});

test('security 63: there is no JSONP: a callback parameter changes nothing', async (t) => {
  const { browser } = await signedInBrowser(server);
  for (const name of ['callback', 'jsonp', 'cb']) {
    const answer = await browser.fetch(`${ME}?${name}=alert`);
    t.is(answer.status, 200);
    t.is(answer.text.trim()[0], '{');
    t.false(answer.text.includes('alert'));
    t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
    t.is(answer.headers['x-content-type-options'], 'nosniff');
  }
});

test('security 63: JSON that is loaded as a part of a page is refused', async (t) => {
  const { browser } = await signedInBrowser(server);
  for (const destination of ['script', 'style', 'image', 'iframe', 'object', 'worker'])
    for (const site of ['cross-site', 'same-site', 'same-origin']) {
      for (const path of ['users/me', 'sessions', 'sessions/validate', 'events']) {
        const answer = await browser.fetch(`${NEWS}/api/auth/v1/${path}`, {
          headers: { 'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': destination },
        });
        t.is(answer.status, 403, `${path} ${destination} ${site}`);
        t.false(answer.text.includes('@example.com'));
      }
    }
  t.is(
    (
      await browser.fetch(`${NEWS}/api/auth/v1/sdk.js`, {
        headers: { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script' },
      })
    ).status,
    200,
  );
});
