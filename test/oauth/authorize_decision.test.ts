// The authorization decision of the session-sharing flow, pure: every check, their order, every kind of decision.

import test from 'ava';
import { type Client, protocolSchema } from '../../server/clients/clients.ts';
import type { ErrorCode } from '../../server/http/errors.ts';
import { asClientId, asClientRowId, asHost, asRealmId, type RedirectUri } from '../../server/lib/ids.ts';
import type { SessionFacts, SessionRequest } from '../../server/oauth/authorization.ts';
import { AUTHORIZATION_CHECKS } from '../../server/oauth/authorization_checks.ts';
import { decideAuthorization } from '../../server/oauth/authorization_decision.ts';

const clientOf = (name: string, row: string): Client => ({
  id: asClientRowId(row),
  realmId: asRealmId('1'),
  clientId: asClientId(name),
  kind: 'first-party',
  name,
  domain: { host: asHost(`${name}.test`), origin: `https://${name}.test` },
  redirectUris: [`https://${name}.test/api/auth/v1/oauth/token`],
  secretHashes: [],
  apiKeyHash: null,
  integrationSecret: null,
  protocol: protocolSchema.parse({}),
  brand: {},
  isDisabled: false,
});
const A = clientOf('a', '1');
const B = clientOf('b', '2');
const PRODUCT: Client = { ...clientOf('chat', '3'), kind: 'third-party', domain: null };
const LANDING = 'https://a.test/api/auth/v1/oauth/token';
const FLOW = `${'f'.repeat(42)}A`;

/** A request, its parameters and the rest side by side. */
type Ask = SessionRequest['parameters'] & Pick<SessionRequest, 'isRestart' | 'isSilent'>;
const GOOD: Ask = {
  client_id: 'a',
  redirect_uri: LANDING,
  callback_uri: 'https://a.test/story?x=1#y',
  response_type: 'code',
  state: undefined,
  flow: undefined,
  isRestart: false,
  isSilent: false,
};
const ON_CLIENT: SessionFacts = { role: 'client', client: A, hostClient: A, isSignedIn: false };
const ON_AUTH: SessionFacts = { role: 'auth', client: A, hostClient: null, isSignedIn: true };
const ANONYMOUS: SessionFacts = { ...ON_AUTH, isSignedIn: false };

const decide = ({ isRestart, isSilent, ...parameters }: Ask, facts: SessionFacts) =>
  decideAuthorization({ face: 'session', parameters, isRestart, isSilent }, facts);

/** What breaks each check, on its own, in the order of the checks. */
const BREAKS: {
  check: string;
  code: ErrorCode;
  request?: Partial<Ask>;
  facts?: Partial<SessionFacts>;
}[] = [
  { check: 'client is known', code: 'unknown_client', request: { client_id: 'nobody' }, facts: { client: null } },
  { check: 'client is the client of this host', code: 'unknown_client', facts: { client: B, hostClient: A } },
  {
    check: 'redirect URI is registered, byte for byte',
    code: 'redirect_uri_mismatch',
    request: { redirect_uri: `${LANDING}/` },
  },
  { check: 'response type is code', code: 'invalid_request', request: { response_type: 'token' } },
  {
    check: 'callback is a page of the client',
    code: 'callback_not_allowed',
    request: { callback_uri: 'https://evil.test/' },
  },
  { check: 'state and other free texts fit', code: 'invalid_request', request: { state: 's'.repeat(2049) } },
];

test('security 25: client and redirect URI are the first checks, and the table below breaks every check there is', (t) => {
  t.deepEqual(
    AUTHORIZATION_CHECKS.filter(({ stage, rules }) => stage !== 'reader' && rules.session).map(({ name }) => name),
    BREAKS.map(({ check }) => check),
  );
});

for (const [index, { check, code, request, facts }] of BREAKS.entries()) {
  test(`security 25: what breaks "${check}" is refused here, on both hosts, silent or not`, (t) => {
    for (const base of [ON_CLIENT, { ...ON_AUTH, hostClient: null }, ANONYMOUS]) {
      // On the auth domain, only a client without a domain fails the second check.
      const broken = base.role === 'auth' && facts?.client ? { client: PRODUCT } : facts;
      for (const isSilent of [false, true]) {
        const decision = decide({ ...GOOD, ...request, isSilent }, { ...base, ...broken });
        t.is(decision.kind, 'refuse-here');
        if (decision.kind === 'refuse-here') t.is(decision.code, code);
      }
    }
  });

  test(`security 25: "${check}" is told before everything that comes after it`, (t) => {
    const alone = decide({ ...GOOD, ...request }, { ...ON_CLIENT, ...facts });
    t.is(alone.kind, 'refuse-here');
    for (const later of BREAKS.slice(index + 1)) {
      const both = { ...GOOD, ...later.request, ...request };
      const decision = decide(both, { ...ON_CLIENT, ...later.facts, ...facts });
      t.is(
        decision.kind === 'refuse-here' && decision.description,
        alone.kind === 'refuse-here' && alone.description,
        later.check,
      );
    }
  });
}

