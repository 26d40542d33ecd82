// What fills up or runs out: the quota of a realm and the life of an initial access token, in a database of their own; and the
// command that makes the token; and what `apply` and `export` do about such clients.

import test from 'ava';
import { Command } from 'commander';
import { readStored } from '../../server/commands/apply.ts';
import { addClientCommands } from '../../server/commands/client_options.ts';
import { createContext } from '../../server/commands/context.ts';
import { compareRealm } from '../../server/commands/difference.ts';
import { presentRealmFile } from '../../server/commands/export.ts';
import { toWanted } from '../../server/commands/wanted_realm.ts';
import { MOST_DYNAMIC_CLIENTS } from '../../server/oauth/registration.ts';
import { send } from '../support/browser.ts';
import { ISSUER, SECRET } from '../support/relying_party.ts';
import { HOSTS, startTestServer } from '../support/server.ts';

const server = await startTestServer({
  yaml: `realms: [{ slug: test, auth_domain: ${HOSTS.auth}, settings: { dynamic_registration: on }, clients: [{ id: plain, kind: third-party, secret: ${SECRET}, redirect_uris: ['https://plain.example/cb'] }] }, { slug: closed, auth_domain: auth.closed.localhost, clients: [] }]`,
});
test.after.always(() => server.close());

/** Runs the command; what it prints. */
async function command(realm: string, ...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const context = {
    ...createContext({ config: server.services.config, db: server.services.db, secrets: () => [] }),
    print: (line: string) => void lines.push(line),
  };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addClientCommands(program, (work) => work(context));
  await program.parseAsync(['clients', 'registration-token', '--realm', realm, ...words], { from: 'user' });
  return lines;
}
const tokenOf = ([line = '']: string[]) => line.replace('token ', '');
const register = (token: string, origin = ISSUER) =>
  send(server.port, `${origin}/oauth/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ redirect_uris: ['https://dyn.example/cb'] }),
  });

// One after the other: they count the tokens, fill the realm, and move the clock of this file's database.
test.serial(
  'security 178: the command prints a token once, stores its hash alone, and says when the realm takes no registrations',
  async (t) => {
    const lines = await command('closed');
    t.regex(tokenOf(lines), /^cwi_[A-Za-z0-9_-]{49}$/);
    t.true(lines.join('\n').includes('set dynamic_registration: on'));
    const rows = await server.services.db.builder('initial_access_tokens').select();
    t.false(JSON.stringify(rows).includes(tokenOf(lines)));
    t.is(rows[0].uses_left, 1);
    t.is((await register(tokenOf(lines), 'http://auth.closed.localhost')).status, 404);
    for (const words of [
      ['--uses', '0'],
      ['--uses', '1001'],
      ['--uses', 'x'],
      ['--ttl', '0s'],
      ['--ttl', '31d'],
      ['--ttl', 'soon'],
    ])
      await t.throwsAsync(() => command('test', ...words), { message: /^--(uses|ttl): write/ });
  },
);

test.serial('security 178: a token is good for its number of clients, and only until it expires', async (t) => {
  const [twice, brief] = [
    tokenOf(await command('test', '--uses', '2', '--ttl', '2h')),
    tokenOf(await command('test', '--ttl', '1h')),
  ];
  t.is((await register(twice)).status, 201);
  await server.database.moveClock(3601);
  t.is((await register(brief)).status, 401);
  t.is((await register(twice)).status, 201);
  t.is((await register(twice)).status, 401);
  for (const job of server.services.registration.jobs) await job.run(server.services.db);
  const rows = await server.services.db.builder('initial_access_tokens').select('uses_left');
  t.deepEqual(rows, [{ uses_left: 0 }], 'what has expired is swept');
});

test.serial('security 178: --prune neither removes nor exports clients that registered themselves', async (t) => {
  const { client_id } = (await register(tokenOf(await command('test')))).json();
  const states = await server.services.db.transaction((q) => readStored(q, server.services));
  const stored = states.find(({ realm }) => realm.slug === 'test')!;
  const empty = toWanted({ slug: 'test', auth_domain: HOSTS.auth, clients: [] });
  const removed = compareRealm(stored, empty, { isPrune: true }).removeClients.map(({ clientId }) => clientId);
  t.deepEqual(removed, ['plain']);
  t.true(stored.clients.some(({ clientId }) => clientId === client_id));
  t.false(presentRealmFile([stored]).includes(client_id));
});

test.serial(
  'security 178: a realm with a thousand registered clients takes no more, even in parallel, and the token keeps its use',
  async (t) => {
    const { db } = server.services;
    const { id } = await server.realm();
    const { count } = (await db.builder('clients').whereNot('client_id', 'plain').count('* as count').first()) as {
      count: string;
    };
    await db.builder.raw(
      `insert into clients (realm_id, client_id, kind, name, redirect_uris, protocol)
     select ?, 'full-' || n, 'third-party', 'x', '{}', '{"is_dynamic": true}' from generate_series(1, ?) n`,
      [id, MOST_DYNAMIC_CLIENTS - Number(count) - 1],
    );
    const tokens = await Promise.all(Array.from({ length: 4 }, async () => tokenOf(await command('test'))));
    const answers = await Promise.all(tokens.map((token) => register(token)));
    t.deepEqual(answers.map(({ status }) => status).sort(), [201, 429, 429, 429]);
    const left = await db.builder('initial_access_tokens').sum('uses_left as sum').first();
    t.is(Number(left?.['sum']), 3);
  },
);
