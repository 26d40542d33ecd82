// What the authorization endpoint answers to a client, at the running server: response types, state and issuer, request
// objects, scopes.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { checkRefusal, checkSuccess, startConformance } from '../support/conformance.ts';
import { verifyJws } from '../support/jws_verifier.ts';
import { createRelyingParty, ISSUER, type Parameters, putClients, signedInReader } from '../support/relying_party.ts';

const hits: string[] = [];
const sink = createServer((request, response) => {
  hits.push(request.url ?? '');
  response.end('x');
});
await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
const SINK = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;

const on = await startConformance();
await putClients(on.server, [
  { id: 'narrow', require_pkce: false, consent: 'implied', scopes: ['openid', 'email'] },
  { id: 'asked', require_pkce: false, scopes: ['openid', 'email'] },
]);
const narrow = createRelyingParty(on.server, 'narrow');
test.after.always(async () => {
  await on.server.close();
  await new Promise((resolve) => sink.close(resolve));
});

const types: [type: string | undefined, error: string][] = [
  ...[
    'token',
    'id_token',
    'code token',
    'code id_token',
    'code id_token token',
    'id_token token',
    'none',
    'code code',
    'CODE',
    'code ',
  ].map((type): [string, string] => [type, 'unsupported_response_type']),
  [undefined, 'invalid_request'],
  ['', 'invalid_request'],
];
for (const [type, error] of types) {
  test(`security 80, RFC 6749 §3.1.1: response_type ${type ?? '<missing>'} is ${error}, without a token anywhere`, async (t) => {
    const { browser } = await signedInReader(on.server);
    for (const mode of [undefined, 'query', 'form_post']) {
      const sent = on.first.request({ response_type: type, response_mode: mode });
      const outcome = await on.first.authorize(browser, sent);
      // State and issuer are checked there, and that nothing but error members stands beside them.
      t.is(checkRefusal(on.first, sent, outcome, [error]), error);
      t.false(outcome.to?.includes('#'));
      t.notRegex(`${outcome.to} ${outcome.last.text}`, /access_token|id_token=|[?&]code=/);
    }
  });
}

for (const mode of ['query', 'form_post']) {
  const readers = { signedIn: () => signedInReader(on.server), nobody: async () => ({ browser: on.server.browser() }) };
  const answers: [
    title: string,
    id: 'first' | 'asked',
    who: keyof typeof readers,
    changes: Parameters,
    error: string | null,
  ][] = [
    ['a code', 'first', 'signedIn', {}, null],
    ['a request that is wrong', 'first', 'signedIn', { prompt: 'dance' }, 'invalid_request'],
    ['another response type', 'first', 'signedIn', { response_type: 'token' }, 'unsupported_response_type'],
    ['nobody signed in', 'first', 'nobody', { prompt: 'none' }, 'login_required'],
    ['no consent yet', 'asked', 'signedIn', { prompt: 'none' }, 'consent_required'],
    ['a reader who says no', 'asked', 'signedIn', {}, 'access_denied'],
  ];
  for (const [title, id, who, changes, error] of answers) {
    test(`security 83, RFC 9207 §2, §2.1: ${title}, by ${mode}: the answer names the issuer, exactly once`, async (t) => {
      const rp = createRelyingParty(on.server, id);
      const { browser } = await readers[who]();
      const sent = rp.request({ response_mode: mode, ...changes });
      const outcome = await rp.authorize(browser, sent, { consent: 'deny' });
      if (error === null) checkSuccess(rp, sent, outcome);
      else checkRefusal(rp, sent, outcome, [error]);
      const metadata = (await rp.get('/.well-known/openid-configuration')).json();
      t.true(metadata.authorization_response_iss_parameter_supported);
      t.deepEqual(outcome.answer?.getAll('iss'), [metadata.issuer]);
    });
  }

  test(`security 84, RFC 6749 §4.1.2: the state comes back as it was by ${mode}, in success and in login_required; 5 KB are refused; none is needed`, async (t) => {
    const { browser } = await signedInReader(on.server);
    const states = ['0aZ9-._~'.repeat(16), 'a+b/c=&d%25é"<', '%2B %26', 'ключ 🔑 \u202e', 'x'.repeat(2048)];
    for (const state of states) {
      const sent = on.first.request({ response_mode: mode, state });
      checkSuccess(on.first, sent, await on.first.authorize(browser, sent));
      const silent = { ...sent, prompt: 'none' };
      checkRefusal(on.first, silent, await on.first.authorize(on.server.browser(), silent), ['login_required']);
    }
    const long = on.first.request({ response_mode: mode, state: 'x'.repeat(5 * 1024) });
    t.is((await on.first.authorize(browser, long)).answer?.get('error'), 'invalid_request');
    const none = on.first.request({ response_mode: mode, state: undefined });
    const { answer } = await on.first.authorize(browser, none);
    t.deepEqual([...(answer?.keys() ?? [])].sort(), ['code', 'iss']);
  });
}

