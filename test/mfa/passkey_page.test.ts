// The page of a reader's passkeys and the sign-in page's form, as forms: what they send with and without a script.

import test from 'ava';
import { createKey, useKey } from '../support/authenticator.ts';
import type { Answer, Browser } from '../support/browser.ts';
import { startMailbox } from '../support/mailbox.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { begin, passkeyReader } from './passkey_setup.ts';
import { API } from './setup.ts';

const mailbox = await startMailbox();
const server = await startTestServer({ mailbox });
test.after.always(async () => {
  await server.close();
  await mailbox.close();
});
const AUTH = originOf('auth');
const PAGE = `${AUTH}/account/passkeys`;
const csrfOn = (page: Answer) => String(/name="csrf_token" value="([^"]+)"/.exec(page.text)?.[1]);

async function signedIn() {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.submit(await browser.follow(`${AUTH}/login`), { identifier: account.email, password: PASSWORD });
  return { account, browser };
}
const send = (browser: Browser, fields: Record<string, string>, path = PAGE) =>
  browser.navigate(path, {
    method: 'POST',
    from: path,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'null' },
    body: new URLSearchParams(fields).toString(),
  });

test('security 169: a passkey is added, renamed and removed on the page, and the owner is written to', async (t) => {
  const { account, browser } = await signedIn();
  const page = await browser.follow(PAGE);
  t.is(page.status, 200);
  t.regex(String(page.headers['content-security-policy']), /script-src 'nonce-[^']+'; connect-src 'self';/);
  const { ceremony, options } = await begin(browser, '', 'auth');
  const { response } = createKey(options, AUTH);
  const csrf = csrfOn(page);
  const added = await send(browser, {
    csrf_token: csrf,
    act: 'add',
    name: 'Blue key',
    ceremony,
    response: JSON.stringify(response),
  });
  t.is(added.status, 200);
  t.true(added.text.includes('Save your recovery codes'));
  const list = await browser.follow(PAGE);
  t.true(list.text.includes('Blue key'));
  const id = String(/name="id" value="(\d+)"/.exec(list.text)?.[1]);
  const renamed = await send(browser, { csrf_token: csrfOn(list), act: 'rename', id, name: '<b>Red</b>' });
  t.is(renamed.location, '/account/passkeys?done=renamed');
  t.true((await browser.follow(PAGE)).text.includes('&lt;b&gt;Red&lt;/b&gt;'));
  t.is(
    (await send(browser, { csrf_token: csrfOn(list), act: 'remove', id })).location,
    '/account/passkeys?done=removed',
  );
  t.is(await countRows(server, 'passkeys', { account_id: account.id }), 0);
  t.is(await countRows(server, 'recovery_codes', { account_id: account.id }), 0);
  const letters = [await mailbox.next(account.email), await mailbox.next(account.email)];
  t.true(letters.every(({ text }) => /passkey/i.test(text)));
});

test('what is wrong on the page is said on it, and loses no name', async (t) => {
  const { account, browser } = await signedIn();
  const csrf_token = csrfOn(await browser.follow(PAGE));
  for (const response of ['', '{', 'null', '[]', '{}', '"x"', 'x'.repeat(9000)]) {
    const answer = await send(browser, { csrf_token, act: 'add', name: 'My <key>', ceremony: 'x', response });
    t.is(answer.status, 400, response.slice(0, 20));
    t.true(answer.text.includes('My &lt;key&gt;'));
  }
  t.is((await send(browser, { csrf_token, act: 'add', name: ' ', ceremony: 'x', response: '{}' })).status, 400);
  t.is((await send(browser, { csrf_token: 'x', act: 'add', name: 'x', ceremony: 'x', response: '{}' })).status, 403);
  t.is((await send(browser, { csrf_token, act: 'else' })).status, 400);
  t.is((await send(browser, { csrf_token, act: 'rename', id: 'x', name: 'y' })).status, 303);
  t.is((await send(browser, { csrf_token, act: 'remove', id: '9'.repeat(400) })).status, 303);
  t.is(await countRows(server, 'passkeys', { account_id: account.id }), 0);
});

test('security 169: without a recent sign-in the page and its forms lead to one and back, and do nothing on the way', async (t) => {
  const stranger = server.browser();
  t.true((await stranger.navigate(PAGE)).location?.startsWith('/login?request_handle='));
  const { account, browser } = await passkeyReader(server, { site: 'auth' });
  const list = await browser.follow(PAGE);
  const id = String(/name="id" value="(\d+)"/.exec(list.text)?.[1]);
  const csrf_token = csrfOn(list);
  const { db } = server.services;
  await db
    .builder('sessions')
    .where({ account_id: account.id })
    .update({ authenticated_at: db.builder.raw("causeway_now() - interval '20 minutes'") });
  t.true((await browser.navigate(PAGE)).location?.startsWith('/login?request_handle='));
  t.true(
    (await send(browser, { act: 'remove', id })).location?.startsWith('/login?request_handle='),
    'a stale form too',
  );
  const detour = await send(browser, { csrf_token, act: 'rename', id, name: 'Other' });
  t.is(detour.status, 303);
  const page = await browser.follow(`${AUTH}${detour.location}`, { from: AUTH });
  t.true(page.text.includes('please sign in once more, to show that it is you'));
  t.false(page.text.includes('switches to another account'));
  t.true(page.text.includes(`value="${account.email}"`));
  t.is(await countRows(server, 'passkeys', { account_id: account.id, name: 'Other' }), 0);
});

