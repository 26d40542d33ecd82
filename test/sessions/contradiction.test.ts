import test from 'ava';
import { originOf, startTestServer } from '../support/server.ts';
import { beginSession, signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, SPORTS] = [originOf('news'), originOf('sports')];
const ME = '/api/auth/v1/users/me';

test("security 202: cookie and header of two readers in one request are nobody's; of one reader they are his", async (t) => {
  const account = await server.makeAccount();
  const [one, other] = [await beginSession(server, account), await beginSession(server, account)];
  const stranger = await signedInBrowser(server);
  const browser = server.browser();
  const cookies = String(one.cookies['news']);
  const header = (token: string | undefined) => ({ 'x-qt-auth': String(token) });
  for (const [method, path, body] of [
    ['GET', ME, undefined],
    ['POST', '/api/auth/v1/users/profile', '{"name":"X"}'],
    ['GET', '/api/auth/v1/logout', undefined],
    ['DELETE', ME, undefined],
    ['GET', '/api/auth/v1/sessions', undefined],
  ] as const) {
    const answer = await browser.fetch(`${NEWS}${path}`, {
      method,
      cookies,
      headers: {
        ...header(stranger.session.credentials['news']?.token),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body }),
    });
    t.is(answer.status, 401, `${method} ${path}`);
  }
  t.is((await browser.me(NEWS, { cookies })).status, 200);
  t.is((await stranger.browser.me(NEWS)).status, 200);
  t.is((await browser.me(NEWS, { cookies, headers: header(one.credentials['news']?.token) })).status, 200);
  t.is((await browser.me(NEWS, { cookies, headers: header(other.credentials['news']?.token) })).status, 200);
  t.is((await browser.me(NEWS, { cookies: null, headers: header(one.credentials['news']?.token) })).status, 200);
  t.is((await browser.me(NEWS, { cookies, headers: header('A'.repeat(43)) })).status, 401);
  t.is((await browser.me(NEWS, { cookies, headers: header('dummy') })).status, 200);
});

test('security 202: the header changes nothing for a page of another site', async (t) => {
  const { session, browser } = await signedInBrowser(server);
  for (const origin of ['https://evil.test', SPORTS, 'null']) {
    const headers = {
      'x-qt-auth': String(session.credentials['news']?.token),
      Origin: origin,
      'Sec-Fetch-Site': 'cross-site',
      'Content-Type': 'application/json',
    };
    t.is(
      (
        await browser.fetch(`${NEWS}/api/auth/v1/users/profile`, {
          method: 'POST',
          cookies: null,
          headers,
          body: '{"name":"X"}',
        })
      ).status,
      403,
    );
    t.is((await browser.fetch(`${NEWS}${ME}`, { method: 'DELETE', cookies: null, headers })).status, 403);
  }
});
