// How far the clock of whoever signs a JWT for us may be off. The server's clock stands still, so that the edge is met to the
// second however slow the machine; one after the other, because the clock is the file's.

import { generateKeyPairSync } from 'node:crypto';
import { mock } from 'node:test';
import test from 'ava';
import { checkTokenError, startConformance } from '../support/conformance.ts';
import { createRelyingParty, ISSUER, putClients, random, signedInReader, signJws } from '../support/relying_party.ts';

const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = KEY.publicKey.export({ format: 'jwk' });
const on = await startConformance();
await putClients(on.server, [
  {
    id: 'keyed',
    grant_types: ['client_credentials'],
    scopes: ['reports'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...jwk, kid: 'k' }] },
  },
]);
const keyed = createRelyingParty(on.server, 'keyed', { method: 'none' });
test.after.always(() => on.server.close());

const NOW = Math.floor(Date.now() / 1000);
test.before(() => mock.timers.enable({ apis: ['Date'], now: NOW * 1000 }));
test.after.always(() => mock.timers.reset());

const inTime: [title: string, claims: Record<string, number>, isTaken: boolean][] = [
  ['that expired 59 s ago', { iat: NOW - 100, exp: NOW - 59 }, true],
  ['that expired 61 s ago', { iat: NOW - 100, exp: NOW - 61 }, false],
  ['that is not valid for 59 s', { nbf: NOW + 59, exp: NOW + 120 }, true],
  ['that is not valid for 61 s', { nbf: NOW + 61, exp: NOW + 120 }, false],
  ['of 59 s in the future', { iat: NOW + 59, exp: NOW + 120 }, true],
  ['of 61 s in the future', { iat: NOW + 61, exp: NOW + 120 }, false],
];
for (const [title, times, isTaken] of inTime) {
  test.serial(
    `security 126, RFC 7519 §4.1.4, §4.1.5: an assertion ${title} is ${isTaken ? 'taken' : 'refused'}`,
    async (t) => {
      const claims = { iss: 'keyed', sub: 'keyed', aud: ISSUER, iat: NOW, exp: NOW + 60, jti: random(), ...times };
      const answer = await keyed.post('/oauth/token', {
        grant_type: 'client_credentials',
        client_id: 'keyed',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: signJws({ alg: 'ES256', kid: 'k' }, claims, KEY.privateKey),
      });
      if (isTaken) t.is(answer.status, 200, answer.text);
      else checkTokenError(answer, 'invalid_client');
      t.pass();
    },
  );
}

for (const [title, iat, isTaken] of [
  ['of 59 s ago', NOW - 59, true],
  ['of 61 s ago', NOW - 61, false],
  ['of 59 s in the future', NOW + 59, true],
  ['of 61 s in the future', NOW + 61, false],
] as const) {
  test.serial(`security 126, RFC 9449 §11.1: a DPoP proof ${title} is ${isTaken ? 'taken' : 'refused'}`, async (t) => {
    const { answer } = await on.first.authorize((await signedInReader(on.server)).browser);
    const claims = { jti: random(), htm: 'POST', htu: `${ISSUER}/oauth/token`, iat };
    const DPoP = signJws({ typ: 'dpop+jwt', alg: 'ES256', jwk }, claims, KEY.privateKey);
    const redeemed = await on.first.redeem(answer?.get('code'), {}, { DPoP });
    if (isTaken) t.is(redeemed.json().token_type, 'DPoP', redeemed.text);
    else checkTokenError(redeemed, 'invalid_dpop_proof');
    t.pass();
  });
}
