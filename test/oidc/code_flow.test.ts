import { createHash, randomBytes } from 'node:crypto';
import test from 'ava';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const REDIRECT = 'https://rp.example/cb';
const yaml = `
realms:
  - slug: test
    auth_domain: ${HOSTS.auth}
    clients:
      - { id: rp, kind: third-party, name: Relying Party, secret: ${SECRET}, redirect_uris: [${REDIRECT}], scopes: [openid, email, profile, offline_access] }
`;
const server = await startTestServer({ yaml });
test.after.always(() => server.close());
const AUTH = originOf('auth');

test('OpenID Connect Core §3.1: code flow with PKCE, consent, tokens, userinfo and refresh', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    client_id: 'rp',
    redirect_uri: REDIRECT,
    response_type: 'code',
    scope: 'openid email',
    state: 'st',
    nonce: 'n-1',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  });
  const page = await browser.follow(`${AUTH}/oauth/authorize?${query}`, { from: 'https://rp.example/' });
  t.regex(page.text, /Relying Party/);
  const signedIn = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  t.is(signedIn.status, 303);
  const consent = await browser.follow(new URL(signedIn.location!, AUTH).href, { from: AUTH });
  t.regex(consent.text, /Allow access/);
  const allowed = await browser.submit(consent, { answer: 'allow' });
  const back = await browser.navigate(new URL(allowed.location!, AUTH).href, { from: AUTH });
  const arrived = new URL(back.location!);
  t.is(arrived.origin + arrived.pathname, REDIRECT);
  t.is(arrived.searchParams.get('state'), 'st');
  t.is(arrived.searchParams.get('iss'), AUTH);
  const token = (body: Record<string, string>) =>
    browser.ask(`${AUTH}/oauth/token`, {
      method: 'POST',
      cookies: null,
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        Authorization: `Basic ${Buffer.from(`rp:${SECRET}`).toString('base64')}`,
      },
      body: new URLSearchParams(body).toString(),
    });
  const answer = await token({
    grant_type: 'authorization_code',
    code: arrived.searchParams.get('code')!,
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  });
  t.is(answer.status, 200, server.lines.filter((l) => l.includes('failed')).join(''));
  const { id_token: idToken, access_token: accessToken, refresh_token: refreshToken } = answer.json();
  const jwks = (await browser.ask(`${AUTH}/oauth/jwks`, { cookies: null })).json();
  const { payload, protectedHeader } = await jwtVerify(idToken, createLocalJWKSet(jwks), {
    issuer: AUTH,
    audience: 'rp',
  });
  t.is(protectedHeader.alg, 'RS256');
  t.is(payload['nonce'], 'n-1');
  t.is(payload['email'], undefined);
  const info = await browser.ask(`${AUTH}/oauth/userinfo`, {
    cookies: null,
    headers: { Authorization: `Bearer ${accessToken}` },
  });
  t.deepEqual(info.json(), { sub: payload.sub, email: account.email, email_verified: false });
  const refreshed = await token({ grant_type: 'refresh_token', refresh_token: refreshToken });
  t.is(refreshed.status, 200, refreshed.text);
  t.is(
    (await token({ grant_type: 'refresh_token', refresh_token: refreshToken })).json().refresh_token,
    refreshed.json().refresh_token,
  );
  t.is(
    (
      await token({
        grant_type: 'authorization_code',
        code: arrived.searchParams.get('code')!,
        redirect_uri: REDIRECT,
        code_verifier: verifier,
      })
    ).json().error,
    'invalid_grant',
  );
  t.is(
    (
      await browser.ask(`${AUTH}/oauth/userinfo`, {
        cookies: null,
        headers: { Authorization: `Bearer ${accessToken}` },
      })
    ).status,
    401,
  );
});
