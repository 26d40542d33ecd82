// Proof Key for Code Exchange at the running server: which requests are taken, and which verifiers redeem what.

import test from 'ava';
import { checkRefusal, checkSuccess, checkTokenError, startConformance } from '../support/conformance.ts';
import { createRelyingParty, makePkce, type Parameters, putClients, signedInReader } from '../support/relying_party.ts';

const on = await startConformance();
await putClients(on.server, [
  { id: 'by-default', consent: 'implied' },
  { id: 'waived-public', consent: 'implied', token_endpoint_auth_method: 'none' },
]);
// The realm file refuses this; whoever writes it into the database by hand gets no client without PKCE either.
await on.server.services.db.builder.raw(
  `update clients set protocol = protocol || '{"require_pkce": false}' where client_id = 'waived-public'`,
);
test.after.always(() => on.server.close());
const byDefault = createRelyingParty(on.server, 'by-default');
const waivedPublic = createRelyingParty(on.server, 'waived-public', { method: 'none' });
const clients = { waived: on.first, byDefault, public: on.public, waivedPublic } as const;

const { code_challenge: GOOD } = makePkce().request;
const S256 = 'S256';
const cases: [title: string, client: keyof typeof clients, sent: Parameters, isTaken: boolean][] = [
  ['S256 of a client that need not', 'waived', { code_challenge: GOOD, code_challenge_method: S256 }, true],
  ['S256 of a client that must', 'byDefault', { code_challenge: GOOD, code_challenge_method: S256 }, true],
  ['S256 of a public client', 'public', { code_challenge: GOOD, code_challenge_method: S256 }, true],
  ['none, where the registration waives it', 'waived', {}, true],
  ['none, by default', 'byDefault', {}, false],
  ['none of a public client', 'public', {}, false],
  ['none of a public client whose registration waives it', 'waivedPublic', {}, false],
  ['plain', 'waived', { code_challenge: GOOD, code_challenge_method: 'plain' }, false],
  ['plain of a public client', 'public', { code_challenge: GOOD, code_challenge_method: 'plain' }, false],
  ['no method, which means plain', 'waived', { code_challenge: GOOD }, false],
  ['an empty method', 'waived', { code_challenge: GOOD, code_challenge_method: '' }, false],
  ['another method', 'waived', { code_challenge: GOOD, code_challenge_method: 'S512' }, false],
  ['the method in small letters', 'waived', { code_challenge: GOOD, code_challenge_method: 's256' }, false],
  ['a method without a challenge', 'waived', { code_challenge_method: S256 }, false],
  ['42 characters', 'waived', { code_challenge: 'a'.repeat(42), code_challenge_method: S256 }, false],
  ['43 characters', 'waived', { code_challenge: 'a'.repeat(43), code_challenge_method: S256 }, true],
  ['128 characters', 'waived', { code_challenge: '-._~'.repeat(32), code_challenge_method: S256 }, true],
  ['129 characters', 'waived', { code_challenge: 'a'.repeat(129), code_challenge_method: S256 }, false],
  ...['=', '+', '/', ' ', 'é', '%'].map((sign): (typeof cases)[number] => [
    `the sign ${sign}`,
    'waived',
    { code_challenge: `${GOOD.slice(1)}${sign}`, code_challenge_method: S256 },
    false,
  ]),
];
for (const [title, id, sent, isTaken] of cases) {
  test(`security 81, RFC 7636 §4.2, §4.3, §4.4.1: a challenge: ${title}: ${isTaken ? 'code' : 'invalid_request'}`, async (t) => {
    const rp = clients[id];
    const request = rp.request(sent);
    const outcome = await rp.authorize((await signedInReader(on.server)).browser, request);
    if (isTaken) t.truthy(checkSuccess(rp, request, outcome));
    else t.is(checkRefusal(rp, request, outcome, ['invalid_request']), 'invalid_request');
  });
}

const [own, other] = [makePkce(), makePkce()];
const redemptions: [title: string, challenge: Parameters, verifier: Parameters, isRight: boolean][] = [
  ['the verifier of its challenge', own.request, { code_verifier: own.verifier }, true],
  ['neither challenge nor verifier', {}, {}, true],
  ['a challenge, no verifier', own.request, {}, false],
  ['a challenge, an empty verifier', own.request, { code_verifier: '' }, false],
  ['no challenge, a verifier', {}, { code_verifier: own.verifier }, false],
  ['another verifier', own.request, { code_verifier: other.verifier }, false],
  ['the challenge as verifier', own.request, { code_verifier: own.request.code_challenge }, false],
  ['a verifier that is too short', own.request, { code_verifier: own.verifier.slice(1) }, false],
  ['a verifier with more behind it', own.request, { code_verifier: `${own.verifier}a` }, false],
  ['a verifier with a space behind it', own.request, { code_verifier: `${own.verifier} ` }, false],
  ['a verifier in other letters', own.request, { code_verifier: own.verifier.toUpperCase() }, false],
  ['a verifier of 129 characters', makePkce('a'.repeat(129)).request, { code_verifier: 'a'.repeat(129) }, false],
  [
    'a challenge of 128 characters',
    { code_challenge: 'a'.repeat(128), code_challenge_method: S256 },
    { code_verifier: 'a'.repeat(128) },
    false,
  ],
];
for (const [title, challenge, verifier, isRight] of redemptions) {
  test(`security 82, RFC 7636 §4.6, RFC 9700 §4.8.2: a code with ${title}: ${isRight ? 'tokens' : 'invalid_grant, and the code is used up'}`, async (t) => {
    const { browser } = await signedInReader(on.server);
    const { answer } = await on.first.authorize(browser, challenge);
    const redeemed = await on.first.redeem(answer?.get('code'), verifier);
    if (isRight) {
      t.is(redeemed.status, 200, redeemed.text);
      return;
    }
    checkTokenError(redeemed, 'invalid_grant');
    const right = 'code_challenge' in challenge ? { code_verifier: own.verifier } : {};
    checkTokenError(await on.first.redeem(answer?.get('code'), right), 'invalid_grant');
    t.pass();
  });
}

test('security 82, RFC 9700 §4.8.2: the verifier of another code of the same client and reader is refused, for either code', async (t) => {
  const { browser } = await signedInReader(on.server);
  const [first, second] = [makePkce(), makePkce()];
  const codeOf = async (pair: typeof first) => (await on.first.authorize(browser, pair.request)).answer?.get('code');
  const [a, b] = [await codeOf(first), await codeOf(second)];
  checkTokenError(await on.first.redeem(a, { code_verifier: second.verifier }), 'invalid_grant');
  checkTokenError(await on.first.redeem(b, { code_verifier: first.verifier }), 'invalid_grant');
  checkTokenError(await on.first.redeem(a, { code_verifier: first.verifier }), 'invalid_grant');
  checkTokenError(await on.first.redeem(b, { code_verifier: second.verifier }), 'invalid_grant');
  t.is((await on.first.redeem(await codeOf(first), { code_verifier: first.verifier })).status, 200);
});
