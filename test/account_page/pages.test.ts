import test from 'ava';
import { freshEmail, tokenIn } from '../challenges/setup.ts';
import { PASSWORD } from '../support/server.ts';
import { beginSession, countRows, keepIn, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, age, formOf, NEWS, startWithAccountPage, throughSignIn } from './setup.ts';

const { server, mailbox, close } = await startWithAccountPage();
test.after.always(close);
const { db, emailChange } = server.services;
const PAGES = ['', '/profile', '/email', '/password', '/connections', '/devices', '/activity', '/data', '/delete'];

test('every page leads a stranger to sign in and back to itself', async (t) => {
  const account = await server.makeAccount();
  for (const page of PAGES) {
    const browser = server.browser();
    const signIn = await browser.follow(`${AUTH}/account${page}`);
    t.regex(signIn.url, /\/login\?request_handle=/, page);
    const done = await browser.submit(signIn, { identifier: account.email, password: PASSWORD });
    t.is(done.location, `/account${page}`);
  }
});

test('the overview leads to every subject, and says what is not confirmed', async (t) => {
  const { browser, account } = await signedInBrowser(server);
  const home = await browser.navigate(`${AUTH}/`);
  t.true(home.text.includes('href="/account"'));
  const page = await browser.navigate(`${AUTH}/account`);
  const links = [...page.text.matchAll(/href="(\/(?:account|oauth)\/[a-z-]+)"/g)].map(([, href]) => href);
  for (const link of new Set(links)) {
    const opened = await browser.follow(`${AUTH}${link}`, { from: AUTH });
    t.is(opened.status, 200, link);
  }
  t.true(new Set(links).size >= 8);
  t.regex(page.text, /Not confirmed yet/);
  t.true(page.text.includes(account.email));
});

test('a profile is saved, shown, and refused with all that was typed when something is wrong', async (t) => {
  const { browser, account } = await signedInBrowser(server);
  const page = await browser.navigate(`${AUTH}/account/profile`);
  const typed = { name: 'Ada <b>', first_name: 'Ada', last_name: 'Byron', phone_number: '030 901820', avatar_url: '' };
  t.is((await browser.submit(page, typed)).location, '/account/profile');
  const saved = await browser.navigate(`${AUTH}/account/profile`);
  t.regex(saved.text, /Your profile is saved/);
  t.true(saved.text.includes('value="Ada &lt;b&gt;"') && saved.text.includes('value="+4930901820"'));
  const refused = await browser.submit(page, { ...typed, phone_number: '12', avatar_url: 'javascript:alert(1)' });
  t.is(refused.status, 400);
  t.true(refused.text.includes('value="12"') && refused.text.includes('value="javascript:alert(1)"'));
  t.regex(refused.text, /id="phone_number-error"/);
  t.regex(refused.text, /id="avatar_url-error"/);
  const events = await db.builder('audit_events').where({ account_id: account.id, type: 'account.updated' });
  t.is(events.length, 1);
});

test('a form of a session that has ended is kept over signing in', async (t) => {
  const reader = await signedInBrowser(server);
  const page = await reader.browser.navigate(`${AUTH}/account/profile`);
  await db.builder('sessions').where({ id: reader.session.id }).delete();
  const detour = await reader.browser.submit(page, { name: 'Typed before' });
  const back = await throughSignIn(reader, detour);
  t.true(back.text.includes('value="Typed before"'));
  t.regex(back.text, /signed in again/);
});

test('security 153: the account page sends to the new address first; the code counts, and the old address is told', async (t) => {
  const reader = await signedInBrowser(server, ['auth']);
  const { browser, account } = reader;
  await db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  const next = freshEmail();
  await age(server, reader);
  const page = await browser.navigate(`${AUTH}/account/email`);
  const detour = await browser.submit(formOf(page, '/account/email'), { email: next });
  t.true(String(detour.location).startsWith('/login?request_handle='));
  t.false(decodeURIComponent(String(detour.location)).includes(next), 'what was typed travels encrypted');
  const back = await throughSignIn(reader, detour);
  t.true(back.text.includes(`value="${next}"`), 'and is kept');
  t.deepEqual(mailbox.to(next), [], 'nothing was sent yet');
  t.is((await browser.submit(formOf(back, '/account/email'), { email: next })).location, '/account/email');
  const mail = await mailbox.next(next);
  const sent = await browser.navigate(`${AUTH}/account/email`);
  t.regex(sent.text, /A message is on its way/);
  t.true(sent.text.includes(`<bdi>${account.email}</bdi>`), 'the old address stays until then');
  const form = formOf(sent, '/account/email/code');
  const wrong = String((Number(mail.code) + 1) % 1_000_000).padStart(6, '0');
  const refused = await browser.submit(form, { code: wrong });
  t.is(refused.status, 400);
  t.regex(refused.text, /id="code-error"/);
  const done = await browser.submit(formOf(refused, '/account/email/code'), { code: String(mail.code) });
  t.is(done.location, '/account/email');
  t.true((await browser.navigate(`${AUTH}/account/email`)).text.includes(`<bdi>${next}</bdi>`));
  await mailbox.until(() => mailbox.to(account.email).find(({ link }) => link?.includes('/undo-email-change?token=')));
  t.is((await browser.me(AUTH)).json().user.email, next);
});

