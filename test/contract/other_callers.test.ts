// Callers other than the published package (reference §4.2), written down as they work.

import test from 'ava';
import { type Ask, send } from '../support/browser.ts';
import { UNLIMITED_YAML } from '../support/raw.ts';
import { landingOf, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { API, NEWS, plainUser } from './wire.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const ask = (path: string, more: Ask = {}) => send(server.port, `${NEWS}${API}${path}`, more);

/** The member behind a page of the component library: 401 and 403 are nobody, any other failure is thrown. */
async function withMember(headers: Record<string, string>): Promise<unknown> {
  const answer = await ask('/users/me', { headers });
  if (answer.status === 401 || answer.status === 403) return null;
  if (answer.status < 200 || answer.status > 299) throw new Error(`status ${answer.status}`);
  return answer.json().user;
}

test('a WithMember-like caller sees the user, null after logout, and never a thrown failure', async (t) => {
  const { account, session } = await signedInBrowser(server);
  const Cookie = String(session.cookies['news']);
  t.deepEqual(await withMember({ Cookie }), plainUser(account));
  t.is((await ask('/logout', { headers: { Cookie } })).status, 204);
  for (const headers of [
    { Cookie },
    {},
    { Cookie: 'qt-auth=' },
    { Cookie: 'qt-auth=a; qt-auth=b' },
    { Cookie: ';;=;x' },
  ]) {
    t.is(await withMember(headers as Record<string, string>), null, JSON.stringify(headers));
  }
});

test('a site that posts to sessions/validate with x-qt-auth gets exactly 200, else goes through authorize', async (t) => {
  const { account, browser, session } = await signedInBrowser(server);
  const headers = {
    'x-qt-auth': String(session.credentials['news']?.token),
    Accept: 'application/json, text/plain, */*',
  };
  t.is((await ask('/sessions/validate', { method: 'POST', headers })).status, 200);
  t.is((await ask('/users/me', { headers })).json().user.email, account.email);
  t.is((await ask('/logout', { headers })).status, 204);
  const dead = await ask('/sessions/validate', { method: 'POST', headers });
  t.is(dead.status, 401);

  const start = `${NEWS}${API}/oauth/authorize?client_id=news&redirect_uri=${landingOf('news')}&callback_uri=${NEWS}&response_type=code`;
  const page = await browser.follow(start, { from: NEWS });
  const posted = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  const arrived = await browser.follow(new URL(String(posted.location), page.url).href, { from: page.url });
  t.is(arrived.hops.at(-1), `${NEWS}/`, 'a callback without a path is the front page');
  t.is((await browser.me(NEWS)).json().user.email, account.email);
});

test('an app that sends x-qt-auth: dummy signs up and in, and keeps the token of the response header', async (t) => {
  const account = await server.makeAccount();
  const headers = { 'Content-Type': 'application/json', 'x-qt-auth': 'dummy' };
  const answer = await ask('/login', {
    method: 'POST',
    headers,
    body: JSON.stringify({ username: account.email, password: PASSWORD }),
  });
  const token = answer.headers['x-qt-auth'];
  t.is(typeof token, 'string');
  // Counted as signed in only with a token and a user.
  t.is(answer.json().user.id, Number(account.id));
  t.is((await ask('/users/me', { headers: { 'x-qt-auth': String(token) } })).status, 200);
  const wrong = await ask('/login', {
    method: 'POST',
    headers,
    body: JSON.stringify({ username: account.email, password: 'wrong' }),
  });
  t.true(wrong.status >= 401 && wrong.status <= 500);
  t.is(typeof wrong.json().message, 'string');
});
