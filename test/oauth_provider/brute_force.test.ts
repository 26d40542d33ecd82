// Guessing of client secrets: a limit per address, which locks no client out. A file of its own, since it uses the limit up.

import test from 'ava';
import { send } from '../support/browser.ts';
import { REALM } from '../support/conformance.ts';
import { basicOf, ISSUER, putClients, SECRET } from '../support/relying_party.ts';
import { startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: REALM, env: { CAUSEWAY_PROXIES: '127.0.0.1' } });
await putClients(server, [{ id: 'machine', grant_types: ['client_credentials'], scopes: ['reports'] }]);
test.after.always(() => server.close());

const ask = (secret: string, address: string) =>
  send(server.port, `${ISSUER}/oauth/token`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      Authorization: basicOf('machine', secret),
      'X-Forwarded-For': address,
    },
    body: 'grant_type=client_credentials',
  });

test('security 106: many wrong secrets give 429 at that address alone, and the right secret works from another', async (t) => {
  const statuses = new Map<number, number>();
  for (let batch = 0; batch < 40; batch++) {
    for (const { status } of await Promise.all(Array.from({ length: 10 }, () => ask('wrong', '192.0.2.1'))))
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  t.is(statuses.get(401), 300);
  t.is(statuses.get(429), 100);
  t.is((await ask(SECRET, '192.0.2.2')).status, 200);
  t.is((await ask('wrong', '192.0.2.2')).status, 401);
});
