// Modules of the Dynamic profile that do not need open registration, with clients that an operator made (docs/conformance.md
// says why the profile itself is not claimed).

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import {
  checkIdToken,
  checkTokenAnswer,
  checkTokenError,
  completeFlow,
  fetchJwks,
  fullReader,
  QUERY_REDIRECT,
  startConformance,
} from '../support/conformance.ts';
import { verifyJws } from '../support/jws_verifier.ts';
import { createRelyingParty, putClients, REDIRECT } from '../support/relying_party.ts';

const on = await startConformance();
test.after.always(() => on.server.close());

/** A client's own key set on a port of its own, replaced at will. */
async function serveKeys(t: ExecutionContext) {
  let keys: unknown[] = [];
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys }));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => void server.close());
  const make = (kid: string) => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    keys = [{ ...pair.publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }];
    return { kid, privateKey: pair.privateKey };
  };
  return { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, make, asked: () => asked };
}

test('oidcc-idtoken-rs256: a client that asks for RS256 gets it, with a kid', async (t) => {
  await putClients(on.server, [
    { id: 'rs', require_pkce: false, consent: 'implied', id_token_signed_response_alg: 'RS256' },
  ]);
  const { id } = await completeFlow(createRelyingParty(on.server, 'rs'), (await fullReader(on.server)).browser);
  t.is(id.header['alg'], 'RS256');
  t.is(typeof id.header['kid'], 'string');
});

for (const alg of ['ES256', 'EdDSA']) {
  test(`OpenID Connect Registration §2: a client registered for ${alg} gets its ID tokens signed so, with the right at_hash`, async (t) => {
    await putClients(on.server, [
      {
        id: `alg-${alg}`,
        require_pkce: false,
        consent: 'implied',
        id_token_signed_response_alg: alg,
        access_token: { format: 'jwt' },
      },
    ]);
    const rp = createRelyingParty(on.server, `alg-${alg}`);
    const tokens = await rp.signIn((await fullReader(on.server)).browser);
    const jwks = await fetchJwks(rp);
    const { header, payload } = verifyJws(tokens.id_token, jwks);
    t.is(header['alg'], alg);
    t.is(verifyJws(tokens.access_token, jwks).header['typ'], 'at+jwt');
    t.throws(
      () =>
        checkIdToken(tokens.id_token, {
          clientId: rp.id,
          nonce: undefined,
          jwks,
          accessToken: `${tokens.access_token}x`,
        }),
      undefined,
      'the checker is able to fail',
    );
    t.is(payload['aud'], rp.id);
  });
}

test('oidcc-ensure-redirect-uri-in-authorization-request: a client with two redirect URIs must name one', async (t) => {
  const { browser } = await fullReader(on.server);
  const outcome = await on.queryUri.authorize(browser, { redirect_uri: undefined });
  t.deepEqual([outcome.to, outcome.last.status], [null, 400]);
});

test('oidcc-redirect-uri-query-OK: a registered query is kept, byte for byte (RFC 6749 §3.1.2)', async (t) => {
  const { browser } = await fullReader(on.server);
  const { outcome } = await completeFlow(on.queryUri, browser);
  t.true(outcome.to?.startsWith(`${QUERY_REDIRECT}&code=`), outcome.to ?? '');
});

for (const [name, uri] of [
  ['oidcc-redirect-uri-query-mismatch', QUERY_REDIRECT.replace('bar', 'other')],
  ['oidcc-redirect-uri-query-added', `${REDIRECT}?foo=bar`],
] as const) {
  test(`${name}: another query than the registered one gives a page and no redirect`, async (t) => {
    const { browser } = await fullReader(on.server);
    const rp = name.endsWith('added') ? on.first : on.queryUri;
    const outcome = await rp.authorize(browser, { redirect_uri: uri });
    t.deepEqual([outcome.to, outcome.last.status, outcome.last.location], [null, 400, null]);
  });
}

test("oidcc-registration-jwks-uri: the keys at a client's jwks_uri prove its assertions", async (t) => {
  const host = await serveKeys(t);
  const key = host.make('one');
  await putClients(on.server, [
    {
      id: 'remote',
      require_pkce: false,
      consent: 'implied',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: host.uri,
    },
  ]);
  const rp = createRelyingParty(on.server, 'remote', { method: 'jwt', key });
  const { browser } = await fullReader(on.server);
  await completeFlow(rp, browser);
  await completeFlow(rp, browser);
  t.is(host.asked(), 1, 'fetched once, not at every request');
});

test('oidcc-server-rotate-keys: after a rotation the set has a new key and still the old one, and both verify', async (t) => {
  const { browser } = await fullReader(on.server);
  const before = await completeFlow(on.first, browser);
  const old = await fetchJwks(on.first);
  const { db, keys } = on.server.services;
  const realm = await on.server.realm();
  await db.transaction((q) => keys.rotateEarly(q, realm.id));
  let now = await fetchJwks(on.first);
  // The notification is on its way; nothing is older than the five seconds of a node's memory.
  for (let tries = 0; now.keys.length === old.keys.length && tries < 500; tries++) now = await fetchJwks(on.first);
  t.deepEqual(
    old.keys.filter(({ kid }) => !now.keys.some((key) => key.kid === kid)),
    [],
  );
  t.is(now.keys.length, 2 * old.keys.length);
  t.notThrows(() => verifyJws(before.tokens.id_token, now));
  await completeFlow(on.first, browser);
});

test('oidcc-ensure-client-assertion-with-iss-aud-succeeds: an assertion whose audience is the issuer is accepted', async (t) => {
  await completeFlow(on.byKey, (await fullReader(on.server)).browser);
  t.pass();
});

test('oidcc-refresh-token (private_key_jwt): refresh works with assertions', async (t) => {
  const { browser } = await fullReader(on.server);
  const { tokens } = await completeFlow(on.byKey, browser);
  assert.ok(tokens.refresh_token);
  checkTokenAnswer(await on.byKey.refresh(tokens.refresh_token));
  checkTokenError(await on.first.refresh(tokens.refresh_token), 'invalid_grant');
  t.pass();
});
