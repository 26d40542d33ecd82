// Sessions of a former system that are JWTs signed by a key pair: the key as PEM or as a key set; and somebody who has a second
// factor here.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { codeOf, enrol } from '../mfa/setup.ts';
import { authorizeUrl } from '../support/browser.ts';
import { startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';

const pairs = {
  RS256: await generateKeyPair('RS256', { extractable: true }),
  PS256: await generateKeyPair('PS256', { extractable: true }),
  ES256: await generateKeyPair('ES256', { extractable: true }),
  EdDSA: await generateKeyPair('EdDSA', { extractable: true }),
};
type Algorithm = keyof typeof pairs;
const ALGORITHMS = Object.keys(pairs) as Algorithm[];
const keySet = await Promise.all(
  ALGORITHMS.map(async (alg) => ({ ...(await exportJWK(pairs[alg].publicKey)), kid: alg, alg, use: 'sig' })),
);
const former = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ keys: keySet }));
});
await new Promise<void>((done) => former.listen(0, '127.0.0.1', done));
const keySetUrl = `http://localhost:${(former.address() as AddressInfo).port}/keys`;

const server = await startTestServer();
const hostsOf = (slug: string) => ({ auth: `auth.${slug}.localhost`, news: `news.${slug}.localhost` });
const slugOf = (algorithm: Algorithm, how: string) => `${algorithm.toLowerCase()}-${how}`;
for (const algorithm of ALGORITHMS) {
  const pem = JSON.stringify(await exportSPKI(pairs[algorithm].publicKey));
  for (const [how, key] of [
    ['pem', `public_key: ${pem}`],
    ['jwks', `jwks_url: "${keySetUrl}"`],
  ] as const) {
    const slug = slugOf(algorithm, how);
    await server.apply(`
realms:
  - slug: ${slug}
    auth_domain: ${hostsOf(slug).auth}
    settings: { old_session: { cookies: [old_jwt], jwt: { algorithm: ${algorithm}, ${key} }, until: "2099-12-31" } }
    clients: [{ id: news, kind: first-party, domain: ${hostsOf(slug).news} }]
`);
  }
}
test.after.always(async () => {
  await server.close();
  former.closeAllConnections();
  former.close();
});

let count = 0;
function sign(key: CryptoKey, header: { alg: string; kid?: string }, more: Record<string, unknown> = {}) {
  const sub = `old-${++count}`;
  return new SignJWT({ sub, email: `${sub}@jwt.example`, email_verified: true, name: 'Lars', ...more })
    .setProtectedHeader(header)
    .setExpirationTime('1h')
    .sign(key);
}

/** A browser that comes to a site with the cookie of the former system, and who it then is. */
async function visit(slug: string, token: string) {
  const browser = server.browser();
  const site = `http://${hostsOf(slug).news}`;
  browser.jarOf(hostsOf(slug).news).set('old_jwt', token);
  const answer = await browser.navigate(authorizeUrl(site, 'news', `${site}/article`), { from: `${site}/` });
  const me = await browser.me(site);
  return { browser, answer, site, name: me.status === 200 ? me.json().user.name : null };
}

for (const algorithm of ALGORITHMS)
  for (const how of ['pem', 'jwks'])
    test(`a JWT signed with ${algorithm} signs in by a key given as ${how}; one of another key, or without its kind, does not`, async (t) => {
      const slug = slugOf(algorithm, how);
      const { privateKey } = pairs[algorithm];
      t.is((await visit(slug, await sign(privateKey, { alg: algorithm, kid: algorithm }))).name, 'Lars');
      const stranger = await generateKeyPair(algorithm);
      t.is((await visit(slug, await sign(stranger.privateKey, { alg: algorithm, kid: algorithm }))).name, null);
      // RFC 8725 §3.1: a key of the set that is of another algorithm than the operator named counts for nothing.
      const other = algorithm === 'RS256' ? 'ES256' : 'RS256';
      t.is((await visit(slug, await sign(pairs[other].privateKey, { alg: other, kid: other }))).name, null);
    });

test('RFC 8725 §2.1: the public key as an HMAC secret signs nobody in', async (t) => {
  const pem = await exportSPKI(pairs.RS256.publicKey);
  for (const secret of [pem, pem.trim()]) {
    const token = await new SignJWT({ sub: 'mads', email: 'mads@jwt.example', email_verified: true, name: 'Mads' })
      .setProtectedHeader({ alg: 'HS256', kid: 'RS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(secret));
    for (const how of ['pem', 'jwks']) t.is((await visit(slugOf('RS256', how), token)).name, null);
  }
});

test('security 17: an old session of somebody with a second factor signs nobody in; the sign-in page asks for both', async (t) => {
  const slug = slugOf('RS256', 'pem');
  const account = await server.makeAccount({ realm: slug });
  await server.services.db.builder('accounts').where({ id: account.id }).update({ external_id: 'old-two-step' });
  const { secret } = await enrol(server, account);
  const token = await sign(pairs.RS256.privateKey, { alg: 'RS256' }, { sub: 'old-two-step' });
  const { browser, answer, site, name } = await visit(slug, token);
  t.is(name, null);
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
  t.false([...browser.jars.values()].some((jar) => jar.has('tfa-auth')));
  const page = await browser.follow(String(answer.location), { from: `${site}/` });
  t.is(new URL(page.url).pathname, '/login');
  const first = await browser.submit(page, { identifier: account.email, password: 'a long enough password' });
  t.regex(String(first.location), /^\/login\/second-factor\?/);
  const ask = await browser.navigate(new URL(String(first.location), page.url).href, { from: page.url });
  const passed = await browser.submit(ask, { code: codeOf(secret) });
  const arrived = await browser.follow(new URL(String(passed.location), page.url).href, { from: page.url });
  t.is(arrived.hops.at(-1), `${site}/article`);
});
