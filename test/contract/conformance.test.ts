// The certification modules of the Basic profile and of the Config profile, black-box against the running server.

import assert from 'node:assert/strict';
import test from 'ava';
import { fetchJwks, startConformance } from '../support/conformance.ts';
import { ISSUER } from '../support/relying_party.ts';
import { BASIC_MODULES } from './basic_modules.ts';

const on = await startConformance();
test.after.always(() => on.server.close());

for (const { name, shows, run } of BASIC_MODULES) {
  test(`${name}: ${shows}`, async (t) => {
    await t.notThrowsAsync(run({ on, mode: 'query', ask: (changes = {}) => changes }));
  });
}

test('oidcc-discovery-endpoint-verification: the metadata is complete, truthful and well-formed', async (t) => {
  const answer = await on.first.get('/.well-known/openid-configuration');
  t.is(answer.status, 200);
  t.regex(String(answer.headers['content-type']), /^application\/json/);
  const metadata = answer.json();
  t.is(metadata.issuer, ISSUER);
  t.false(/[?#]/.test(metadata.issuer));
  t.deepEqual(metadata.response_types_supported, ['code']);
  t.deepEqual(metadata.subject_types_supported, ['public']);
  t.true(metadata.id_token_signing_alg_values_supported.includes('RS256'));
  t.is(metadata.request_uri_parameter_supported, false);
  t.is(metadata.request_parameter_supported, false);
  t.is(metadata.claims_parameter_supported, true);
  t.true(metadata.claims_supported.includes('sub'));
  t.true(metadata.grant_types_supported.includes('authorization_code'));
  t.true(
    metadata.scopes_supported.includes('openid') &&
      metadata.scopes_supported.every((scope: string) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)),
  );
  t.true(metadata.ui_locales_supported.every((tag: string) => Intl.getCanonicalLocales(tag)[0] === tag));
  t.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
  // The tests run on a loopback name, where http is allowed; a public issuer cannot be registered with it (realm file tests).
  for (const [name, value] of Object.entries(metadata))
    if (name.endsWith('_endpoint') || name === 'jwks_uri') t.true(String(value).startsWith(`${ISSUER}/`), name);
  await fetchJwks(on.first);
  assert.ok(metadata.userinfo_endpoint);
});
