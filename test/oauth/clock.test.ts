// What time does to a flow. Each test moves the clock of the whole database, so one runs after the other.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, AUTHORIZE, forgetFlows, isReader, isRefused, NEWS, reachCode, setsSession } from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());

test.serial(
  'security 8: a code is good for less than 61 seconds; after that the flow begins again and still arrives',
  async (t) => {
    const { account, browser, session } = await signedInBrowser(server, ['auth']);
    const { landing } = await reachCode(browser);
    await server.database.moveClock(61);
    const landed = await browser.navigate(landing, { from: AUTH });
    t.false(setsSession(landed));
    t.true(String(landed.location).startsWith(`${NEWS}${AUTHORIZE}?`));
    t.is(await countRows(server, 'domain_sessions', { session_id: session.id }), 1);
    const arrived = await browser.follow(String(landed.location), { from: AUTH });
    t.is(arrived.hops.at(-1), `${NEWS}/page`);
    await isReader(t, browser, NEWS, account);
  },
);

test.serial('security 8: a code is still good after 55 seconds', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser);
  await server.database.moveClock(55);
  t.true(setsSession(await browser.navigate(landing, { from: AUTH })));
  await isReader(t, browser, NEWS, account);
});

test.serial('security 6: the used address is a replay after a minute, even from the same browser', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser);
  await browser.navigate(landing, { from: AUTH });
  await server.database.moveClock(50);
  t.is((await browser.navigate(landing, { from: AUTH })).location, `${NEWS}/page`);
  await isReader(t, browser, NEWS, account);
  await server.database.moveClock(11);
  isRefused(t, await browser.navigate(landing, { from: AUTH }));
  await isReader(t, browser, NEWS, null);
  await isReader(t, browser, AUTH, account);
});

test.serial(
  'security 4: a replay is recognised an hour later, and the session that the code made is ended',
  async (t) => {
    const { account, browser } = await signedInBrowser(server, ['auth']);
    const { landing } = await reachCode(browser);
    await browser.navigate(landing, { from: AUTH });
    await server.database.moveClock(3600);
    await server.services.oauth.jobs[0]!.run(server.services.db);
    await isReader(t, browser, NEWS, account);
    isRefused(t, await server.browser().navigate(landing, { from: 'https://evil.test/' }));
    await isReader(t, browser, NEWS, null);
  },
);

test.serial(
  'security 1: a sign-in page left open overnight, its flow cookie long gone, still arrives, after one restart',
  async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser();
    const page = await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/story`), { from: `${NEWS}/` });
    t.is(page.status, 200);
    await server.database.moveClock(12 * 3600);
    forgetFlows(browser);
    const posted = await browser.submit(page, { identifier: account.email, password: PASSWORD });
    t.is(posted.status, 303);
    const arrived = await browser.follow(new URL(String(posted.location), AUTH).href, { from: AUTH });
    t.is(arrived.hops.at(-1), `${NEWS}/story`);
    t.is(arrived.hops.filter((hop) => hop.startsWith(`${NEWS}${AUTHORIZE}`)).length, 1);
    await isReader(t, browser, NEWS, account);
    t.true(browser.jarOf(HOSTS.news).has('qt-auth'));
  },
);