test('what was typed for a passkey comes back after signing in again, and nothing has been done', async (t) => {
  const { account, browser } = await signedIn();
  const csrf_token = csrfOn(await browser.follow(PAGE));
  const { db } = server.services;
  await db
    .builder('sessions')
    .where({ account_id: account.id })
    .update({ authenticated_at: db.builder.raw("causeway_now() - interval '20 minutes'") });
  const detour = await send(browser, { csrf_token, act: 'add', name: 'Blue <key>', ceremony: 'x', response: '{}' });
  const page = await browser.follow(`${AUTH}${detour.location}`, { from: AUTH });
  const done = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  const back = await browser.follow(`${AUTH}${done.location}`, { from: AUTH });
  t.is(new URL(back.url).pathname, '/account/passkeys');
  t.true(back.text.includes('value="Blue &lt;key&gt;"'));
  t.regex(back.text, /Nothing has been changed yet/);
  t.is(await countRows(server, 'passkeys', { account_id: account.id }), 0);
});

test('the letter about a removed passkey is in the language of its reader', async (t) => {
  const { account, browser } = await passkeyReader(server, { site: 'auth' });
  const list = await browser.follow(PAGE);
  const id = String(/name="id" value="(\d+)"/.exec(list.text)?.[1]);
  await browser.navigate(PAGE, {
    method: 'POST',
    from: PAGE,
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      Origin: 'null',
      'Accept-Language': 'fr',
    },
    body: new URLSearchParams({ csrf_token: csrfOn(list), act: 'remove', id }).toString(),
  });
  const letter = await mailbox.until(() =>
    mailbox.to(account.email).find(({ subject }) => subject.includes('supprimé')),
  );
  t.regex(letter.text, /une clé d’accès/);
  t.is(letter.link, PAGE);
});

test('the form of the sign-in page signs in with a passkey, and says so when it was not accepted', async (t) => {
  const { account, key } = await passkeyReader(server, { site: 'auth' });
  const browser = server.browser();
  const page = await browser.follow(`${AUTH}/login`);
  t.regex(page.text, /autocomplete="username webauthn"/);
  const attempt = async (twist = {}) => {
    const { ceremony, options } = await begin(browser, 'sign-in', 'auth');
    const response = JSON.stringify(useKey(key, options, AUTH, twist));
    return send(browser, { csrf_token: csrfOn(page), ceremony, response }, `${AUTH}/login`);
  };
  const wrong = await attempt({ isVerified: false });
  t.is(wrong.status, 401);
  t.true(wrong.text.includes('That passkey was not accepted.'));
  t.is((await attempt()).location, '/');
  t.is((await browser.me(AUTH)).json().user.email, account.email);
  t.truthy(browser.jarOf(HOSTS.auth).get('qt-auth'));
});

test('the page of the second factor takes a passkey, and offers recovery codes beside it', async (t) => {
  const { account, key } = await passkeyReader(server, { site: 'auth' });
  const browser = server.browser();
  const first = await browser.submit(await browser.follow(`${AUTH}/login`), {
    identifier: account.email,
    password: PASSWORD,
  });
  t.is(first.location, '/login/second-factor');
  const page = await browser.follow(`${AUTH}/login/second-factor`);
  t.false(page.text.includes('id="code"'), 'there is no app that could show one');
  t.true(page.text.includes(account.email));
  t.true((await browser.follow(`${AUTH}/login/second-factor?with=recovery`)).text.includes('id="code"'));
  const { ceremony, options } = await begin(browser, 'second-factor', 'auth');
  const path = `${AUTH}/login/second-factor`;
  const wrong = await send(browser, { csrf_token: csrfOn(page), ceremony, response: '{}' }, path);
  t.is(wrong.status, 401);
  t.true(wrong.text.includes('That passkey was not accepted.'));
  t.truthy(options);
  const again = await begin(browser, 'second-factor', 'auth');
  const response = JSON.stringify(useKey(key, again.options, AUTH, { isVerified: false }));
  const right = await send(browser, { csrf_token: csrfOn(page), ceremony: again.ceremony, response }, path);
  t.is(right.location, '/');
  t.true((await browser.fetch(`${AUTH}${API}/users/me`)).json().user['is-tfa-enabled']);
});
