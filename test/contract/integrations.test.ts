// Tokens for integrations, as their published callers ask for them, under both prefixes.

import test from 'ava';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { send } from '../support/browser.ts';
import { REALM_YAML, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { AUTH, isFailure, isSuccess, NEWS } from './wire.ts';

const SHARED = 'shared with the paywall: 0123456789 abcdef';
const SECRET = 'of a product alone: 0123456789 abcdefghij';
const YAML = `${REALM_YAML.trimEnd()}
      - id: paywall
        kind: third-party
        token_endpoint_auth_method: none
        redirect_uris: []
        integration_secret: \${SHARED}
      - { id: product, kind: third-party, secret: "\${SECRET}", redirect_uris: [http://product.localhost/callback] }
      - { id: public, kind: third-party, token_endpoint_auth_method: none, redirect_uris: [http://page.localhost/callback] }
`;
const server = await startTestServer();
await server.apply(YAML, { SHARED, SECRET });
test.after.always(() => server.close());
const PREFIXES = ['/api/auth/v1', '/api/v1'];
const tokenUrl = (id: string, prefix = '/api/auth/v1', site = NEWS) =>
  `${site}${prefix}/access-token/integrations/${id}`;
const adminUrl = (id: string, secret: string | null, prefix = '/api/auth/v1', site = NEWS) =>
  `${site}${prefix}/admin/access-token/integrations/${id}${secret === null ? '' : `?${new URLSearchParams({ secret })}`}`;
const basic = (id: string, secret: string) => ({
  Authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
});

test('contract §2: an integration token tells who is signed in, under the shared secret, by cookie and by header', async (t) => {
  const { account, session } = await signedInBrowser(server);
  for (const prefix of PREFIXES) {
    for (const headers of [
      { Cookie: String(session.cookies['news']) },
      { 'X-QT-AUTH': String(session.credentials['news']?.token) },
    ]) {
      const answer = await send(server.port, tokenUrl('paywall', prefix), { headers });
      t.deepEqual(isSuccess(t, answer), { success: true });
      const token = String(answer.headers['x-integration-token']);
      const { payload, protectedHeader } = await jwtVerify(token, new TextEncoder().encode(SHARED), {
        algorithms: ['HS256'],
      });
      t.deepEqual(protectedHeader, { alg: 'HS256', typ: 'JWT' });
      const { iat = 0, exp = 0, timestamp, ...claims } = payload;
      t.deepEqual(claims, {
        id: Number(account.id),
        name: account.name,
        email: account.email,
        'first-name': null,
        'last-name': null,
        'avatar-url': null,
        'email-verified': false,
      });
      t.is(exp - iat, 300);
      t.true(Math.abs(Number(timestamp) - Date.now()) < 60_000 && Math.abs(iat * 1000 - Date.now()) < 60_000);
    }
  }
});

test('contract §2: 403 without a live session and 404 for an unknown integration, both without the header', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  for (const prefix of PREFIXES) {
    for (const headers of [{}, { 'x-qt-auth': 'dummy' }, { 'x-qt-auth': 'A'.repeat(43) }, { Cookie: 'qt-auth=x' }]) {
      for (const id of ['paywall', 'nobody']) {
        const answer = await send(server.port, tokenUrl(id, prefix), { headers });
        isFailure(t, answer, 403);
        t.is(answer.headers['x-integration-token'], undefined);
      }
    }
    // Only clients that were given a secret for it answer: a client secret alone is none.
    for (const id of ['nobody', 'news', 'product', 'public', "x' or 1=1", 'A'.repeat(300)]) {
      const answer = await browser.fetch(tokenUrl(encodeURIComponent(id), prefix));
      isFailure(t, answer, 404);
      t.is(answer.headers['x-integration-token'], undefined);
    }
  }
  // A session of another host is none here (security 16).
  const headers = { 'x-qt-auth': String(session.credentials['sports']?.token) };
  isFailure(t, await send(server.port, tokenUrl('paywall'), { headers }), 403);
});

