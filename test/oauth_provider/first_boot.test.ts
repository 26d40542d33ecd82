// Two servers that start at the same moment on an empty database agree on its tables and on the signing keys.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { runCauseway } from '../commands/setup.ts';
import { send } from '../support/browser.ts';
import { createDatabase } from '../support/database.ts';
import { checkJwks, type Jwks, verifyJws } from '../support/jws_verifier.ts';
import { PROCESS_SECRET, spawnNodes } from '../support/process.ts';
import { basicOf, encode, REDIRECT, SECRET } from '../support/relying_party.ts';
import { startTestServer } from '../support/server.ts';

const MIGRATIONS = readdirSync(join(import.meta.dirname, '../../migrations')).sort();
const REALMS = ['north', 'south'] as const;
const issuerOf = (realm: string) => `http://auth.${realm}.localhost`;
const YAML = `realms:
${REALMS.map(
  (realm) => `
  - slug: ${realm}
    auth_domain: auth.${realm}.localhost
    clients:
      - { id: cc, kind: third-party, name: Reports, secret: ${SECRET}, redirect_uris: ["${REDIRECT}"], grant_types: [client_credentials], scopes: [r], access_token: { format: jwt } }`,
).join('')}
`;

const jwksOf = async (port: number, realm: string): Promise<Jwks> =>
  (await send(port, `${issuerOf(realm)}/oauth/jwks`)).json();

const post = (port: number, realm: string, path: string, form: Record<string, string>) =>
  send(port, `${issuerOf(realm)}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: basicOf('cc', SECRET) },
    body: encode(form),
  });

/** Two nodes that have just started together: one run of the migrations, one set of keys, and each takes the other's tokens. */
async function checkNodes(t: ExecutionContext, url: string, ports: readonly number[]) {
  const [one, two] = ports as [number, number];
  const kids = new Set<string>();
  for (const realm of REALMS) {
    // Nobody has asked for keys yet: both nodes find none at the same moment.
    const sets = await Promise.all([one, two, one, two].map((port) => jwksOf(port, realm)));
    for (const set of sets) t.deepEqual(set, sets[0]);
    const [set] = sets as [Jwks];
    checkJwks(set);
    t.deepEqual(set.keys.map(({ alg }) => alg).sort(), ['ES256', 'EdDSA', 'RS256']);
    for (const { kid } of set.keys) kids.add(kid);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      const { access_token: token } = (
        await post(from, realm, '/oauth/token', { grant_type: 'client_credentials' })
      ).json();
      const jwks = await jwksOf(to, realm);
      t.notThrows(() => verifyJws(token, jwks));
      t.true((await post(to, realm, '/oauth/introspect', { token })).json().active);
    }
  }
  t.is(kids.size, REALMS.length * 3, 'no key is of two realms');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows: run } = await client.query('select name, batch from knex_migrations order by name');
  const { rows: active } = await client.query(
    'select kid from signing_keys where activates_at <= causeway_now() and superseded_at is null',
  );
  const { rows: all } = await client.query('select kid from signing_keys');
  await client.end();
  t.deepEqual(
    run,
    MIGRATIONS.map((name) => ({ name, batch: 1 })),
    'one run',
  );
  t.deepEqual(active.map(({ kid }) => kid).sort(), [...kids].sort(), 'one active key for each realm and algorithm');
  t.is(all.length, kids.size, 'and no other');
}

test.serial(
  'security 118, reliability R-8: in 20 boots of two servers (in this process, each with a pool of its own) at once on an empty database there is one run of the migrations and one key set, and each server takes what the other signed',
  async (t) => {
    t.timeout(120_000);
    for (let boot = 0; boot < 20; boot++) {
      const database = await createDatabase({ isEmpty: true });
      const nodes = await Promise.all([startTestServer({ database }), startTestServer({ database })]);
      try {
        await nodes[boot % 2]?.apply(YAML);
        const ports = nodes.map(({ port }) => port);
        await checkNodes(t, database.url, ports);
      } finally {
        await Promise.all(nodes.map((node) => node.close()));
        await database.drop();
      }
    }
  },
);

test.serial(
  'security 118, reliability R-8: in 3 boots of two server processes at once on an empty database the same holds',
  async (t) => {
    t.timeout(120_000);
    for (let boot = 0; boot < 3; boot++) {
      const database = await createDatabase({ isEmpty: true });
      const nodes = await spawnNodes({ DATABASE_URL: database.url });
      try {
        const { code, stderr } = await runCauseway(database.url, ['apply', '-'], {
          stdin: YAML,
          env: { CAUSEWAY_SECRET: PROCESS_SECRET, CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1' },
        });
        t.is(code, 0, stderr);
        await checkNodes(t, database.url, nodes.ports);
      } finally {
        await nodes.kill();
        await database.drop();
      }
    }
  },
);
