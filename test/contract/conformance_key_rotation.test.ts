// A client that replaces its own keys at its jwks_uri. A minute of the process's clock pass, so the file stands alone.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import {
  checkTokenAnswer,
  checkTokenError,
  completeFlow,
  fullReader,
  startConformance,
} from '../support/conformance.ts';
import { createRelyingParty, putClients } from '../support/relying_party.ts';

const on = await startConformance();
let keys: unknown[] = [];
const host = createServer(
  (_, response) => void response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys })),
).listen(0, '127.0.0.1');
await new Promise((resolve) => host.once('listening', resolve));
const uri = `http://localhost:${(host.address() as AddressInfo).port}/jwks`;
const realNow = Date.now;
test.after.always(async () => {
  Date.now = realNow;
  host.close();
  await on.server.close();
});

function publishNewKey(kid: string): { kid: string; privateKey: KeyObject } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  keys = [{ ...pair.publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }];
  return { kid, privateKey: pair.privateKey };
}

test('oidcc-refresh-token-rp-key-rotation: a minute after the client published a new key, an assertion by it works on refresh, and the old key does not', async (t) => {
  const old = publishNewKey('old');
  await putClients(on.server, [
    {
      id: 'rotating',
      require_pkce: false,
      consent: 'implied',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: uri,
    },
  ]);
  const before = createRelyingParty(on.server, 'rotating', { method: 'jwt', key: old });
  const { tokens } = await completeFlow(before, (await fullReader(on.server)).browser);
  const after = createRelyingParty(on.server, 'rotating', { method: 'jwt', key: publishNewKey('new') });
  Date.now = () => realNow() + 60_000;
  const refreshed = checkTokenAnswer(await after.refresh(tokens.refresh_token ?? ''));
  t.not(refreshed.access_token, tokens.access_token);
  checkTokenError(await before.refresh(refreshed.refresh_token ?? ''), 'invalid_client');
});
