// What a registration request may say (RFC 7591 §2), without a server.

import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { toRefusal } from '../../server/http/errors.ts';
import { presentOAuthError } from '../../server/oauth/oauth.ts';
import { parseMetadata } from '../../server/oauth/registration.ts';

const CALLBACK = 'https://dyn.example/cb';
const KEY = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'd1' };
const BAD_URIS = [
  'https://dyn.example/cb#x',
  'http://dyn.example/cb',
  'javascript:alert(1)',
  'data:text/html,x',
  'https://u:p@dyn.example/cb',
  'https://@dyn.example/cb',
  'https://*.example/cb',
  'https://203.0.113.5/cb',
  'https://[2001:db8::1]/cb',
  '/cb',
  '',
  'com.example.app:/cb',
  'https://dyn.example\\@evil.example/',
];
const fails = (sent: Record<string, unknown>, allowLoopback = false): string | null => {
  try {
    parseMetadata(sent, allowLoopback);
    return null;
  } catch (error) {
    return presentOAuthError(toRefusal(error)).error;
  }
};

test('security 23, 178: redirect URIs with fragment, http, script, user name, wildcard or an address are invalid_redirect_uri', (t) => {
  for (const uri of BAD_URIS) t.is(fails({ redirect_uris: [CALLBACK, uri] }), 'invalid_redirect_uri', uri);
  for (const redirect_uris of [undefined, [], 'https://dyn.example/cb', [5]])
    t.is(fails({ redirect_uris }), 'invalid_redirect_uri');
  t.is(fails({ redirect_uris: ['http://localhost:3000/cb'] }, false), 'invalid_redirect_uri');
  t.is(fails({ redirect_uris: ['http://localhost:3000/cb'] }, true), null);
});

test('RFC 7591 §2, RFC 7591 §3.2.2, OpenID Connect Dynamic Client Registration §5, security 178: other metadata that may not be registered is invalid_client_metadata', (t) => {
  for (const wrong of [
    { id_token_signed_response_alg: 'none' },
    { id_token_signed_response_alg: 'HS256' },
    { token_endpoint_auth_method: 'tls_client_auth' },
    { grant_types: ['implicit'] },
    { grant_types: ['password'] },
    { grant_types: [] },
    { response_types: ['id_token'] },
    { response_types: ['code token'] },
    { response_types: [] },
    { jwks: { keys: [KEY] }, jwks_uri: 'https://dyn.example/jwks' },
    { jwks_uri: 'http://dyn.example/jwks' },
    { jwks: { keys: [] } },
    { jwks: { keys: [{ ...KEY, d: 'x' }] } },
    { jwks: { keys: [{ kty: 'oct', k: 'x' }] } },
    { token_endpoint_auth_method: 'private_key_jwt' },
    { token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'client_credentials'] },
    { client_name: 'x'.repeat(201) },
    { client_name: 'Bank\u202Eknab' },
    { post_logout_redirect_uris: ['http://dyn.example/'] },
    { backchannel_logout_uri: 'http://169.254.169.254/' },
    { backchannel_logout_uri: 'https://10.0.0.1/' },
    { sector_identifier_uri: 'https://dyn.example/sector' },
    { subject_type: 'pairwise' },
    { grant_types: ['refresh_token'], response_types: [] },
  ])
    t.is(fails({ redirect_uris: [CALLBACK], ...wrong }), 'invalid_client_metadata', JSON.stringify(wrong));
  t.is(
    fails({
      redirect_uris: [CALLBACK],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [KEY] },
      client_name: 'x'.repeat(200),
      backchannel_logout_uri: 'https://dyn.example/bc',
    }),
    null,
  );
});
