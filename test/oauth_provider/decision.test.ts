// The authorization decision as a table: every check refuses in its turn, and every outcome is reached. No server.

import test from 'ava';
import type { Client } from '../../server/clients/clients.ts';
import { protocolSchema } from '../../server/clients/clients.ts';
import { asClientId, asClientRowId, asRealmId } from '../../server/lib/ids.ts';
import { ACR } from '../../server/mfa/mfa.ts';
import type { Decision, OidcFacts } from '../../server/oauth/authorization.ts';
import { AUTHORIZATION_CHECKS } from '../../server/oauth/authorization_checks.ts';
import { examine } from '../../server/oauth/authorization_decision.ts';
import type { AuthorizeParameters } from '../../server/oauth/provider_request.ts';

const URI = 'https://rp.example/cb';
const client = (protocol: Record<string, unknown> = {}, more: Partial<Client> = {}): Client => ({
  id: asClientRowId('1'),
  realmId: asRealmId('1'),
  clientId: asClientId('rp'),
  kind: 'third-party',
  name: 'RP',
  domain: null,
  redirectUris: [URI],
  secretHashes: [],
  apiKeyHash: null,
  integrationSecret: null,
  protocol: protocolSchema.parse({ require_pkce: false, scopes: ['openid', 'email', 'offline_access'], ...protocol }),
  brand: {},
  isDisabled: false,
  ...more,
});
const SIGNED_IN: NonNullable<OidcFacts['signedIn']> = {
  sub: 'sub-7',
  ageSeconds: 100,
  authenticatedAt: 900_000,
  acr: ACR.one,
  stepUp: 'possible',
};
const FACTS: OidcFacts = {
  client: client(),
  isPushed: false,
  signedIn: SIGNED_IN,
  startedAt: 1_000_000,
  consented: ['openid', 'email'],
  hasJustConsented: false,
  hint: { kind: 'absent' },
};
const ASKED: AuthorizeParameters = {
  client_id: 'rp',
  redirect_uri: URI,
  response_type: 'code',
  scope: 'openid email',
  state: 's',
};
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
const FRESH = { ...SIGNED_IN, ageSeconds: 1, authenticatedAt: 1_000_001 };

type Case = [title: string, asked: AuthorizeParameters, facts: Partial<OidcFacts>, expected: string];

/** A decision in one line. */
function show(decision: Decision<'oidc'>): string {
  switch (decision.kind) {
    case 'refuse-here':
      return `here ${decision.code}`;
    case 'refuse-there':
      return `there ${decision.error} ${decision.to}`;
    case 'login':
      return `login ${decision.why} ${decision.prompt}`;
    case 'step-up':
      return 'step-up';
    case 'consent':
      return `consent ${decision.scopes.join(' ')}`;
    case 'issue':
      return `issue ${decision.draft.scopes.join(' ')}`;
    default:
      return decision satisfies never;
  }
}
const there = (error: string) => `there ${error} ${URI}`;

