import test from 'ava';
import { API, postJson } from '../support/raw.ts';
import { PASSWORD } from '../support/server.ts';
import { beginSession, countRows, keepIn, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, age, NEWS, startWithAccountPage, throughSignIn } from './setup.ts';

const { server, mailbox, close } = await startWithAccountPage();
test.after.always(close);
const { db } = server.services;
const DELETE = `${AUTH}/account/delete`;

test('security 157: deleting on the account page leaves no name and no address, ends all, and a new account has another sub', async (t) => {
  const reader = await signedInBrowser(server);
  const { account, browser } = reader;
  const elsewhere = server.browser();
  keepIn(elsewhere, await beginSession(server, account));
  const page = await browser.navigate(DELETE);
  const done = await browser.submit(page, { confirmation: ` ${account.email.toUpperCase()} ` });
  t.is(done.location, '/account/deleted');
  t.regex((await browser.navigate(`${AUTH}/account/deleted`)).text, /Your account is deleted/);
  for (const one of [browser, elsewhere]) for (const site of [AUTH, NEWS]) t.is((await one.me(site)).status, 401);
  t.is(await countRows(server, 'accounts', { id: account.id }), 0);
  const events = await db.builder('audit_events').where({ account_id: account.id });
  t.true(
    events.some(({ type }) => type === 'account.deleted'),
    'the log keeps the id',
  );
  t.false(JSON.stringify(events).includes(account.email));
  t.regex((await mailbox.next(account.email)).subject, /was deleted/);
  t.is((await postJson(server.port, `${API}/login`, { email: account.email, password: PASSWORD })).status, 401);
  const again = await server.makeAccount({ email: account.email });
  t.not(again.sub, account.sub);
});

test('security 206: an old session leads to signing in and back to the very form; a form of another site is refused', async (t) => {
  const reader = await signedInBrowser(server);
  const { account, browser } = reader;
  const page = await browser.navigate(DELETE);
  const foreign = { headers: { Origin: 'https://evil.test', 'Sec-Fetch-Site': 'cross-site' } };
  t.is((await browser.submit(page, { confirmation: account.email }, foreign)).status, 403);
  await age(server, reader);
  const detour = await browser.submit(page, { confirmation: account.email });
  t.is(detour.status, 303);
  t.is(await countRows(server, 'accounts', { id: account.id }), 1);
  const back = await throughSignIn(reader, detour);
  t.true(back.text.includes(`value="${account.email}"`));
  t.is(await countRows(server, 'accounts', { id: account.id }), 1, 'signing in deletes nothing');
  t.is((await browser.submit(back, { confirmation: account.email })).location, '/account/deleted');
  for (const site of [AUTH, NEWS]) t.is((await browser.me(site)).status, 401);
});

test('what was typed comes back for its own account alone', async (t) => {
  const first = await signedInBrowser(server, ['auth']);
  await age(server, first);
  const page = await first.browser.navigate(DELETE);
  const detour = await first.browser.submit(page, { confirmation: 'typed by the first' });
  const second = await server.makeAccount();
  const back = await throughSignIn({ ...first, account: second }, detour);
  t.is(new URL(back.url).pathname, '/account/delete');
  t.false(back.text.includes('typed by the first'));
  for (const kept of ['x', 'a.b.c.d.e', 'x'.repeat(5000)])
    t.is((await first.browser.navigate(`${DELETE}?kept=${kept}`)).status, 200);
});

test('another word, or none, deletes nothing and is said on the form', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const page = await browser.navigate(DELETE);
  for (const confirmation of ['', 'delete', `x${account.email}`]) {
    const refused = await browser.submit(page, { confirmation });
    t.is(refused.status, 400, confirmation);
    t.regex(refused.text, /id="confirmation-error"/);
  }
  t.is(await countRows(server, 'accounts', { id: account.id }), 1);
});

test('the file of own data holds what is stored and nothing that opens anything', async (t) => {
  const reader = await signedInBrowser(server);
  const { account, browser, session } = reader;
  const [stored] = await db.builder('accounts').where({ id: account.id });
  await age(server, reader);
  const page = await browser.navigate(`${AUTH}/account/data`);
  const back = await throughSignIn(reader, await browser.submit(page, {}));
  t.is(new URL(back.url).pathname, '/account/data');
  const file = await browser.submit(back, {});
  t.is(file.status, 200);
  t.is(file.headers['content-disposition'], 'attachment; filename="my-data.json"');
  t.is(file.headers['cache-control'], 'no-store');
  const data = file.json();
  t.like(data.profile, { sub: account.sub, email: account.email, email_verified: false, name: 'Test Reader' });
  t.deepEqual(data.sessions[0].hosts.length, 3);
  t.true(data.events.some(({ type }: { type: string }) => type === 'sign-in.succeeded'));
  for (const secret of [stored?.password_hash, session.credentials['news']?.token, session.id])
    t.false(file.text.includes(String(secret)));
});
