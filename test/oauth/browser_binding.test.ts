// A code becomes a session only in the browser that started its flow; elsewhere the flow begins again, once.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { landingOf, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import {
  AUTH,
  AUTHORIZE,
  AUTO_SSO,
  flowsOf,
  followWithoutFlows,
  forgetFlows,
  isReader,
  isRefused,
  landingWith,
  NEWS,
  onAuth,
  reachCode,
  setsSession,
} from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());

const newsSessionsOf = (sessionId: string) =>
  countRows(server, 'domain_sessions', { session_id: sessionId, host: 'news.test.localhost' });

test("security 1: another one's unused code signs nobody in; the browser is sent to sign in as itself", async (t) => {
  const attacker = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(attacker.browser);
  const victim = server.browser();
  const landed = await victim.navigate(landing, { from: 'https://evil.test/' });
  t.is(landed.status, 303);
  t.true(String(landed.location).startsWith(`${NEWS}${AUTHORIZE}?`));
  t.false(setsSession(landed));
  await isReader(t, victim, NEWS, null);
  const onward = await victim.follow(String(landed.location), { from: NEWS });
  t.true(onward.hops.at(-1)?.startsWith(`${AUTH}/login?`), 'it asks who the reader is');
  await isReader(t, victim, NEWS, null);
  t.is(await newsSessionsOf(attacker.session.id), 0, 'the code was burnt');
  t.is((await attacker.browser.navigate(landing, { from: AUTH })).status, 303, 'and its owner starts again');
  await isReader(t, attacker.browser, NEWS, null);
});

test("security 1: a reader who opens another one's code stays or becomes himself", async (t) => {
  const attacker = await signedInBrowser(server, ['auth']);
  const victim = await signedInBrowser(server, ['auth', 'news']);
  const { landing } = await reachCode(attacker.browser);
  const landed = await victim.browser.navigate(landing, { from: 'https://evil.test/' });
  t.false(setsSession(landed));
  await isReader(t, victim.browser, NEWS, victim.account);
  const arrived = await victim.browser.follow(String(landed.location), { from: NEWS });
  t.is(arrived.hops.at(-1), `${NEWS}/page`);
  await isReader(t, victim.browser, NEWS, victim.account);
});

test('security 1: a flow cookie of another flow of the same browser does not fit a foreign code', async (t) => {
  const attacker = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(attacker.browser);
  const victim = server.browser();
  await victim.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/mine`));
  t.is(flowsOf(victim).length, 1);
  const landed = await victim.navigate(landing, { from: 'https://evil.test/' });
  t.true(String(landed.location).startsWith(`${NEWS}${AUTHORIZE}?`));
  await isReader(t, victim, NEWS, null);
});

test('security 1: a flow on a client domain is bound by the cookie that is set there, not by what the address says', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  const planted = 'A'.repeat(43);
  const start = await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/page`, { flow: planted }));
  t.not(new URL(String(start.location)).searchParams.get('flow'), planted);
  t.is(flowsOf(browser).length, 1);
});

test('security 2: a flow that was linked straight to the auth domain ends signed in, in eight hops at most', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const arrived = await browser.follow(onAuth(), { from: 'https://evil.test/' });
  t.is(arrived.hops.at(-1), `${NEWS}/page`);
  t.true(arrived.hops.length <= 8, arrived.hops.join('\n'));
  t.is(arrived.hops.filter((hop) => hop.startsWith(landingOf('news'))).length, 2, 'one restart');
  await isReader(t, browser, NEWS, account);
});

test('security 2: a browser that never keeps the flow cookie meets one page after one restart', async (t) => {
  for (const start of [onAuth(), authorizeUrl(NEWS, 'news', `${NEWS}/page`)]) {
    const { browser, session } = await signedInBrowser(server, ['auth']);
    const ended = await followWithoutFlows(browser, start);
    isRefused(t, ended);
    t.is(ended.hops.filter((hop) => hop.startsWith(landingOf('news'))).length, 2);
    t.is(ended.hops.filter((hop) => hop.includes('restart=1') && hop.startsWith(NEWS)).length, 1);
    t.regex(String(ended.headers['content-type']), /^text\/html/);
    t.is(await newsSessionsOf(session.id), 0);
  }
});

test('security 2, 19: a silent flow without its cookie ends anonymous on the page it came from, after one restart', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  const ended = await followWithoutFlows(browser, authorizeUrl(NEWS, 'news', `${NEWS}/page?x=1`, {}, AUTO_SSO));
  t.is(ended.hops.at(-1), `${NEWS}/page?x=1&logged_in=false`);
  t.is(ended.hops.filter((hop) => hop.startsWith(landingOf('news'))).length, 2);
  t.is(ended.hops.filter((hop) => hop.startsWith(`${NEWS}${AUTO_SSO}`) && hop.includes('restart=1')).length, 1);
});

test('security 2: a mark of restart in the address of a visitor is no way to be signed in without the cookie', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth']);
  const issued = await browser.navigate(onAuth('news', { restart: '1' }), { from: 'https://evil.test/' });
  isRefused(t, await server.browser().navigate(String(issued.location), { from: AUTH }));
  t.is(await newsSessionsOf(session.id), 0);
});

test("security 3: who completes a stranger's flow is signed in himself, and the stranger gains nothing", async (t) => {
  const attacker = server.browser();
  const start = await attacker.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/page`));
  const victim = await signedInBrowser(server, ['auth']);
  const issued = await victim.browser.navigate(String(start.location), { from: 'https://evil.test/' });
  const landed = await victim.browser.navigate(String(issued.location), { from: AUTH });
  t.false(setsSession(landed));
  const arrived = await victim.browser.follow(String(landed.location), { from: AUTH });
  t.is(arrived.hops.at(-1), `${NEWS}/page`);
  await isReader(t, victim.browser, NEWS, victim.account);
  // The stranger holds the flow cookie, but every code that he could learn of is used up.
  for (const url of [String(issued.location), ...arrived.hops.filter((hop) => hop.includes('code='))]) {
    t.false(setsSession(await attacker.navigate(url, { from: AUTH })));
  }
  await isReader(t, attacker, NEWS, null);
});

test('security 1: a code whose SSO session has ended meanwhile leads back to the sign-in page, and without a flow to a refusal', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser);
  t.is((await browser.fetch(`${AUTH}/api/auth/v1/logout`)).status, 204);
  isRefused(t, await server.browser().navigate(landing, { from: AUTH }));
  const page = await browser.follow(landing, { from: AUTH });
  t.true(page.hops.at(-1)?.startsWith(`${AUTH}/login?`), page.hops.join('\n'));
  t.is(page.status, 200);
  const posted = await browser.submit(page, { identifier: account.email, password: 'a long enough password' });
  const arrived = await browser.follow(new URL(String(posted.location), AUTH).href, { from: AUTH });
  t.is(arrived.hops.at(-1), `${NEWS}/page`);
  await isReader(t, browser, NEWS, account);
});

test('security 2: an unknown code restarts a browser with a flow under way once, and never one whose flow was restarted', async (t) => {
  const browser = server.browser();
  await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/page`));
  const unknown = landingWith('A'.repeat(43));
  const landed = await browser.navigate(unknown, { from: AUTH });
  t.true(String(landed.location).startsWith(`${NEWS}${AUTHORIZE}?`));
  forgetFlows(browser);
  await browser.navigate(String(landed.location), { from: AUTH });
  isRefused(t, await browser.navigate(unknown, { from: AUTH }));
});
