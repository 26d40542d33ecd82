import test from 'ava';
import { HOSTS, originOf, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, SPORTS, AUTH] = [originOf('news'), originOf('sports'), originOf('auth')];
const SITES = [NEWS, SPORTS, originOf('shop')];
const LOGOUT = `${NEWS}/api/auth/v1/logout`;
const HTML = 'text/html,application/xhtml+xml,*/*;q=0.8';

/** Sends the sign-out of a new reader with exactly these headers, and tells whether the session is still alive. */
async function signOut(headers: Record<string, string>, query = '') {
  const { session, browser } = await signedInBrowser(server, ['news', 'sports']);
  const answer = await browser.ask(`${LOGOUT}${query}`, { headers });
  const isAlive = (await countRows(server, 'sessions', { id: session.id })) === 1;
  return { answer, isAlive, browser, session };
}

type Outcome = 'ended, 204' | 'ended, 303' | 'asked' | 'refused';

function outcomeOf({ answer, isAlive }: Awaited<ReturnType<typeof signOut>>): Outcome | string {
  if (!isAlive) return `ended, ${answer.status}`;
  if (answer.status === 200 && answer.text.includes('<form method="post" action="/api/auth/v1/logout">'))
    return 'asked';
  return answer.status === 403 && answer.location === null ? 'refused' : `alive, ${answer.status}`;
}

const metadata = (site: string, mode: string, dest: string) => ({
  'Sec-Fetch-Site': site,
  'Sec-Fetch-Mode': mode,
  'Sec-Fetch-Dest': dest,
  Accept: mode === 'navigate' ? HTML : '*/*',
});
const SUBRESOURCES = [
  ['no-cors', 'image'],
  ['no-cors', 'script'],
  ['no-cors', 'style'],
  ['no-cors', 'video'],
  ['no-cors', 'object'],
  ['cors', 'font'],
  ['navigate', 'iframe'],
  ['navigate', 'frame'],
  ['navigate', 'embed'],
] as const;

const TABLE: readonly [title: string, headers: Record<string, string>, expected: Outcome][] = [
  ['a script of the same origin', metadata('same-origin', 'cors', 'empty'), 'ended, 204'],
  ['a script of the same origin, same-origin mode', metadata('same-origin', 'same-origin', 'empty'), 'ended, 204'],
  ['a link of the same origin', metadata('same-origin', 'navigate', 'document'), 'ended, 303'],
  ['the address bar', metadata('none', 'navigate', 'document'), 'asked'],
  ['a link, window.open or redirect of another site', metadata('cross-site', 'navigate', 'document'), 'asked'],
  ['a link of a sibling host', metadata('same-site', 'navigate', 'document'), 'asked'],
  ['a script of another site', metadata('cross-site', 'cors', 'empty'), 'refused'],
  ['a blind script of another site', metadata('cross-site', 'no-cors', 'empty'), 'refused'],
  ['a script of a sibling host', metadata('same-site', 'cors', 'empty'), 'refused'],
  ...(['same-origin', 'same-site', 'cross-site', 'none'] as const).flatMap((site) =>
    SUBRESOURCES.map(([mode, dest]): [string, Record<string, string>, Outcome] => [
      `a ${dest} (${mode}) from ${site}`,
      metadata(site, mode, dest),
      'refused',
    ]),
  ),
  [
    'an Origin of another site beside same-origin metadata',
    { ...metadata('same-origin', 'cors', 'empty'), Origin: 'https://evil.test' },
    'refused',
  ],
  ['an old browser: Origin of this site', { Accept: '*/*', Origin: NEWS }, 'ended, 204'],
  ['an old browser: Origin of another site', { Accept: '*/*', Origin: 'https://evil.test' }, 'refused'],
  ['an old browser: Origin null', { Accept: '*/*', Origin: 'null' }, 'refused'],
  ['an old browser: Referer of this site', { Accept: '*/*', Referer: `${NEWS}/story` }, 'ended, 204'],
  [
    'an old browser: Referer of another site that begins alike',
    { Accept: '*/*', Referer: `${NEWS}.evil.test/` },
    'refused',
  ],
  ['an old browser: a Referer that is no address', { Accept: '*/*', Referer: 'about:blank' }, 'refused'],
  ['an old browser: a page opened without a Referer', { Accept: HTML }, 'asked'],
  ['an old browser: a page opened from another site', { Accept: HTML, Referer: 'https://evil.test/' }, 'asked'],
  ['an app: no header at all', {}, 'ended, 204'],
  ['an app: any type', { Accept: '*/*' }, 'ended, 204'],
  ['an app: JSON', { Accept: 'application/json' }, 'ended, 204'],
];