test('RFC 6749 §4.1.2.1: an absent client_id is told apart from an unknown one', (t) => {
  const decision = decide({ ...GOOD, client_id: undefined }, { ...ANONYMOUS, client: null });
  t.like(decision, { kind: 'refuse-here', code: 'invalid_request', description: 'Send client_id.' });
});

test('security 15: on a client domain only the client of that very host passes, and never a code is decided there', (t) => {
  for (const hostClient of [B, null]) t.is(decide(GOOD, { ...ON_CLIENT, hostClient }).kind, 'refuse-here');
  for (const isSignedIn of [false, true]) {
    for (const isSilent of [false, true]) {
      t.is(decide({ ...GOOD, isSilent }, { ...ON_CLIENT, isSignedIn }).kind, 'next-hop');
    }
  }
});

test('security 22: a redirect URI that is absent, or of another client, is refused', (t) => {
  for (const redirect_uri of [undefined, '', B.redirectUris[0], LANDING.toUpperCase(), 'https://a.test/']) {
    t.like(decide({ ...GOOD, redirect_uri }, ON_AUTH), { kind: 'refuse-here', code: 'redirect_uri_mismatch' });
  }
});

test('security 207: a missing response_type counts as code, every other value than code is refused', (t) => {
  t.is(decide({ ...GOOD, response_type: undefined }, ON_AUTH).kind, 'issue');
  for (const response_type of ['Code', 'code token', 'id_token', 'none']) {
    t.is(decide({ ...GOOD, response_type }, ON_AUTH).kind, 'refuse-here');
  }
});

test('contract §3.1: a signed-in reader on the auth domain is issued a code, an anonymous one signs in', (t) => {
  t.is(decide(GOOD, ON_AUTH).kind, 'issue');
  t.is(decide(GOOD, ANONYMOUS).kind, 'login');
});

test('contract §3.3: a silent request never shows the sign-in page', (t) => {
  const silent = { ...GOOD, isSilent: true };
  t.is(decide(silent, ON_AUTH).kind, 'issue');
  t.deepEqual<unknown, unknown>(decide(silent, ANONYMOUS), {
    kind: 'back-anonymous',
    callback: 'https://a.test/story?x=1&logged_in=false#y',
  });
});

test('security 19: a silent request whose callback was answered already goes back as it is, on either host, signed in or not', (t) => {
  for (const value of ['false', 'true', '']) {
    const callback_uri = `https://a.test/?logged_in=${value}`;
    for (const facts of [ON_CLIENT, ON_AUTH, ANONYMOUS]) {
      t.deepEqual<unknown, unknown>(decide({ ...GOOD, callback_uri, isSilent: true }, facts), {
        kind: 'back-anonymous',
        callback: callback_uri,
      });
    }
    t.is(decide({ ...GOOD, callback_uri }, ON_CLIENT).kind, 'next-hop', 'one that is not silent goes on');
  }
});

test('contract §3.1: what a code is issued for is exactly what was asked and proven', (t) => {
  const request = {
    ...GOOD,
    callback_uri: 'https://A.test:443/ü',
    state: 's'.repeat(2048),
    flow: FLOW,
    isRestart: true,
  };
  const decision = decide(request, ON_AUTH);
  t.deepEqual(decision.kind === 'issue' ? decision.draft : null, {
    kind: 'session',
    client: A,
    redirectUri: LANDING as RedirectUri,
    callbackUri: 'https://a.test/%C3%BC' as never,
    state: 's'.repeat(2048),
    flowHash: Buffer.from(FLOW, 'base64url'),
    isRestart: true,
    isSilent: false,
  });
});

test('contract §3.1: without a callback the reader goes to the front page of the client', (t) => {
  const decision = decide({ ...GOOD, callback_uri: undefined }, ON_AUTH);
  t.is(decision.kind === 'issue' ? decision.draft.callbackUri : null, 'https://a.test/' as never);
});

test('security 1: a flow that is no hash of a flow cookie binds the code to no browser at all', (t) => {
  for (const flow of ['', 'x', FLOW.slice(1), `${FLOW}A`, `${FLOW.slice(1)}.`, '='.repeat(43)]) {
    const decision = decide({ ...GOOD, flow }, ON_AUTH);
    t.is(decision.kind === 'issue' ? decision.draft.flowHash : undefined, null, flow);
  }
});
