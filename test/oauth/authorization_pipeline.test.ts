// The one pipeline of both faces, pure: each check and each outcome on each face where it applies, and the proof that a
// request of one face never comes to anything of the other.

import test from 'ava';
import { type Client, protocolSchema } from '../../server/clients/clients.ts';
import { asClientId, asClientRowId, asHost, asRealmId } from '../../server/lib/ids.ts';
import { ACR } from '../../server/mfa/mfa.ts';
import type { Decision, Face, OidcFacts, SessionFacts, SessionRequest } from '../../server/oauth/authorization.ts';
import { AUTHORIZATION_CHECKS } from '../../server/oauth/authorization_checks.ts';
import { examine } from '../../server/oauth/authorization_decision.ts';
import type { OAuth, Provider } from '../../server/oauth/oauth.ts';
import type { AuthorizeParameters } from '../../server/oauth/provider_request.ts';

const LANDING = 'https://a.test/api/auth/v1/oauth/token';
const CALLBACK = 'https://rp.example/cb';
const client = (more: Partial<Client>, protocol: Record<string, unknown> = {}): Client => ({
  id: asClientRowId('1'),
  realmId: asRealmId('1'),
  clientId: asClientId('a'),
  kind: 'first-party',
  name: 'A',
  domain: { host: asHost('a.test'), origin: 'https://a.test' },
  redirectUris: [LANDING],
  secretHashes: [],
  apiKeyHash: null,
  integrationSecret: null,
  protocol: protocolSchema.parse({ require_pkce: false, scopes: ['openid', 'email', 'offline_access'], ...protocol }),
  brand: {},
  isDisabled: false,
  ...more,
});
const SITE = client({});
const product = (protocol: Record<string, unknown> = {}) =>
  client({ id: asClientRowId('2'), kind: 'third-party', domain: null, redirectUris: [CALLBACK] }, protocol);

type Sent = SessionRequest['parameters'] & { [Name in keyof AuthorizeParameters]?: string | undefined };
type Ask = {
  parameters?: Sent;
  isSilent?: boolean;
  session?: Partial<SessionFacts>;
  oidc?: Partial<OidcFacts>;
};
const GOOD: { [F in Face]: Sent } = {
  session: { client_id: 'a', redirect_uri: LANDING, callback_uri: 'https://a.test/story' },
  oidc: { client_id: 'rp', redirect_uri: CALLBACK, response_type: 'code', scope: 'openid email' },
};
const SESSION: SessionFacts = { role: 'auth', client: SITE, hostClient: null, isSignedIn: true };
const READER = { sub: 'sub-7', ageSeconds: 100, authenticatedAt: 900_000, acr: ACR.one, stepUp: 'possible' } as const;
const FRESH = { ...READER, ageSeconds: 0, authenticatedAt: 1_000_001 };
const OIDC: OidcFacts = {
  client: product(),
  isPushed: false,
  signedIn: READER,
  startedAt: 1_000_000,
  consented: ['openid', 'email'],
  hasJustConsented: false,
  hint: { kind: 'absent' },
};

/** What an ask comes to on a face, and by which check. */
function decide(face: Face, ask: Ask): { decision: Decision; check: string | null } {
  const given = Object.entries({ ...GOOD[face], ...ask.parameters }).filter(([, value]) => value !== undefined);
  const parameters: AuthorizeParameters = Object.fromEntries(given);
  return face === 'session'
    ? examine({ face, parameters, isRestart: false, isSilent: ask.isSilent ?? false }, { ...SESSION, ...ask.session })
    : examine({ face, parameters }, { ...OIDC, ...ask.oidc });
}

/** A decision in one line. */
function show(decision: Decision): string {
  switch (decision.kind) {
    case 'refuse-here':
      return `here ${decision.code}`;
    case 'refuse-there':
      return `there ${decision.error}`;
    case 'login':
      return 'why' in decision ? `login ${decision.why} ${decision.prompt}` : 'login';
    case 'back-anonymous':
      return `back ${decision.callback}`;
    case 'step-up':
    case 'consent':
    case 'issue':
    case 'next-hop':
      return decision.kind;
    default:
      return decision satisfies never;
  }
}