for (const [title, headers, expected] of TABLE) {
  test(`security 67: GET /logout from ${title}: ${expected}`, async (t) => {
    t.is(outcomeOf(await signOut(headers)), expected);
  });
}

test('security 67: a browser that fetches ahead signs nobody out', async (t) => {
  for (const headers of [
    { 'Sec-Purpose': 'prefetch' },
    { 'Sec-Purpose': 'prefetch;prerender' },
    { Purpose: 'prefetch' },
    { 'X-Moz': 'prefetch' },
  ]) {
    t.is(
      outcomeOf(await signOut({ ...metadata('same-origin', 'navigate', 'document'), ...headers })),
      'refused',
      JSON.stringify(headers),
    );
  }
});

test('security 67: HEAD and other methods sign nobody out', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
    t.is((await browser.fetch(LOGOUT, { method })).status, 405, method);
  t.is(await countRows(server, 'sessions', { id: session.id }), 1);
});

test('security 57, 67: the page that asks ends the session only with its own token, in the browser it was shown to', async (t) => {
  const [{ browser, session }, stranger] = [await signedInBrowser(server), await signedInBrowser(server)];
  const page = await browser.navigate(LOGOUT);
  const theirs = await stranger.browser.navigate(LOGOUT);
  for (const token of ['', 'x', /name="csrf_token" value="([^"]*)"/.exec(theirs.text)?.[1] ?? '']) {
    const answer = await browser.submit(page, { csrf_token: token });
    t.is(answer.status, 403);
    t.true(answer.text.includes('name="csrf_token"'));
  }
  for (const headers of [
    { Origin: 'https://evil.test', 'Sec-Fetch-Site': 'cross-site' },
    { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' },
    { Origin: SPORTS, 'Sec-Fetch-Site': 'same-site' },
  ]) {
    t.is((await browser.submit(page, {}, { headers })).status, 403);
  }
  t.is(await countRows(server, 'sessions', { id: session.id }), 1);
  t.is((await browser.submit(page, {})).status, 303);
  t.is(await countRows(server, 'sessions', { id: session.id }), 0);
  t.is(await countRows(server, 'sessions', { id: stranger.session.id }), 1);
});

test('security 57: the sign-out of the auth domain needs its token too', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  const page = await browser.navigate(`${AUTH}/logout`);
  t.is(page.status, 200);
  t.is((await browser.submit(page, { csrf_token: 'x' })).location, '/logout');
  t.is(
    (await browser.submit(page, {}, { headers: { Origin: 'https://evil.test', 'Sec-Fetch-Site': 'cross-site' } }))
      .status,
    403,
  );
  t.is(await countRows(server, 'sessions', { id: session.id }), 1);
  t.is((await browser.submit(page, {})).location, '/signed-out');
  t.is(await countRows(server, 'sessions', { id: session.id }), 0);
});

test('security 69: signing out again, or with a dead or broken cookie, is answered 204 and clears the cookies as they were set', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  for (const cookies of [
    session.cookies['news'],
    session.cookies['news'],
    session.cookies['news'],
    'qt-auth=x',
    'qt-auth=x; qt-auth=y; __Host-qt-auth=%E0',
    null,
  ]) {
    const answer = await browser.fetch(LOGOUT, { cookies: cookies ?? null });
    t.is(answer.status, 204);
    t.is(answer.text, '');
    for (const name of ['qt-auth', '__Host-qt-auth']) {
      const line = answer.cookies.find((candidate) => candidate.startsWith(`${name}=; `));
      t.deepEqual(line?.split('; ').slice(1).sort(), ['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Lax', 'Secure']);
    }
  }
});

