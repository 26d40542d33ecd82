// The looks of one client: on the pages and letters of who comes for it, with the realm's for what it leaves out.

import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { startMailbox } from '../support/mailbox.ts';
import { originOf, REALM_YAML, startTestServer } from '../support/server.ts';

const LOGO = 'data:image/svg+xml;base64,PHN2Zy8+';
const YAML = REALM_YAML.replace('brand: { name: Test Group }', `brand: { name: Test Group, logo: "${LOGO}" }`)
  .replace('name: The News,', 'name: The News, brand: { name: News Club, accent: "#7a1f4e" },')
  .replace('name: The Sports,', 'name: The Sports, brand: { accent: "#005500" },');
const mailbox = await startMailbox();
const server = await startTestServer({ yaml: YAML, mailbox });
test.after.always(() => server.close());
test.after.always(() => mailbox.close());
const AUTH = originOf('auth');

const signInFor = (site: 'news' | 'sports' | 'shop', browser = server.browser()) =>
  browser.follow(authorizeUrl(originOf(site), site, `${originOf(site)}/`), { from: `${originOf(site)}/` });

test('who comes for a client with looks of its own sees them: name and colours, and not the logo of another name', async (t) => {
  const page = await signInFor('news');
  t.true(page.text.includes('<bdi>News Club</bdi>'));
  t.true(page.text.includes('--accent:#7a1f4e'));
  t.false(page.text.includes('<img class="logo"'));
});

test('what a client leaves out is the realm’s, field by field', async (t) => {
  const page = await signInFor('sports');
  t.true(page.text.includes('--accent:#005500'));
  t.true(page.text.includes(`<img class="logo" src="${LOGO}" alt="Test Group">`));
});

test('every other page keeps the looks of the realm', async (t) => {
  for (const page of [await signInFor('shop'), await server.browser().navigate(`${AUTH}/login`)]) {
    t.true(page.text.includes('alt="Test Group"'));
    t.true(page.text.includes('--accent:#1f4e79'));
  }
});

test('a letter that is asked for on a client’s site carries its looks', async (t) => {
  const account = await server.makeAccount();
  const news = originOf('news');
  const answer = await server.browser().fetch(`${news}/api/auth/v1/users/forgot-password`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: account.email }),
  });
  t.true(answer.status < 300, answer.text);
  const mail = await mailbox.next(account.email);
  t.true(mail.html.includes('News Club'));
  t.true(mail.html.includes('#7a1f4e'));
});

test('letters about a new password carry the looks of the client whose sign-in page led to them, in any browser', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const signIn = await signInFor('news', browser);
  const [, forgotUrl] = /href="(\/forgot-password[^"]*)"/.exec(signIn.text) ?? [];
  const forgot = await browser.follow(`${AUTH}${forgotUrl?.replaceAll('&amp;', '&')}`, { from: AUTH });
  await browser.submit(forgot, { email: account.email });
  const asked = await mailbox.next(account.email);
  t.true(asked.html.includes('News Club') && asked.html.includes('#7a1f4e'));
  const phone = server.browser();
  const page = await phone.follow(String(asked.link));
  t.true(page.text.includes('<bdi>News Club</bdi>'));
  t.is((await phone.submit(page, { password: 'another long password' })).status, 303);
  const told = await mailbox.next(account.email);
  t.is(told.subject, 'Your password for News Club was changed');
  t.true(told.html.includes('News Club') && told.html.includes('#7a1f4e'));
});

test('an app that asks on the auth domain and names a site gets a letter with the looks of that site', async (t) => {
  for (const [host, looks] of [
    [originOf('news'), 'News Club'],
    ['news.test.localhost', 'News Club'],
    ['elsewhere.example', 'Test Group'],
  ] as const) {
    const account = await server.makeAccount();
    const body = { email: account.email, 'current-host': host };
    t.is((await server.browser().post(`${AUTH}/api/auth/v1/users/forgot-password`, body)).status, 200);
    t.true((await mailbox.next(account.email)).html.includes(looks), host);
  }
});

test('a colour that is none is refused with its line, for a client as for a realm', async (t) => {
  const bad = YAML.replace('#7a1f4e', 'plum');
  const thrown = await t.throwsAsync(server.apply(bad));
  t.regex(String(thrown?.message), /clients\[0\]\.brand\.accent: write a colour as #rrggbb/);
});

// Serial: it changes for a moment what the others look at.
test.serial('the looks of a client are applied once, told as a difference, and exported', async (t) => {
  t.deepEqual(await server.apply(YAML), []);
  const changes = await server.apply(YAML.replace('accent: "#005500"', 'accent: "#006600"'));
  t.deepEqual(changes, ['test: ~ client sports: brand.accent: #005500 → #006600']);
  await server.apply(YAML);
});
