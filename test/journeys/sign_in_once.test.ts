import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, SPORTS, SHOP] = [originOf('news'), originOf('sports'), originOf('shop')];

test('a reader signs in once, is signed in on three domains, and one logout ends all of it', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const arrived = await browser.signInThrough(NEWS, account, PASSWORD, 'news', `${NEWS}/story?p=1`);
  t.is(arrived.hops.at(-1), `${NEWS}/story?p=1`);
  t.is((await browser.me(NEWS)).json().user.email, account.email);

  for (const [site, id] of [
    [SPORTS, 'sports'],
    [SHOP, 'shop'],
  ] as const) {
    const silent = await browser.follow(
      authorizeUrl(site, id, `${site}/x`, {}, '/api/auth/v1/oauth/auto-sso/authorize'),
      { from: `${site}/` },
    );
    t.is(silent.hops.at(-1), `${site}/x`);
    t.true(silent.hops.length <= 8);
    t.is((await browser.me(site)).json().user.id, Number(account.id));
  }

  t.is((await browser.fetch(`${SHOP}/api/auth/v1/logout`)).status, 204);
  for (const site of [NEWS, SPORTS, SHOP]) t.is((await browser.me(site)).status, 401);
});