/** One refusal for each check, in the order of the list. */
const REFUSALS: Record<string, Case[]> = {
  'client is known': [
    ['no client_id', { client_id: '' } as AuthorizeParameters, { client: null }, 'here unknown_client'],
    ['unknown client', {}, { client: null }, 'here unknown_client'],
  ],
  'redirect URI is registered, byte for byte': [
    ['another path', { redirect_uri: `${URI}/x` }, {}, 'here redirect_uri_mismatch'],
    ['another case', { redirect_uri: URI.toUpperCase() }, {}, 'here redirect_uri_mismatch'],
    ['a query more', { redirect_uri: `${URI}?a=1` }, {}, 'here redirect_uri_mismatch'],
    [
      'none, although one is registered',
      { redirect_uri: undefined } as unknown as AuthorizeParameters,
      {},
      'here redirect_uri_mismatch',
    ],
  ],
  'client may use this endpoint': [
    ['a site of its own flow', {}, { client: client({}, { kind: 'first-party' }) }, there('unauthorized_client')],
    [
      'grant not registered',
      {},
      { client: client({ grant_types: ['client_credentials'] }) },
      there('unauthorized_client'),
    ],
  ],
  'request was pushed, if it must be': [
    ['not pushed', {}, { client: client({ require_pushed_authorization_requests: true }) }, there('invalid_request')],
  ],
  'no request object': [
    ['request', { request: 'x.y.z' }, {}, there('request_not_supported')],
    ['request_uri', { request_uri: 'https://a.example' }, {}, there('request_uri_not_supported')],
    ['registration', { registration: '{}' }, {}, there('registration_not_supported')],
  ],
  'response type is code': (['token', 'id_token', 'code token', 'code id_token', 'none', 'code code'] as const).map(
    (type): Case => [type, { response_type: type }, {}, there('unsupported_response_type')],
  ),
  'response mode is offered': [
    ['fragment', { response_mode: 'fragment' }, {}, there('invalid_request')],
    [
      'not for this client',
      { response_mode: 'form_post' },
      { client: client({ response_modes: ['query'] }) },
      there('invalid_request'),
    ],
  ],
  PKCE: [
    ['plain', { code_challenge: CHALLENGE, code_challenge_method: 'plain' }, {}, there('invalid_request')],
    ['no method', { code_challenge: CHALLENGE }, {}, there('invalid_request')],
    ['method without challenge', { code_challenge_method: 'S256' }, {}, there('invalid_request')],
    [
      '42 characters',
      { code_challenge: CHALLENGE.slice(1), code_challenge_method: 'S256' },
      {},
      there('invalid_request'),
    ],
    [
      'a letter outside the alphabet',
      { code_challenge: `${CHALLENGE.slice(1)}=`, code_challenge_method: 'S256' },
      {},
      there('invalid_request'),
    ],
    ['required and absent', {}, { client: client({ require_pkce: true }) }, there('invalid_request')],
    [
      'a public client cannot waive it',
      {},
      { client: client({ token_endpoint_auth_method: 'none', require_pkce: false }) },
      there('invalid_request'),
    ],
  ],
  'state and other free texts fit': [
    ['state', { state: 'x'.repeat(2049) }, {}, there('invalid_request')],
    ['nonce', { nonce: 'x'.repeat(513) }, {}, there('invalid_request')],
    ['login_hint', { login_hint: 'x'.repeat(321) }, {}, there('invalid_request')],
  ],
  'prompt, max_age and claims are well-formed': [
    ['none with login', { prompt: 'none login' }, {}, there('invalid_request')],
    ['unknown prompt', { prompt: 'dance' }, {}, there('invalid_request')],
    ['negative max_age', { max_age: '-1' }, {}, there('invalid_request')],
    ['claims not JSON', { claims: '{' }, {}, there('invalid_request')],
    ['claims not an object', { claims: '[]' }, {}, there('invalid_request')],
  ],
  'hint is ours': [['foreign', {}, { hint: { kind: 'invalid' } }, there('invalid_request')]],
};