test('contract §2: an integration gets an admin token for its secret, in the query and as Basic, for ten minutes', async (t) => {
  const asks: [string, Record<string, string>][] = PREFIXES.flatMap((prefix): [string, Record<string, string>][] => [
    [adminUrl('paywall', SHARED, prefix), {}],
    [adminUrl('paywall', null, prefix, AUTH), basic('paywall', SHARED)],
    [adminUrl('product', SECRET, prefix), {}],
    [adminUrl('product', null, prefix), basic('product', SECRET)],
  ]);
  const keys = (await send(server.port, `${AUTH}/oauth/jwks`)).json();
  for (const [url, headers] of asks) {
    const body = isSuccess(t, await send(server.port, url, { headers }));
    t.deepEqual(Object.keys(body), ['token']);
    const token = String(body['token']);
    const header = decodeProtectedHeader(token);
    t.is(header.typ, 'causeway-admin+jwt');
    const jwk = keys.keys.find(({ kid }: { kid: string }) => kid === header.kid);
    const { payload } = await jwtVerify(token, jwk, {
      issuer: AUTH,
      audience: `${AUTH}/api/auth/v1/admin`,
      algorithms: ['RS256'],
    });
    t.is(Number(payload.exp) - Number(payload.iat), 600);
    t.is(payload['client_id'], url.includes('paywall') ? 'paywall' : 'product');
    // It opens nothing of this server's own.
    const Authorization = `Bearer ${token}`;
    t.is((await send(server.port, `${AUTH}/oauth/userinfo`, { headers: { Authorization } })).status, 401);
    t.is((await send(server.port, `${NEWS}/api/auth/v1/users/me`, { headers: { Authorization } })).status, 401);
  }
});

test('contract §2: a wrong secret is 401 and an unknown integration 404, and neither secret is ever in the log', async (t) => {
  const wrong = 'a wrong secret: 0123456789 abcdefghijklmnop';
  for (const prefix of PREFIXES) {
    for (const [id, secret] of [
      ['paywall', wrong],
      ['paywall', SECRET],
      ['product', SHARED],
      ['product', ''],
      ['paywall', null],
    ] as const)
      isFailure(t, await send(server.port, adminUrl(id, secret, prefix)), 401);
    const refused = await send(server.port, adminUrl('paywall', SHARED, prefix), { headers: basic('paywall', wrong) });
    isFailure(t, refused, 401);
    t.regex(String(refused.headers['www-authenticate']), /^Basic /);
    isFailure(
      t,
      await send(server.port, adminUrl('paywall', null, prefix), { headers: basic('product', SHARED) }),
      401,
    );
    isFailure(
      t,
      await send(server.port, adminUrl('paywall', null, prefix), { headers: { Authorization: 'Basic %' } }),
      401,
    );
    for (const id of ['nobody', 'news', 'public'])
      isFailure(t, await send(server.port, adminUrl(id, wrong, prefix)), 404);
    t.is((await send(server.port, adminUrl('paywall', SHARED, prefix), { method: 'HEAD' })).status, 405);
  }
  for (const secret of [wrong, SHARED, SECRET, encodeURIComponent(SHARED)])
    t.false(server.lines.some((line) => line.includes(secret)));
});

test('security 194: an integration secret is stored encrypted', async (t) => {
  const rows = await server.services.db.builder('clients').select('*');
  const text = JSON.stringify(rows);
  t.false(text.includes(SHARED));
  t.regex(text, /"encrypted":"ey/);
});

test('contract §2: guessing an admin secret is limited per address', async (t) => {
  const own = await startTestServer();
  await own.apply(YAML, { SHARED, SECRET });
  const statuses = new Set<number>();
  for (let round = 0; round < 16; round++) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send(own.port, adminUrl('paywall', 'x'.repeat(32)))),
    );
    for (const { status } of answers) statuses.add(status);
  }
  t.deepEqual([...statuses].sort(), [401, 429]);
  // Who knows the secret is not locked out.
  t.is((await send(own.port, adminUrl('paywall', SHARED))).status, 200);
  await own.close();
});
