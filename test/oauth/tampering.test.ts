// What a browser carries between the steps of a flow may be changed in it; the flow goes on as it was checked, or not at all.

import test from 'ava';
import { type Answer, authorizeUrl } from '../support/browser.ts';
import { landingOf, PASSWORD, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, EVIL, isReader, NEWS, onAuth, reachCode, SPORTS, setsSession } from './flow.ts';

const server = await startTestServer();
test.after.always(() => server.close());

test('security 13: the callback in the landing address counts for nothing; the one that was checked does', async (t) => {
  for (const swapped of [`${NEWS}/other`, `${EVIL}/`, 'javascript:alert(1)', `${NEWS}/api/auth/v1/logout`, '', 'x']) {
    const { account, browser } = await signedInBrowser(server, ['auth']);
    const { landing } = await reachCode(browser, 'news', `${NEWS}/original?x=1`);
    const url = new URL(landing);
    url.searchParams.set('callback_uri', swapped);
    const landed = await browser.navigate(url.href, { from: AUTH });
    t.is(landed.location, `${NEWS}/original?x=1`, swapped);
    t.is((await browser.navigate(url.href, { from: AUTH })).location, `${NEWS}/original?x=1`, 'a reload too');
    await isReader(t, browser, NEWS, account);
  }
});

test('security 13: the restart of a foreign code keeps the callback that was checked', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  const { landing } = await reachCode(browser, 'news', `${NEWS}/original`);
  const url = new URL(landing);
  url.searchParams.set('callback_uri', `${NEWS}/other`);
  const landed = await server.browser().navigate(url.href, { from: EVIL });
  t.is(new URL(String(landed.location)).searchParams.get('callback_uri'), `${NEWS}/original`);
});

const TAMPERED: Record<string, string> = {
  redirect_uri: `${EVIL}/cb`,
  client_id: 'sports',
  response_type: 'token',
  scope: 'admin',
  callback_uri: `${EVIL}/`,
  state: 'changed',
  flow: 'A'.repeat(43),
  restart: '1',
  return_to: `${EVIL}/`,
  request_handle: 'x',
};

async function signInPage(callback = `${NEWS}/original`) {
  const account = await server.makeAccount();
  const browser = server.browser();
  const page = await browser.follow(authorizeUrl(NEWS, 'news', callback, { state: 's1' }), { from: `${NEWS}/` });
  return { account, browser, page };
}

async function arrives(
  t: Parameters<typeof isReader>[0],
  from: Awaited<ReturnType<typeof signInPage>>,
  posted: Answer,
  says: string,
) {
  t.is(posted.status, 303, says);
  const arrived = await from.browser.follow(new URL(String(posted.location), AUTH).href, { from: AUTH });
  t.is(arrived.hops.at(-1), `${NEWS}/original`, says);
  const landing = arrived.hops.find((hop) => hop.startsWith(landingOf('news')));
  t.is(new URL(String(landing)).searchParams.get('state'), 's1', says);
  await isReader(t, from.browser, NEWS, from.account);
}

test('security 14: fields that are added to the sign-in form, one by one or all, change nothing of the flow', async (t) => {
  for (const fields of [...Object.entries(TAMPERED).map(([name, value]) => ({ [name]: value })), TAMPERED]) {
    const from = await signInPage();
    const posted = await from.browser.submit(from.page, {
      identifier: from.account.email,
      password: PASSWORD,
      ...fields,
    });
    await arrives(t, from, posted, JSON.stringify(fields));
  }
});

test('security 14: parameters that are changed in the address of the sign-in page, one by one, change nothing of the flow', async (t) => {
  for (const [name, value] of Object.entries(TAMPERED).filter(([name]) => name !== 'request_handle')) {
    const from = await signInPage();
    const address = new URL(from.page.hops.at(-1) ?? '');
    address.searchParams.set(name, value);
    const page = await from.browser.navigate(address.href, { from: AUTH });
    t.false(page.text.includes('evil.test'), name);
    const posted = await from.browser.submit(page, { identifier: from.account.email, password: PASSWORD });
    await arrives(t, from, posted, name);
  }
});

test('security 14: a changed or foreign request handle leads nowhere but to the front page of the auth domain', async (t) => {
  const { page } = await signInPage();
  const handle = new URL(page.hops.at(-1) ?? '').searchParams.get('request_handle') ?? '';
  const [head = '', body = '', mac = ''] = handle.split('.');
  const payload = JSON.parse(Buffer.from(body, 'base64url').toString());
  const forged = Buffer.from(JSON.stringify({ ...payload, p: '//evil.test/' })).toString('base64url');
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'causeway-return+jwt' })).toString('base64url');
  for (const bad of [
    '',
    'x',
    EVIL,
    '/x',
    `${head}.${forged}.${mac}`,
    `${none}.${forged}.`,
    `${head}.${body}.`,
    `${head}.${body}.${mac.slice(0, -2)}`,
    'x'.repeat(5900),
  ]) {
    const from = await signInPage();
    const posted = await from.browser.submit(from.page, {
      identifier: from.account.email,
      password: PASSWORD,
      handle: bad,
    });
    t.is(posted.status, 303, bad.slice(0, 60));
    t.is(posted.location, '/', bad.slice(0, 60));
  }
});

test('security 14: what is changed in the request after signing in is checked as if it were the first', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth']);
  for (const [name, value] of [
    ['redirect_uri', `${EVIL}/cb`],
    ['client_id', 'sports'],
    ['response_type', 'token'],
    ['callback_uri', `${EVIL}/`],
  ] as const) {
    t.is((await browser.navigate(onAuth('news', { [name]: value }))).status, 400, name);
  }
  t.is(await countRows(server, 'authorization_codes', { session_id: session.id }), 0);
});

test('security 14: a request handle of one client lends its flow to no other client', async (t) => {
  const { account, browser, page } = await signInPage();
  const handle = new URL(page.hops.at(-1) ?? '').searchParams.get('request_handle') ?? '';
  await browser.submit(page, { identifier: account.email, password: PASSWORD });
  const own = await browser.navigate(onAuth('news', { request_handle: handle }), { from: AUTH });
  t.is(new URL(String(own.location)).searchParams.get('state'), 's1', 'its own client gets the flow back');
  const other = await browser.navigate(onAuth('sports', { request_handle: handle }), { from: AUTH });
  t.is(new URL(String(other.location)).searchParams.get('state'), null);
  const landed = await browser.navigate(String(other.location), { from: AUTH });
  t.false(setsSession(landed));
  t.true(
    String(landed.location).startsWith(`${SPORTS}/api/auth/v1/oauth/authorize?`),
    'it has no flow, so it begins one',
  );
});
