// The pure rules of the provider as tables: life of a key, PKCE, scopes, claims.

import { createHash } from 'node:crypto';
import test from 'ava';
import {
  ALGS,
  type Alg,
  activeKey,
  type KeyTimes,
  planRotation,
  signingKey,
  stateOf,
} from '../../server/keys/rotation.ts';
import { legalDescription } from '../../server/oauth/oauth_error.ts';
import { checkChallenge, isVerified } from '../../server/oauth/pkce.ts';
import { parseClaims } from '../../server/oauth/provider_request.ts';
import { grantableScopes, narrowScopes } from '../../server/oauth/scope.ts';

const POLICY = { rotateSeconds: 1000, publishSeconds: 50, tokenSeconds: 200 };
const at = (seconds: number) => new Date(seconds * 1000);

test('security 117: a key is upcoming for two cache lifetimes, signs, stays published until its last token is over, and goes', (t) => {
  let keys: KeyTimes[] = [];
  const life: string[] = [];
  for (let now = 0; now <= 1600; now += 10) {
    for (const action of planRotation(keys, at(now), POLICY).filter((one) =>
      one.kind === 'create' ? one.alg === 'RS256' : true,
    )) {
      if (action.kind === 'create')
        keys.push({
          kid: `k${keys.length}`,
          alg: action.alg,
          createdAt: at(now),
          activatesAt: action.activatesAt,
          supersededAt: null,
        });
      else if (action.kind === 'supersede')
        keys = keys.map((key) => (key.kid === action.kid ? { ...key, supersededAt: action.at } : key));
      else keys = keys.filter((key) => key.kid !== action.kid);
      life.push(`${now} ${action.kind}`);
    }
    t.truthy(activeKey(keys, 'RS256', at(now)), 'at no time nobody signs');
  }
  // Made at 0; the next published at 900 (1000 less two lifetimes of 50), signs from 1000; the old one goes at 1000 + 200 + 50.
  t.deepEqual(life, ['0 create', '900 create', '1000 supersede', '1250 remove']);
  const [second] = keys as [KeyTimes];
  t.deepEqual([stateOf(second, at(999)), stateOf(second, at(1000))], ['upcoming', 'active']);
  t.is(stateOf({ ...second, supersededAt: at(1100) }, at(1100)), 'retiring');
});

test('security 118: a plan made twice from the same keys is the same, and a complete set needs nothing', (t) => {
  t.deepEqual(
    planRotation([], at(0), POLICY).map((action) => (action.kind === 'create' ? action.alg : '')),
    [...ALGS],
  );
  const full = ALGS.map(
    (alg: Alg): KeyTimes => ({ kid: alg, alg, createdAt: at(0), activatesAt: at(0), supersededAt: null }),
  );
  t.deepEqual(planRotation(full, at(1), POLICY), []);
  t.deepEqual(planRotation(full, at(950), POLICY), planRotation(full, at(950), POLICY));
});

test('reliability R-72: a clock set back before the first key became active does not stop it from signing', (t) => {
  const key = (kid: string, from: number): KeyTimes => ({
    kid,
    alg: 'ES256',
    createdAt: at(from),
    activatesAt: at(from),
    supersededAt: null,
  });
  t.is(signingKey([key('second', 200), key('first', 100)], 'ES256', at(50))?.kid, 'first');
  t.is(signingKey([key('second', 200), key('first', 100)], 'ES256', at(250))?.kid, 'second');
  t.is(signingKey([key('first', 100)], 'RS256', at(50)), null);
});

const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
for (const [title, challenge, verifier, expected] of [
  ['the right verifier', CHALLENGE, VERIFIER, true],
  ['no verifier', CHALLENGE, undefined, false],
  ['an empty verifier', CHALLENGE, '', false],
  ['another verifier', CHALLENGE, VERIFIER.replace('d', 'e'), false],
  ['the challenge itself', CHALLENGE, CHALLENGE, false],
  ['a verifier without a challenge (downgrade)', null, VERIFIER, false],
  ['neither', null, undefined, true],
  ['42 characters', createHash('sha256').update('a'.repeat(42)).digest('base64url'), 'a'.repeat(42), false],
  ['129 characters', createHash('sha256').update('a'.repeat(129)).digest('base64url'), 'a'.repeat(129), false],
  ['128 characters', createHash('sha256').update('a'.repeat(128)).digest('base64url'), 'a'.repeat(128), true],
] as const) {
  test(`RFC 7636 §4.6, security 82: ${title} ${expected ? 'passes' : 'is refused'}`, (t) =>
    t.is(isVerified(challenge, verifier), expected));
}
test("RFC 7636 §4.3: only S256 is taken, and nothing at all is left to the client's registration", (t) => {
  t.is(checkChallenge(undefined, undefined), null);
  t.is(checkChallenge(CHALLENGE, 'S256'), null);
  for (const [challenge, method] of [
    [CHALLENGE, 'plain'],
    [CHALLENGE, undefined],
    [CHALLENGE, 's256'],
    ['short', 'S256'],
    [undefined, 'S256'],
  ])
    t.is(typeof checkChallenge(challenge, method), 'string');
});

test('RFC 6749 §3.3, §6, security 91, 111: scopes are sets; a refresh may narrow and never widen', (t) => {
  t.deepEqual(grantableScopes('email foo openid email', ['openid', 'email']), ['openid', 'email']);
  t.deepEqual(grantableScopes(undefined, ['openid']), []);
  t.deepEqual(narrowScopes(undefined, ['openid', 'email']), ['openid', 'email']);
  t.deepEqual(narrowScopes('openid', ['openid', 'email']), ['openid']);
  t.is(narrowScopes('openid phone', ['openid', 'email']), null);
});

test('OpenID Connect Core §5.5: the claims parameter names claims; what is no object asks for nothing', (t) => {
  t.deepEqual(
    parseClaims(
      '{"userinfo":{"name":null,"email":{"essential":true}},"id_token":{"acr":{"essential":true,"values":["a","b"]}}}',
    ),
    { userinfo: ['name', 'email'], idToken: ['acr'], essentialAcr: ['a', 'b'] },
  );
  t.deepEqual(parseClaims('{"userinfo":"x"}'), { userinfo: [], idToken: [], essentialAcr: null });
  for (const text of ['', '{', '[]', '"x"', 'null']) t.is(parseClaims(text), null);
});

test('RFC 6749 §4.1.2.1, security 94: a description loses every character that is not allowed in it', (t) => {
  t.regex(legalDescription('a "quoted" \\ line\r\n\t and é'), /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
});
