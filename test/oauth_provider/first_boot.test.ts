// Two servers that start at the same moment on an empty database agree on its tables and on the signing keys.

import test from 'ava';
import { send } from '../support/browser.ts';
import { REALM } from '../support/conformance.ts';
import { createDatabase } from '../support/database.ts';
import { checkJwks, verifyJws } from '../support/jws_verifier.ts';
import { createRelyingParty, ISSUER, putClients } from '../support/relying_party.ts';
import { startTestServer } from '../support/server.ts';

const jwksOf = async (port: number) => (await send(port, `${ISSUER}/oauth/jwks`)).json();

test.serial(
  'security 118: two servers starting at once on an empty database publish one set, and each verifies the other',
  async (t) => {
    const database = await createDatabase({ isEmpty: true });
    const nodes = await Promise.all([startTestServer({ database }), startTestServer({ database })]);
    const [one, two] = nodes;
    await one.apply(REALM);
    const [a, b] = await Promise.all(nodes.map(({ port }) => jwksOf(port)));
    t.deepEqual(a, b);
    checkJwks(a);
    t.deepEqual(a.keys.map(({ alg }: { alg: string }) => alg).sort(), ['ES256', 'EdDSA', 'RS256']);
    await putClients(one, [
      { id: 'cc', grant_types: ['client_credentials'], scopes: ['r'], access_token: { format: 'jwt' } },
    ]);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      const { access_token: token } = (
        await createRelyingParty(one, 'cc', { ports: [from.port] }).token({ grant_type: 'client_credentials' })
      ).json();
      t.notThrows(async () => verifyJws(token, await jwksOf(to.port)));
      t.true(
        (await createRelyingParty(one, 'cc', { ports: [to.port] }).post('/oauth/introspect', { token })).json().active,
      );
    }
    await two.close();
    await one.close();
    await database.drop();
  },
);

test.serial(
  'security 118: twenty new realms, each asked for its keys by two nodes at the same moment, have one key per algorithm',
  async (t) => {
    const one = await startTestServer({ yaml: REALM });
    const two = await startTestServer({ database: one.database });
    const hosts = Array.from({ length: 20 }, (_, index) => `auth.r${index}.localhost`);
    await one.apply(
      `realms:\n${hosts.map((host, index) => `  - { slug: r${index}, auth_domain: ${host}, clients: [] }`).join('\n')}`,
    );
    for (const host of hosts) {
      const sets = await Promise.all(
        [one, two, one, two].map(async ({ port }) => (await send(port, `http://${host}/oauth/jwks`)).json()),
      );
      for (const set of sets) t.deepEqual(set, sets[0]);
      t.is(sets[0].keys.length, 3);
    }
    await two.close();
    await one.close();
  },
);
