import test from 'ava';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const REDIRECT = 'https://rp.example/cb';
const server = await startTestServer({
  yaml: `
realms:
  - slug: test
    auth_domain: ${HOSTS.auth}
    clients:
      - { id: rp, kind: third-party, name: "<b>Chat</b>", secret: ${SECRET}, redirect_uris: [${REDIRECT}], scopes: [openid, email, offline_access], require_pkce: false }
`,
});
test.after.always(() => server.close());
const AUTH = originOf('auth');
const AUTHORIZE = `${AUTH}/oauth/authorize?${new URLSearchParams({ client_id: 'rp', redirect_uri: REDIRECT, response_type: 'code', scope: 'openid email offline_access' })}`;

test('security 90, 71: a consent is listed on the account page; withdrawing it ends its tokens and asks again next time', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const page = await browser.follow(AUTHORIZE, { from: 'https://rp.example/' });
  const signedIn = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  const consent = await browser.follow(new URL(signedIn.location!, AUTH).href, { from: AUTH });
  const allowed = await browser.submit(consent, { answer: 'allow' });
  const back = await browser.navigate(new URL(allowed.location!, AUTH).href, { from: AUTH });
  const code = new URL(back.location!).searchParams.get('code')!;
  const headers = {
    'Content-Type': 'application/x-www-form-urlencoded',
    Authorization: `Basic ${Buffer.from(`rp:${SECRET}`).toString('base64')}`,
  };
  const ask = (body: Record<string, string>) =>
    browser.ask(`${AUTH}/oauth/token`, {
      method: 'POST',
      cookies: null,
      headers,
      body: new URLSearchParams(body).toString(),
    });
  const tokens = (await ask({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT })).json();

  const listed = await browser.navigate(`${AUTH}/oauth/consents`, { from: AUTH });
  t.true(listed.text.includes('&lt;b&gt;Chat&lt;/b&gt;') && !listed.text.includes('<b>Chat'));
  t.regex(listed.text, /See your email address/);
  t.is((await browser.submit(listed, { csrf_token: 'wrong' })).status, 403);
  t.is((await ask({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })).status, 200);

  t.is((await browser.submit(listed, {})).status, 303);
  t.is((await ask({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })).json().error, 'invalid_grant');
  const info = await browser.ask(`${AUTH}/oauth/userinfo`, {
    cookies: null,
    headers: { Authorization: `Bearer ${tokens.access_token}` },
  });
  t.is(info.status, 401);
  t.regex((await browser.navigate(`${AUTH}/oauth/consents`, { from: AUTH })).text, /not given any product/);
  t.regex((await browser.follow(AUTHORIZE, { from: 'https://rp.example/' })).text, /Allow access/);
});