test('security 153: the link in the mail does the same; an odd address or the own one is refused on the form', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const page = await browser.navigate(`${AUTH}/account/email`);
  for (const email of ['no address', account.email, '']) {
    const refused = await browser.submit(formOf(page, '/account/email'), { email });
    t.is(refused.status, 400, email);
    t.regex(refused.text, /id="email-error"/);
  }
  const next = freshEmail();
  await browser.submit(formOf(page, '/account/email'), { email: next });
  const from = { address: null, locale: 'en' };
  const token = tokenIn((await mailbox.next(next)).link);
  t.true((await emailChange.confirm(await server.realm(), token, from)).ok);
});

test('the confirmation of an address is sent again', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const page = await browser.navigate(`${AUTH}/account/email`);
  t.is((await browser.submit(formOf(page, '/account/email/verify'), {})).status, 303);
  t.regex((await mailbox.next(account.email)).link ?? '', /\/verify-email\?token=/);
});

test('security 52: devices are shown in words; one or all others end after a recent sign-in, and everywhere', async (t) => {
  const reader = await signedInBrowser(server, ['auth']);
  const { browser, account, session } = reader;
  const [second, third] = [await beginSession(server, account), await beginSession(server, account)];
  const agent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
  await db.builder('sessions').where({ id: second.id }).update({ user_agent: agent, address: '192.0.2.7' });
  const page = await browser.navigate(`${AUTH}/account/devices`);
  t.regex(page.text, /Chrome on Linux/);
  t.regex(page.text, /192\.0\.2\.7/);
  t.regex(page.text, /This device/);
  t.false(page.text.includes(String(second.credentials['news']?.token)));
  await age(server, reader);
  const one = formOf(page, '/account/devices', second.id);
  const detour = await browser.submit(one, {});
  t.true(String(detour.location).startsWith('/login?request_handle='));
  t.is(await countRows(server, 'sessions', { id: second.id }), 1, 'nothing ended yet');
  const back = await throughSignIn(reader, detour);
  t.is(new URL(back.url).pathname, '/account/devices');
  t.is((await browser.submit(formOf(back, '/account/devices', second.id), {})).location, '/account/devices');
  const other = server.browser();
  keepIn(other, second);
  for (const site of [AUTH, NEWS]) t.is((await other.me(site)).status, 401);
  const left = await browser.navigate(`${AUTH}/account/devices`);
  t.regex(left.text, /has ended on every site/);
  t.is((await browser.submit(formOf(left, '/account/devices/others'), {})).location, '/account/devices');
  t.is(await countRows(server, 'sessions', { id: third.id }), 0);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 1);
  t.is(await countRows(server, 'sessions', { id: session.id }), 1);
});

test('security 52: a session of somebody else, or none, is not found', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  await beginSession(server, account);
  const other = await signedInBrowser(server);
  const page = await browser.navigate(`${AUTH}/account/devices`);
  const form = formOf(page, '/account/devices', 'name="session"');
  for (const session of [other.session.id, '01900000-0000-7000-8000-000000000000', 'x', "'"])
    t.is((await browser.submit(form, { session })).status, 404, session);
  t.is((await other.browser.me(NEWS)).status, 200);
});

test('a session of another realm opens no page of this one', async (t) => {
  const account = await server.makeAccount({ realm: 'other' });
  const session = await beginSession(server, account, ['auth']);
  const browser = server.browser();
  const cookies = String(session.cookies['auth']);
  const page = await browser.navigate('http://auth.other.localhost/account', { cookies });
  t.true(String(page.location).startsWith('/login?request_handle='), 'made on the host of the first realm');
});

test('without their token the forms change nothing, and show themselves again', async (t) => {
  const { browser, account } = await signedInBrowser(server);
  await beginSession(server, account);
  const forms: [page: string, action: string, fields: Record<string, string>][] = [
    ['/account/profile', '/account/profile', { name: 'Kept' }],
    ['/account/email', '/account/email', { email: 'kept@example.com' }],
    ['/account/devices', '/account/devices/others', {}],
    ['/account/data', '/account/data', {}],
    ['/account/delete', '/account/delete', { confirmation: account.email }],
  ];
  for (const [page, action, fields] of forms) {
    const form = formOf(await browser.navigate(`${AUTH}${page}`), action);
    const refused = await browser.submit(form, { ...fields, csrf_token: 'x' });
    t.is(refused.status, 403, action);
    for (const value of Object.values(fields)) t.true(refused.text.includes(`value="${value}"`), action);
    const foreign = { headers: { Origin: 'https://evil.test', 'Sec-Fetch-Site': 'cross-site' } };
    t.is((await browser.submit(form, fields, foreign)).status, 403);
  }
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 2);
  t.is(await countRows(server, 'accounts', { id: account.id }), 1);
});