test("security 72: no answer of a client host clears the publisher's own cookies", async (t) => {
  const { answer } = await signOut(metadata('same-origin', 'cors', 'empty'));
  t.is(answer.headers['clear-site-data'], undefined);
  const page = await signOut(metadata('same-origin', 'navigate', 'document'));
  t.is(page.answer.headers['clear-site-data'], undefined);
  t.true([...answer.cookies, ...page.answer.cookies].every((line) => /^(qt-auth|__Host-qt-)/.test(line)));
});

const ELSEWHERE = [
  'https://evil.test/',
  '//evil.test',
  'http:evil.test',
  `${NEWS}@evil.test/`,
  `${NEWS}.evil.test/`,
  'javascript:alert(1)',
  `${SPORTS}/`,
  '/\\evil.test',
  `${NEWS}/api/auth/v1/logout`,
  `${NEWS}/%0d%0aLocation:%20https://evil.test`,
];

test('security 73: after signing out a browser is sent to a page of the same site, whatever the address asks for', async (t) => {
  for (const target of ELSEWHERE) {
    for (const name of [
      'redirect-url',
      'redirect',
      'callback_uri',
      'returnTo',
      'next',
      'redirect_uri',
      'post_logout_redirect_uri',
    ]) {
      const { answer } = await signOut(
        metadata('same-origin', 'navigate', 'document'),
        `?${name}=${encodeURIComponent(target)}`,
      );
      t.is(answer.location, `${NEWS}/`, `${name}=${target}`);
    }
  }
  const { answer } = await signOut(
    metadata('same-origin', 'navigate', 'document'),
    `?redirect-url=${encodeURIComponent(`${NEWS}/story?p=1#end`)}`,
  );
  t.is(answer.location, `${NEWS}/story?p=1#end`);
});

test('security 73: the page that asks carries no foreign target on, and one step leads out', async (t) => {
  for (const target of ELSEWHERE.slice(0, 6)) {
    const { browser } = await signedInBrowser(server);
    const page = await browser.navigate(`${LOGOUT}?redirect-url=${encodeURIComponent(target)}`, {
      from: 'https://evil.test/',
    });
    t.is(page.status, 200);
    const done = await browser.submit(page, {});
    t.is(done.location, '/api/auth/v1/signed-out', target);
    const last = await browser.navigate(new URL(done.location ?? '', NEWS).href, { from: page.url });
    t.is(last.location, null);
    // The same page in another language, the front page, or a site of the realm.
    for (const [, href] of last.text.matchAll(/<a [^>]*href="([^"]*)"/g))
      t.true(
        ['/', ...SITES].includes(href ?? '') || /^\/api\/auth\/v1\/signed-out\?ui_locales=[a-z]{2}$/.test(href ?? ''),
        href,
      );
  }
});

test('the page that asks leads on to the page of the site that was asked for, and else to the page after signing out', async (t) => {
  const { browser } = await signedInBrowser(server, ['news']);
  const target = `${NEWS}/story?p=1#end`;
  const page = await browser.navigate(`${LOGOUT}?redirect-url=${encodeURIComponent(target)}`);
  t.is((await browser.submit(page, {})).location, target);
  // On the auth domain it is the page that was there before.
  const auth = await signedInBrowser(server, ['auth']);
  const asked = await auth.browser.navigate(`${AUTH}/api/auth/v1/logout`);
  t.is((await auth.browser.submit(asked, {})).location, '/signed-out');
  t.is((await auth.browser.navigate(`${AUTH}/api/auth/v1/signed-out`)).status, 404);
});

test('on a client domain a script that signs out and a link of the site leave no state of the browser behind', async (t) => {
  for (const mode of ['cors', 'navigate']) {
    const { answer, browser } = await signOut(metadata('same-origin', mode, mode === 'cors' ? 'empty' : 'document'));
    t.is(answer.location, mode === 'cors' ? null : `${NEWS}/`);
    t.false(browser.jarOf(HOSTS.news).has('__Host-qt-browser'));
  }
});

test('who has just signed out is left in peace by automatic sign-in', async (t) => {
  const { answer, browser } = await signOut(metadata('same-origin', 'cors', 'empty'));
  t.true(answer.cookies.some((line) => line.startsWith('__Host-qt-quiet=1; Max-Age=600')));
  t.is(browser.jarOf(HOSTS.news).get('__Host-qt-quiet'), '1');
});
