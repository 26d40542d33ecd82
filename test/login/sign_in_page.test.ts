import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, startTestServer } from '../support/server.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];

test('security 193: the sign-in page names the site as registered, whatever the address says', async (t) => {
  const page = await server.browser().follow(
    authorizeUrl(NEWS, 'news', `${NEWS}/`, {
      client_name: 'Grand Bank',
      name: 'Grand Bank',
      site: 'Grand Bank',
      title: 'Grand Bank',
    }),
    { from: `${NEWS}/` },
  );
  t.is(page.status, 200);
  t.true(page.text.includes('The News') && page.text.includes(HOSTS.news));
  t.false(page.text.includes('Grand Bank'));
  const direct = await server
    .browser()
    .navigate(`${AUTH}/login?client_name=Grand+Bank&client_id=news&name=Grand+Bank&brand=Grand+Bank`);
  t.false(/Grand Bank|The News/.test(direct.text));
});

test('security 193: a changed or invented way back names no site and leads nowhere', async (t) => {
  const page = await server.browser().follow(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: `${NEWS}/` });
  const handle = String(new URL(String(page.hops.at(-1))).searchParams.get('request_handle'));
  for (const changed of [
    `${handle}x`,
    handle.slice(0, -2),
    handle.slice(1),
    'x',
    'a.b.c',
    'x'.repeat(7000),
    handle.replace(/\.[^.]*$/, '.AAAA'),
  ]) {
    const answer = await server.browser().navigate(`${AUTH}/login?request_handle=${changed}`);
    t.is(answer.status, 200);
    t.false(answer.text.includes('The News'));
    t.false(answer.text.includes('name="handle"'));
  }
});

test('security 193: the address of a site is shown, and what somebody types into the address bar is escaped', async (t) => {
  const page = await server
    .browser()
    .navigate(`${AUTH}/login?login_hint=${encodeURIComponent('"><script>alert(1)</script>')}`);
  t.is(page.status, 200);
  t.false(page.text.includes('<script>alert(1)'));
  t.true(page.text.includes('&quot;&gt;&lt;script&gt;'));
});