type Row = [check: string, face: Face, ask: Ask, expected: string];

/** Every check on every face where it applies, in order, with everything that it comes to there. */
const ROWS: readonly Row[] = [
  ['client is known', 'session', { session: { client: null } }, 'here unknown_client'],
  ['client is known', 'session', { parameters: { client_id: undefined } }, 'here invalid_request'],
  ['client is known', 'oidc', { oidc: { client: null } }, 'here unknown_client'],
  ['client is known', 'oidc', { parameters: { client_id: undefined } }, 'here invalid_request'],
  ['client is the client of this host', 'session', { session: { role: 'client' } }, 'here unknown_client'],
  ['client is the client of this host', 'session', { session: { client: product() } }, 'here unknown_client'],
  ...(['session', 'oidc'] as const).flatMap((face): Row[] =>
    [undefined, 'https://evil.example/', `${GOOD[face].redirect_uri}/`, GOOD[face].redirect_uri?.toUpperCase()].map(
      (redirect_uri) => [
        'redirect URI is registered, byte for byte',
        face,
        { parameters: { redirect_uri } },
        'here redirect_uri_mismatch',
      ],
    ),
  ),
  [
    'client may use this endpoint',
    'oidc',
    { parameters: { redirect_uri: LANDING }, oidc: { client: SITE } },
    'there unauthorized_client',
  ],
  [
    'request was pushed, if it must be',
    'oidc',
    { oidc: { client: product({ require_pushed_authorization_requests: true }) } },
    'there invalid_request',
  ],
  ['no request object', 'oidc', { parameters: { request: 'x.y.z' } }, 'there request_not_supported'],
  ['no request object', 'oidc', { parameters: { request_uri: 'urn:x' } }, 'there request_uri_not_supported'],
  ['no request object', 'oidc', { parameters: { registration: '{}' } }, 'there registration_not_supported'],
  ['response type is code', 'session', { parameters: { response_type: 'token' } }, 'here invalid_request'],
  ['response type is code', 'oidc', { parameters: { response_type: undefined } }, 'there invalid_request'],
  ['response type is code', 'oidc', { parameters: { response_type: 'token' } }, 'there unsupported_response_type'],
  ['response mode is offered', 'oidc', { parameters: { response_mode: 'fragment' } }, 'there invalid_request'],
  ['PKCE', 'oidc', { oidc: { client: product({ require_pkce: true }) } }, 'there invalid_request'],
  ['PKCE', 'oidc', { parameters: { code_challenge: 'x' } }, 'there invalid_request'],
  [
    'callback is a page of the client',
    'session',
    { parameters: { callback_uri: 'https://evil.example/' } },
    'here callback_not_allowed',
  ],
  ...(['session', 'oidc'] as const).map(
    (face): Row => [
      'state and other free texts fit',
      face,
      { parameters: { state: 's'.repeat(2049) } },
      face === 'session' ? 'here invalid_request' : 'there invalid_request',
    ],
  ),
  ['state and other free texts fit', 'oidc', { parameters: { nonce: 'n'.repeat(513) } }, 'there invalid_request'],
  [
    'prompt, max_age and claims are well-formed',
    'oidc',
    { parameters: { prompt: 'none login' } },
    'there invalid_request',
  ],
  ['hint is ours', 'oidc', { oidc: { hint: { kind: 'invalid' } } }, 'there invalid_request'],
  [
    'silent request was not answered before',
    'session',
    { isSilent: true, parameters: { callback_uri: 'https://a.test/?logged_in=false' } },
    'back https://a.test/?logged_in=false',
  ],
  ['host is the auth domain', 'session', { session: { role: 'client', hostClient: SITE } }, 'next-hop'],
  ['reader is signed in', 'session', { session: { isSignedIn: false } }, 'login'],
  [
    'reader is signed in',
    'session',
    { isSilent: true, session: { isSignedIn: false } },
    'back https://a.test/story?logged_in=false',
  ],
  ['reader is signed in', 'oidc', { oidc: { signedIn: null } }, 'login not-signed-in login'],
  ['reader is signed in', 'oidc', { parameters: { prompt: 'none' }, oidc: { signedIn: null } }, 'there login_required'],
  [
    'sign-in is as fresh as prompt and max_age ask',
    'oidc',
    { parameters: { prompt: 'create' } },
    'login prompt create',
  ],
  ['sign-in is as fresh as prompt and max_age ask', 'oidc', { parameters: { max_age: '99' } }, 'login max-age login'],
  [
    'reader is the one whom the hint names',
    'oidc',
    { oidc: { hint: { kind: 'sub', sub: 'sub-8' } } },
    'login other-account login',
  ],
  [
    'reader is the one whom the hint names',
    'oidc',
    { oidc: { hint: { kind: 'sub', sub: 'sub-8' }, signedIn: FRESH } },
    'there login_required',
  ],
  [
    'authentication context is the one that was asked for',
    'oidc',
    { parameters: { claims: '{"id_token":{"acr":{"essential":true,"value":"two"}}}' } },
    'there unmet_authentication_requirements',
  ],
  [
    'authentication context is the one that was asked for',
    'oidc',
    { parameters: { claims: `{"id_token":{"acr":{"essential":true,"value":"${ACR.several}"}}}`, prompt: 'none' } },
    'there unmet_authentication_requirements',
  ],
  [
    'authentication context is the one that was asked for',
    'oidc',
    { parameters: { acr_values: ACR.several, prompt: 'none' } },
    'there interaction_required',
  ],
  [
    'authentication context is the one that was asked for',
    'oidc',
    { parameters: { acr_values: ACR.several } },
    'step-up',
  ],
  ['reader has allowed the scopes', 'oidc', { oidc: { consented: null } }, 'consent'],
  [
    'reader has allowed the scopes',
    'oidc',
    { parameters: { prompt: 'none' }, oidc: { consented: null } },
    'there consent_required',
  ],
];

