// Automatic sign-in: silent, for navigations of readers only, and never twice in a row.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, AUTO_SSO, EVIL, isReader, isRefused, NEWS, onAuth } from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const silently = (callback: string, more = {}) => authorizeUrl(NEWS, 'news', callback, more, AUTO_SSO);
const QUIET = '__Host-qt-quiet';

const CALLBACKS = [
  ['/p', '/p?logged_in=false'],
  ['/p?x=1', '/p?x=1&logged_in=false'],
  ['/p?x=1#f', '/p?x=1&logged_in=false#f'],
  ['/p#f?x=1', '/p?logged_in=false#f?x=1'],
  ['/p?', '/p?logged_in=false'],
  ['/p?x=a%26b%3Dc&y=+', '/p?x=a%26b%3Dc&y=+&logged_in=false'],
  ['/p?logged_in=false', '/p?logged_in=false'],
  ['/p?x=1&logged_in=false#f', '/p?x=1&logged_in=false#f'],
  ['/p?logged_in=true', '/p?logged_in=true'],
  ['/p?logged_in', '/p?logged_in'],
  ['/p?not_logged_in=1', '/p?not_logged_in=1&logged_in=false'],
  ['/p#logged_in=false', '/p?logged_in=false#logged_in=false'],
  ['', '/?logged_in=false'],
] as const;

test('security 19: an anonymous reader is back on his page at once, with logged_in=false exactly once and everything else as it was', async (t) => {
  for (const [path, wanted] of CALLBACKS) {
    const arrived = await server.browser().follow(silently(`${NEWS}${path}`), { from: `${NEWS}/` });
    t.is(arrived.hops.at(-1), `${NEWS}${wanted}`, path);
    t.true(arrived.hops.length <= 3, arrived.hops.join('\n'));
  }
});

test('security 19: the auth domain shows no page, sets no cookie and makes no flow for a silent request', async (t) => {
  const answer = await server
    .browser()
    .navigate(onAuth('news', { callback_uri: `${NEWS}/p?x=1#f` }, AUTO_SSO), { from: NEWS });
  t.is(answer.status, 303);
  t.is(answer.location, `${NEWS}/p?x=1&logged_in=false#f`);
  t.deepEqual(answer.cookies, []);
  t.is(answer.text, '');
});

test('security 19: a page that was answered already is not asked again', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth']);
  for (const url of [
    silently(`${NEWS}/p?logged_in=false`),
    onAuth('news', { callback_uri: `${NEWS}/p?logged_in=false` }, AUTO_SSO),
  ]) {
    const answer = await browser.navigate(url, { from: NEWS });
    t.is(answer.location, `${NEWS}/p?logged_in=false`);
    t.deepEqual(answer.cookies, []);
  }
  t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
});

test('contract §3.3: a reader with a session elsewhere arrives signed in on the page as it was', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const arrived = await browser.follow(silently(`${NEWS}/p?x=1#f`), { from: `${NEWS}/` });
  t.is(arrived.hops.at(-1), `${NEWS}/p?x=1#f`);
  await isReader(t, browser, NEWS, account);
  t.false(browser.jarOf(HOSTS.news).has(QUIET), 'who is signed in need not be left in peace');
});