test('security 87, OpenID Connect Core §3.1.2.6: request and request_uri are refused by their own errors, said in the metadata, and never fetched', async (t) => {
  const metadata = (await on.first.get('/.well-known/openid-configuration')).json();
  t.is(metadata.request_parameter_supported, false);
  t.is(metadata.request_uri_parameter_supported, false);
  const { browser } = await signedInReader(on.server);
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const inside = { iss: 'first', aud: ISSUER, client_id: 'first', response_type: 'code', scope: 'openid', state: 'in' };
  for (const [changes, error] of [
    [{ request: `${part({ alg: 'none' })}.${part(inside)}.` }, 'request_not_supported'],
    [{ request: 'no-jwt' }, 'request_not_supported'],
    [{ request_uri: `${SINK}/request` }, 'request_uri_not_supported'],
    [{ request_uri: `${SINK}/request#sha256` }, 'request_uri_not_supported'],
    [{ request_uri: 'urn:ietf:params:oauth:request_uri:unknown' }, 'request_uri_not_supported'],
    [{ registration: '{}' }, 'registration_not_supported'],
  ] as const) {
    const sent = on.first.request(changes as Parameters);
    t.is(checkRefusal(on.first, sent, await on.first.authorize(browser, sent), [error]), error);
  }
  const pushed = await on.first.post('/oauth/par', on.first.request({ request: `${part({ alg: 'none' })}.e30.` }));
  t.deepEqual([pushed.status, pushed.json().error], [400, 'invalid_request']);
  t.deepEqual(hits, []);
});

const scopes: [title: string, scope: string | undefined, granted: string, hasIdToken: boolean][] = [
  ['in order', 'openid email', 'openid email', true],
  ['in another order', 'email openid', 'openid email', true],
  ['repeated', 'openid email openid', 'openid email', true],
  ['with spaces around', ' openid  email ', 'openid email', true],
  ['with an unknown one', 'openid foo', 'openid', true],
  ['with one that the client may not have', 'openid email phone profile', 'openid email', true],
  ['without openid', 'email', 'email', false],
  ['in another case', 'OPENID email', 'email', false],
];
for (const [title, scope, granted, hasIdToken] of scopes) {
  test(`security 91, RFC 6749 §3.3, OpenID Connect Core §3.1.2.1: scopes ${title}: "${scope}" gives "${granted}"`, async (t) => {
    const { account, browser } = await signedInReader(on.server);
    const tokens = await narrow.signIn(browser, { scope });
    t.is(tokens.scope, granted);
    t.is('id_token' in tokens, hasIdToken);
    if (hasIdToken) {
      const jwks = (await narrow.get('/oauth/jwks')).json();
      t.is(verifyJws(tokens.id_token, jwks).payload['sub'], account.sub);
      const userinfo = (await narrow.userinfo(tokens.access_token)).json();
      t.is('email' in userinfo, granted.includes('email'));
      for (const claim of ['phone_number', 'name']) t.false(claim in userinfo, claim);
    }
    const introspected = (await narrow.post('/oauth/introspect', { token: tokens.access_token })).json();
    t.is(introspected.scope, granted);
  });
}