for (const [index, [check, face, ask, expected]] of ROWS.entries()) {
  test(`row ${index + 1}, ${face}: ${check}: ${expected}`, (t) => {
    const found = decide(face, ask);
    t.is(show(found.decision), expected);
    t.is(found.check, check, 'by this check and no other');
  });
}

for (const face of ['session', 'oidc'] as const) {
  test(`a request of the ${face} face that passes every check is issued a code of that kind`, (t) => {
    const { decision, check } = decide(face, {});
    t.is(check, null);
    t.is(decision.kind, 'issue');
    t.like(decision, { draft: { kind: face, redirectUri: GOOD[face].redirect_uri as string } });
  });
}

test('the rows above have every check there is on every face where it applies, in the order of the list', (t) => {
  const applied = AUTHORIZATION_CHECKS.flatMap(({ name, rules }) =>
    (['session', 'oidc'] as const).filter((face) => rules[face]).map((face) => `${name}, ${face}`),
  );
  t.deepEqual([...new Set(ROWS.map(([check, face]) => `${check}, ${face}`))], applied);
  const names = AUTHORIZATION_CHECKS.map(({ name }) => name);
  t.is(new Set(names).size, names.length);
});

test('RFC 6749 §4.1.2.1, security 25: what proves client and redirect URI stands before all else, the reader last', (t) => {
  const stages = AUTHORIZATION_CHECKS.map(({ stage }) => stage);
  const order = ['proof', 'request', 'reader'];
  t.deepEqual(
    stages,
    [...stages].sort((a, b) => order.indexOf(a) - order.indexOf(b)),
  );
});

test('every check of the reader says in the docs what it does, and none speaks of a face where it does not apply', (t) => {
  for (const { name, stage, rules, notes } of AUTHORIZATION_CHECKS) {
    for (const face of ['session', 'oidc'] as const) {
      if (stage === 'reader' && rules[face]) t.truthy(notes?.[face], name);
      if (!rules[face]) t.is(notes?.[face], undefined, name);
    }
  }
});

