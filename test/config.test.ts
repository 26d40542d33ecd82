import test from 'ava';
import { ConfigError, loadConfig, SETTINGS, Secret } from '../server/config.ts';
import { createLog } from '../server/lib/log.ts';
import { startServer } from '../server/start.ts';
import { createDatabase } from './support/database.ts';
import { startTestServer } from './support/server.ts';

const GOOD = {
  DATABASE_URL: 'postgres://user:pass@127.0.0.1:5432/db',
  CAUSEWAY_SECRET: 'k7Jq2-Zp9xW4vR8tY1mN6bC3sD5fG0hL',
};

/** Each broken environment, over the good one, with what the message must name. */
const BROKEN: [string, Record<string, string>, RegExp][] = [
  ['no secret', { CAUSEWAY_SECRET: '' }, /CAUSEWAY_SECRET must be set/],
  ['a short secret', { CAUSEWAY_SECRET: 'short' }, /CAUSEWAY_SECRET must be 32 characters/],
  ['a repeated pattern as secret', { CAUSEWAY_SECRET: 'x'.repeat(64) }, /CAUSEWAY_SECRET must be random/],
  ['"changeme" repeated as secret', { CAUSEWAY_SECRET: 'changeme'.repeat(5) }, /CAUSEWAY_SECRET must be random/],
  ['an empty old secret', { CAUSEWAY_SECRET: `${GOOD.CAUSEWAY_SECRET},` }, /CAUSEWAY_SECRET must be 32 characters/],
  ['another kind of database', { DATABASE_URL: 'mysql://localhost/db' }, /DATABASE_URL must begin with postgres/],
  ['a port that is a word', { PORT: 'http' }, /PORT must be a whole number/],
  ['a port beyond 65535', { PORT: '70000' }, /PORT must be a whole number/],
  ['a negative port', { PORT: '-1' }, /PORT/],
  ['a fraction as port', { PORT: '80.5' }, /PORT/],
  ['a host name to listen on', { CAUSEWAY_HOST: 'localhost' }, /CAUSEWAY_HOST must be an IP address/],
  ['a wildcard proxy', { CAUSEWAY_PROXIES: '*' }, /CAUSEWAY_PROXIES/],
  ['a proxy that is a name', { CAUSEWAY_PROXIES: '10.0.0.0/8, proxy.internal' }, /CAUSEWAY_PROXIES .*proxy\.internal/],
  ['no connections', { CAUSEWAY_DATABASE_CONNECTIONS: '0' }, /CAUSEWAY_DATABASE_CONNECTIONS/],
  ['no hashing', { CAUSEWAY_HASHING_CONCURRENCY: '0' }, /CAUSEWAY_HASHING_CONCURRENCY/],
  ['an unknown log level', { CAUSEWAY_LOG_LEVEL: 'loud' }, /CAUSEWAY_LOG_LEVEL must be one of/],
  ['a duration without a unit', { CAUSEWAY_DRAIN: '10' }, /CAUSEWAY_DRAIN must be a duration/],
  ['a relative data folder', { CAUSEWAY_DATA: 'data' }, /CAUSEWAY_DATA must be an absolute path/],
  [
    'a loopback flag that is a word',
    { CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: 'yes' },
    /CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK must be 1 or 0/,
  ],
  ['a misspelt setting', { CAUSEWAY_SECRETS: 'x' }, /CAUSEWAY_SECRETS is not a setting/],
];

for (const [what, env, message] of BROKEN) {
  test(`security 198, reliability R-6: the configuration refuses ${what} and says which variable it is`, (t) => {
    const error = t.throws(() => loadConfig({ ...GOOD, ...env }), { instanceOf: ConfigError });
    t.regex(error.message, message);
    t.false(error.message.includes(GOOD.CAUSEWAY_SECRET));
    t.false(error.message.includes('pass@'));
  });
}

test('security 198: all faults are told at once, a line each', (t) => {
  const error = t.throws(() => loadConfig({ ...GOOD, PORT: 'x', CAUSEWAY_DRAIN: 'x', CAUSEWAY_LOG_LEVEL: 'x' }), {
    instanceOf: ConfigError,
  });
  t.is(error.message.split('\n').length, 4);
});

test('security 198: the defaults are the safe ones, and a good configuration is frozen', (t) => {
  const config = loadConfig(GOOD);
  t.false(config.allowLoopback);
  t.false(config.isTrial);
  t.is(config.host, '127.0.0.1');
  t.is(config.opsPort, null);
  t.deepEqual(config.proxies, []);
  t.true(Object.isFrozen(config));
  t.is(config.secrets[0]?.reveal(), GOOD.CAUSEWAY_SECRET);
  t.true(loadConfig({}).isTrial);
  t.true(loadConfig({}).allowLoopback);
});

test('every setting has a variable of its own and words that explain it', (t) => {
  const settings = Object.values(SETTINGS);
  t.is(new Set(settings.map(({ variable }) => variable)).size, settings.length);
  for (const { variable, says } of settings) t.true(says.length > 20, variable);
});

test('a secret prints as [secret] however it is printed', (t) => {
  const secret = new Secret('the value');
  for (const printed of [`${secret}`, JSON.stringify({ secret }), String(secret)])
    t.true(printed.includes('[secret]') && !printed.includes('the value'));
});

test('security 198: a server with the loopback relaxations does not start over a public auth domain', async (t) => {
  const first = await startTestServer();
  const insert = {
    realm_id: (await first.realm()).id,
    host: 'auth.public.example',
    origin: 'https://auth.public.example',
  };
  await first.services.db
    .builder('domains')
    .where({ role: 'auth' })
    .update({ host: insert.host, origin: insert.origin });
  const error = await t.throwsAsync(startTestServer({ database: first.database }));
  t.regex(
    error.message,
    /CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK is on, but these auth domains are public: auth\.public\.example/,
  );
  const strict = await startTestServer({ database: first.database, env: { CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '0' } });
  await strict.close();
  await first.close();
});

test('security 198: the loopback relaxations are announced at every start', async (t) => {
  const server = await startTestServer();
  t.true(server.lines.some((line) => line.includes('CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK is on')));
  await server.close();
});

for (const [what, domain, message] of [
  ['an http auth domain', 'http://auth.daily.example', /https/],
  ['a wildcard domain', '"*.daily.example"', /auth_domain|host/],
] as const) {
  test(`security 198: without the loopback relaxations ${what} is refused by the realm file`, async (t) => {
    const server = await startTestServer({
      yaml: 'realms: []',
      env: { CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '0' },
    }).catch((error: Error) => error);
    if (server instanceof Error) return t.fail(server.message);
    const error = await t.throwsAsync(server.apply(`realms:\n  - slug: daily\n    auth_domain: ${domain}\n`));
    t.regex(error.message, message);
    await server.close();
  });
}

test('reliability R-6: a port that is taken ends the start with an error and leaves nothing running', async (t) => {
  const first = await startTestServer();
  const database = await createDatabase();
  const config = loadConfig({ ...GOOD, DATABASE_URL: database.url, PORT: String(first.port) });
  const start = startServer({
    config,
    databaseUrl: database.url,
    secrets: [GOOD.CAUSEWAY_SECRET],
    log: createLog({ level: 'silent' }),
  });
  t.is(((await t.throwsAsync(start)) as NodeJS.ErrnoException).code, 'EADDRINUSE');
  await first.close();
  await database.drop();
});