const PROBES = [
  ...['iframe', 'image', 'frame', 'embed', 'object', 'script', 'style', 'empty', 'video', 'fencedframe'].map(
    (dest) => ({
      'Sec-Fetch-Dest': dest,
      'Sec-Fetch-Mode': dest === 'empty' ? 'cors' : dest.includes('frame') ? 'navigate' : 'no-cors',
    }),
  ),
  { 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Mode': 'no-cors' },
  { 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Mode': 'same-origin' },
];

test('security 20: nothing but a navigation finds out whether a reader is signed in', async (t) => {
  for (const isSignedIn of [true, false]) {
    const browser = isSignedIn ? (await signedInBrowser(server, ['auth', 'news'])).browser : server.browser();
    for (const probe of PROBES) {
      for (const url of [silently(`${NEWS}/p`), onAuth('news', {}, AUTO_SSO)]) {
        const answer = await browser.navigate(url, { from: EVIL, headers: probe });
        isRefused(t, answer, 403, JSON.stringify(probe));
        t.deepEqual(answer.cookies, []);
      }
      isRefused(t, await browser.navigate(onAuth(), { from: EVIL, headers: probe }), 403, JSON.stringify(probe));
    }
  }
});

const withoutNonces = (html: string) => html.replace(/(nonce="|reference-id"><bdi>)[\w-]+/g, '$1');

test('security 20: what is refused looks the same for everybody, and no answer may be framed or read by another site', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth', 'news']);
  const headers = { 'Sec-Fetch-Dest': 'image', 'Sec-Fetch-Mode': 'no-cors' };
  for (const url of [onAuth('news', {}, AUTO_SSO), onAuth(), `${AUTH}/login`, silently(`${NEWS}/p`)]) {
    const [known, unknown] = [
      await browser.navigate(url, { from: EVIL, headers }),
      await server.browser().navigate(url, { from: EVIL, headers }),
    ];
    if (!url.endsWith('/login')) t.is(withoutNonces(known.text), withoutNonces(unknown.text));
    for (const answer of [known, unknown, await browser.navigate(url)]) {
      t.regex(String(answer.headers['content-security-policy']), /frame-ancestors 'none'/, url);
      t.is(answer.headers['cross-origin-opener-policy'], 'same-origin');
      t.is(answer.headers['cross-origin-resource-policy'], 'same-origin');
      t.is(answer.headers['x-frame-options'], 'DENY');
    }
  }
});

const BOTS = [
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
  'Twitterbot/1.0',
  'GPTBot/1.2',
  'curl/8.5.0',
];

test('contract §3.3: a robot is never bounced; it stays on the page and gets no cookie', async (t) => {
  for (const agent of BOTS) {
    const answer = await server.browser().navigate(silently(`${NEWS}/p?x=1`), { headers: { 'User-Agent': agent } });
    t.is(answer.location, `${NEWS}/p?x=1&logged_in=false`, agent);
    t.deepEqual(answer.cookies, [], agent);
  }
});

test('contract §3.3: within the quiet period the same browser is not bounced a second time', async (t) => {
  const browser = server.browser();
  const first = await browser.navigate(silently(`${NEWS}/p`), { from: `${NEWS}/` });
  t.true(String(first.location).startsWith(`${AUTH}${AUTO_SSO}?`));
  t.true(
    first.cookies.some((line) => line.startsWith(`${QUIET}=1; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax`)),
  );
  const second = await browser.navigate(silently(`${NEWS}/q?x=1`), { from: `${NEWS}/` });
  t.is(second.location, `${NEWS}/q?x=1&logged_in=false`);
  t.deepEqual(second.cookies, [], 'and the period is not drawn out');
  browser.jarOf(HOSTS.news).delete(QUIET);
  const later = await browser.navigate(silently(`${NEWS}/r`), { from: `${NEWS}/` });
  t.true(String(later.location).startsWith(`${AUTH}${AUTO_SSO}?`), 'after it he is asked again');
});

test('contract §3.3: the quiet period does not stand in the way of a sign-in that the reader wants', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  browser.jarOf(HOSTS.news).set(QUIET, '1');
  const arrived = await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/p`), { from: `${NEWS}/` });
  t.is(arrived.hops.at(-1), `${NEWS}/p`);
  await isReader(t, browser, NEWS, account);
  t.false(browser.jarOf(HOSTS.news).has(QUIET));
});

test('contract §3.3: who has just signed out on a site is not signed in again there by itself', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth', 'news']);
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/logout`)).status, 204);
  const another = await signedInBrowser(server, ['auth']);
  for (const [name, value] of another.browser.jarOf(HOSTS.auth)) browser.jarOf(HOSTS.auth).set(name, value);
  const answer = await browser.navigate(silently(`${NEWS}/p`), { from: `${NEWS}/` });
  t.is(answer.location, `${NEWS}/p?logged_in=false`);
  await isReader(t, browser, NEWS, null);
});
