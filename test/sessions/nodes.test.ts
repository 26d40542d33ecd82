import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer();
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const [NEWS, SPORTS, SHOP, AUTH] = [originOf('news'), originOf('sports'), originOf('shop'), originOf('auth')];

for (const [title, ports] of [
  ['every request', [0, 1]],
  ['every second request', [0, 0, 1, 1]],
  ['the first request', [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
] as const) {
  test(`reliability R-28: the whole journey works when ${title} goes to another node`, async (t) => {
    const account = await server.makeAccount();
    const browser = server.browser(ports.map((node) => (node === 0 ? server.port : second.port)));
    const arrived = await browser.signInThrough(NEWS, account, PASSWORD, 'news', `${NEWS}/story?p=1`);
    t.is(arrived.hops.at(-1), `${NEWS}/story?p=1`);
    for (const [site, id] of [
      [SPORTS, 'sports'],
      [SHOP, 'shop'],
    ] as const) {
      const silent = await browser.follow(
        authorizeUrl(site, id, `${site}/x`, {}, '/api/auth/v1/oauth/auto-sso/authorize'),
        { from: `${site}/` },
      );
      t.is(silent.hops.at(-1), `${site}/x`);
    }
    for (const site of [NEWS, SPORTS, SHOP, AUTH])
      for (let turn = 0; turn < 2; turn++) t.is((await browser.me(site)).json().user.id, Number(account.id));
    t.is((await browser.post(`${SHOP}/api/auth/v1/users/profile`, { name: 'Renamed' })).status, 200);
    t.is((await browser.me(NEWS)).json().user.name, 'Renamed');
    t.is((await browser.fetch(`${NEWS}/api/auth/v1/sessions`)).json().sessions.length, 1);

    const jars = new Map([...browser.jars].map(([host]) => [host, browser.cookieHeader(host)]));
    t.is((await browser.fetch(`${SHOP}/api/auth/v1/logout`)).status, 204);
    for (const site of [NEWS, SPORTS, SHOP, AUTH])
      for (let turn = 0; turn < 2; turn++) {
        t.is((await browser.me(site, { cookies: jars.get(new URL(site).host) ?? null })).status, 401);
      }
  });
}

test('reliability R-28: the confirmation of a sign-out works when it is asked on one node and given on the other', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser([server.port, second.port]);
  t.is((await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status, 200);
  const page = await browser.navigate(`${NEWS}/api/auth/v1/logout`);
  t.is(page.status, 200);
  const done = await browser.submit(page, {});
  t.is(done.status, 303);
  t.is(done.location, '/api/auth/v1/signed-out');
  t.is((await browser.me(NEWS)).status, 401);
  t.is(browser.jarOf(HOSTS.news).get('qt-auth'), undefined);
});

test('reliability R-24: 100 profile changes on one node are read at once on the other', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser([server.port, second.port]);
  await browser.post(`${NEWS}/api/auth/v1/login`, { email: account.email, password: PASSWORD });
  const stale: number[] = [];
  for (let count = 0; count < 100; count++) {
    await browser.post(`${NEWS}/api/auth/v1/users/profile`, { name: `Name ${count}` });
    if ((await browser.me(NEWS)).json().user.name !== `Name ${count}`) stale.push(count);
  }
  t.deepEqual(stale, []);
});