// What each face can decide, and what each store of codes takes, by type: `npm run check` fails when they are mixed.
type Drafted<F extends Face> = Extract<Decision<F>, { draft: unknown }>['draft']['kind'];
type Stored = {
  session: Parameters<OAuth['issueCode']>[1]['kind'];
  oidc: Parameters<Provider['issueCode']>[1]['kind'];
};
const KIND: { [F in Face]: [Drafted<F>, Stored[F]] extends [F, F] ? F : never } = {
  session: 'session',
  oidc: 'oidc',
};
/** What each face alone may come to. */
const OWN_KINDS: { [F in Face]: readonly Decision<F>['kind'][] } = {
  session: ['refuse-here', 'next-hop', 'login', 'back-anonymous', 'issue'],
  oidc: ['refuse-here', 'refuse-there', 'login', 'step-up', 'consent', 'issue'],
};

/** Two asks in one. */
const join = (a: Ask, b: Ask): Ask => ({
  parameters: { ...a.parameters, ...b.parameters },
  isSilent: Boolean(a.isSilent || b.isSilent),
  session: { ...a.session, ...b.session },
  oidc: { ...a.oidc, ...b.oidc },
});
/** Everything that one face knows and the other does not, on top of a request. */
const FOREIGN: Ask = {
  parameters: {
    scope: 'openid offline_access',
    nonce: 'n',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    callback_uri: 'https://a.test/story',
    flow: `${'f'.repeat(42)}A`,
  },
};
const ASKS: readonly Ask[] = [{}, FOREIGN, { isSilent: true }, ...ROWS.map(([, , ask]) => ask)];

for (const face of ['session', 'oidc'] as const) {
  test(`security 7, 207: whatever is asked, the ${face} face never drafts a code of the other, nor answers in its ways`, (t) => {
    const seen = new Set<string>();
    for (const a of ASKS) {
      for (const b of ASKS) {
        for (const client of [null, SITE, product()]) {
          const ask = join(join(a, b), client ? { session: { client }, oidc: { client } } : {});
          const { decision } = decide(face, ask);
          seen.add(decision.kind);
          if (!OWN_KINDS[face].some((kind) => kind === decision.kind)) t.fail(JSON.stringify({ decision, ask }));
          if ('draft' in decision && decision.draft.kind !== KIND[face]) t.fail(JSON.stringify({ decision, ask }));
        }
      }
    }
    t.deepEqual([...seen].sort(), [...OWN_KINDS[face]].sort(), 'and everything of its own was reached');
  });

  test(`security 207: what only the other face knows changes nothing on the ${face} face`, (t) => {
    for (const { name } of AUTHORIZATION_CHECKS.filter(({ rules }) => rules[face] === null)) {
      for (const [, , { parameters = {} }] of ROWS.filter(([check]) => check === name)) {
        const { redirect_uri: _, ...rest } = parameters;
        t.is(decide(face, { parameters: rest }).check, null, name);
      }
    }
  });

  test(`RFC 9700 §4.11.2, security 22, 25: no answer of the ${face} face leaves this host before the redirect URI is proven`, (t) => {
    const registered: readonly string[] = [LANDING, CALLBACK];
    for (const ask of ASKS) {
      for (const redirect_uri of [undefined, 'https://evil.example/cb', `${CALLBACK}?x=1`, `${LANDING}#`]) {
        t.is(decide(face, join(ask, { parameters: { redirect_uri } })).decision.kind, 'refuse-here');
      }
      const unknown = join(ask, { session: { client: null }, oidc: { client: null } });
      t.is(decide(face, unknown).decision.kind, 'refuse-here');
      const { decision } = decide(face, ask);
      if (decision.kind === 'refuse-there') t.true(registered.includes(decision.to));
    }
  });
}

test('security 207: without response_type there is a code on the session-sharing face alone', (t) => {
  const ask = { parameters: { response_type: undefined } };
  t.is(decide('session', ask).decision.kind, 'issue');
  t.is(show(decide('oidc', ask).decision), 'there invalid_request');
});
