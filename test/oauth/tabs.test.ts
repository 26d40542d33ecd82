// Several flows in one browser at once.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, flowsOf, isReader, NEWS, reachCode, setsSession } from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());

test('security 18: three flows finished in reverse order all arrive where each began', async (t) => {
  const { account, browser, session } = await signedInBrowser(server, ['auth']);
  const flows = [];
  for (const name of ['one', 'two', 'three']) flows.push(await reachCode(browser, 'news', `${NEWS}/${name}`));
  for (const [index, { landing }] of flows.toReversed().entries()) {
    const landed = await browser.navigate(landing, { from: AUTH });
    t.is(landed.location, `${NEWS}/${['three', 'two', 'one'][index]}`);
    t.true(setsSession(landed));
    await isReader(t, browser, NEWS, account);
  }
  t.is(
    await countRows(server, 'domain_sessions', { session_id: session.id, host: HOSTS.news }),
    1,
    'each made room for the next',
  );
});

test('security 18: three sign-in pages opened at once all arrive, the last two without a password', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const pages = [];
  for (const name of ['one', 'two', 'three'])
    pages.push(await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/${name}`), { from: `${NEWS}/` }));
  const last = pages.pop();
  if (!last) throw new Error('no page');
  const posted = await browser.submit(last, { identifier: account.email, password: PASSWORD });
  t.is(
    (await browser.follow(new URL(String(posted.location), AUTH).href, { from: AUTH })).hops.at(-1),
    `${NEWS}/three`,
  );
  for (const [page, name] of [
    [pages[1], 'two'],
    [pages[0], 'one'],
  ] as const) {
    const reloaded = await browser.follow(String(page?.hops.at(-1)), { from: AUTH });
    t.is(reloaded.hops.at(-1), `${NEWS}/${name}`);
  }
  await isReader(t, browser, NEWS, account);
});

test('security 18: two hundred flows that were started leave five cookies, a small header, and the next one works', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  for (let count = 1; count <= 200; count++) {
    const answer = await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/${count}`), { from: `${NEWS}/` });
    t.is(answer.status, 303);
    t.true(flowsOf(browser).length <= 5);
  }
  t.is(flowsOf(browser).length, 5);
  t.true(browser.cookieHeader(HOSTS.news).length < 1024, 'far below 8 KB');
  const { landing } = await reachCode(browser);
  t.true(setsSession(await browser.navigate(landing, { from: AUTH })));
  await isReader(t, browser, NEWS, account);
});

test('security 18: of more than five flows the oldest gives way, and its tab still arrives after a restart', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const oldest = await reachCode(browser, 'news', `${NEWS}/oldest`);
  const [first = ''] = flowsOf(browser);
  for (let count = 1; count <= 5; count++) await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/${count}`));
  t.false(flowsOf(browser).includes(first));
  const arrived = await browser.follow(oldest.landing, { from: AUTH });
  t.is(arrived.hops.at(-1), `${NEWS}/oldest`);
  await isReader(t, browser, NEWS, account);
});