const OUTCOMES: Case[] = [
  ['nobody is signed in', {}, { signedIn: null, consented: null }, 'login not-signed-in login'],
  ['nobody, prompt=create', { prompt: 'create' }, { signedIn: null, consented: null }, 'login not-signed-in create'],
  ['nobody, prompt=none', { prompt: 'none' }, { signedIn: null, consented: null }, there('login_required')],
  ['prompt=login', { prompt: 'login' }, {}, 'login prompt login'],
  ['prompt=login after a fresh sign-in', { prompt: 'login' }, { signedIn: FRESH }, 'issue openid email'],
  ['prompt=select_account', { prompt: 'select_account' }, {}, 'login prompt login'],
  ['older than max_age', { max_age: '99' }, {}, 'login max-age login'],
  ['older than max_age, prompt=none', { max_age: '99', prompt: 'none' }, {}, there('login_required')],
  ['max_age=0 after a fresh sign-in', { max_age: '0' }, { signedIn: FRESH }, 'issue openid email'],
  ['younger than max_age', { max_age: '100' }, {}, 'issue openid email'],
  ['hint of another reader', {}, { hint: { kind: 'sub', sub: 'sub-8' } }, 'login other-account login'],
  [
    'hint of another reader, prompt=none',
    { prompt: 'none' },
    { hint: { kind: 'sub', sub: 'sub-8' } },
    there('login_required'),
  ],
  [
    'hint of another reader after a fresh sign-in: no circle',
    {},
    { signedIn: FRESH, hint: { kind: 'sub', sub: 'sub-8' } },
    there('login_required'),
  ],
  ['hint of this reader', {}, { hint: { kind: 'sub', sub: 'sub-7' } }, 'issue openid email'],
  [
    'essential acr that is not met',
    { claims: '{"id_token":{"acr":{"essential":true,"values":["two"]}}}' },
    {},
    there('unmet_authentication_requirements'),
  ],
  [
    'essential acr that is met',
    { claims: '{"id_token":{"acr":{"essential":true,"value":"urn:causeway:acr:1"}}}' },
    {},
    'issue openid email',
  ],
  ['never consented', {}, { consented: null }, 'consent openid email'],
  ['never consented, prompt=none', { prompt: 'none' }, { consented: null }, there('consent_required')],
  ['a scope more than consented', {}, { consented: ['openid'] }, 'consent openid email'],
  ['prompt=consent', { prompt: 'consent' }, {}, 'consent openid email'],
  ['just consented', { prompt: 'consent' }, { consented: null, hasJustConsented: true }, 'issue openid email'],
  ['consent is implied', {}, { client: client({ consent: 'implied' }), consented: null }, 'issue openid email'],
  ['offline_access without consent for it is left out', { scope: 'openid offline_access' }, {}, 'issue openid'],
  [
    'offline_access just consented',
    { scope: 'openid offline_access', prompt: 'consent' },
    { hasJustConsented: true },
    'issue openid offline_access',
  ],
  [
    'unknown scopes are left out, order and repetition mean nothing',
    { scope: 'email foo openid email' },
    {},
    'issue openid email',
  ],
  ['no scope', { scope: undefined } as unknown as AuthorizeParameters, {}, 'issue '],
];

const run = ([, asked, facts]: Case) => {
  const parameters = Object.fromEntries(
    Object.entries({ ...ASKED, ...asked }).filter(([, value]) => value !== undefined),
  ) as AuthorizeParameters;
  return examine({ face: 'oidc', parameters }, { ...FACTS, ...facts });
};

const REQUEST_CHECKS = AUTHORIZATION_CHECKS.filter(({ stage, rules }) => stage !== 'reader' && rules.oidc);
for (const { name, spec } of REQUEST_CHECKS) {
  for (const one of REFUSALS[name] ?? []) {
    test(`${spec}: ${name}: ${one[0]} is refused`, (t) => {
      const { decision, check } = run(one);
      t.is(show(decision), one[3]);
      t.is(check, name, 'by this check, not an earlier one');
    });
  }
}
test('RFC 6749 §4.1.2.1: the table has a refusal for every check, and what is checked here comes before what is told there', (t) => {
  t.deepEqual(
    Object.keys(REFUSALS),
    REQUEST_CHECKS.map(({ name }) => name),
  );
  const wrong = {
    client_id: 'rp',
    redirect_uri: 'https://evil.example',
    response_type: 'token',
    prompt: 'dance',
    request: 'x',
  };
  t.is(show(examine({ face: 'oidc', parameters: wrong }, FACTS).decision), 'here redirect_uri_mismatch');
});
for (const one of OUTCOMES)
  test(`OpenID Connect Core §3.1.2, security 85, 86, 90, 91: ${one[0]}`, (t) => t.is(show(run(one).decision), one[3]));
