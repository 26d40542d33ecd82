// Many accounts and sessions in a database of the bench's own, quickly: rows as the server writes them, made by PostgreSQL
// itself, with secondary indexes built afterwards. What is measured then finds every index and constraint, a vacuumed
// database, and settings as they were.

import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { CORES, pin } from './processes.ts';
import { cookiesOf, HOSTS, postmasterOf } from './stage.ts';

export const SESSIONS_PER_ACCOUNT = 5;
const TABLES = ['accounts', 'sessions', 'domain_sessions'];
/** Rows in one statement: few statements, and none that works for minutes. */
const CHUNK = 100_000;
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Bench/1.0';
/** Only while rows are made: fewer checkpoints, no autovacuum in between, and nothing waits for the disk. */
const HASTE = {
  max_wal_size: "'16GB'",
  checkpoint_timeout: "'30min'",
  autovacuum: 'off',
  fsync: 'off',
  full_page_writes: 'off',
};

/** The token of a generated session on a host, or its companion, in the form of a real one. */
export const generatedToken = (host: keyof typeof HOSTS, part: 'token' | 'companion', number: number): string =>
  prefixOf(host, part) + String(number).padStart(DIGITS, '0');
const DIGITS = 30;

/** The cookies of a generated session on a host. */
export const generatedCookies = (host: keyof typeof HOSTS, number: number): string =>
  cookiesOf({ token: generatedToken(host, 'token', number), companion: generatedToken(host, 'companion', number) });

const prefixOf = (host: keyof typeof HOSTS, part: 'token' | 'companion') => `bench-${host}-${part[0]}-`;
const generatedHash = (host: keyof typeof HOSTS, part: 'token' | 'companion') =>
  `sha256(convert_to('${prefixOf(host, part)}' || digits, 'UTF8'))`;

/** The e-mail address of a generated account; its password is that of all readers. */
export const generatedEmail = (number: number): string => `bench-${number}@example.com`;

/**
 * Generates sessions, each with a domain session on the auth domain and on the site, and a fifth as many accounts.
 * A session's first requests lie within the last 20 days; the five of an account are far apart, as if begun on different days.
 * Those with an even number were last seen some time since. Those with an odd one count as just seen, for a day: asking for
 * them is reading and nothing else, while asking for an even one first notes it as seen.
 */
export async function generate(databaseUrl: string, sessions: number): Promise<void> {
  const postmaster = await postmasterOf(databaseUrl);
  if (postmaster !== null) pin(postmaster, CORES.both);
  const clients = [await connect(databaseUrl), await connect(databaseUrl)];
  const [client] = clients as [pg.Client, pg.Client];
  try {
    for (const [name, value] of Object.entries(HASTE)) await client.query(`alter system set ${name} = ${value}`);
    await client.query('select pg_reload_conf()');
    const before = await definitionsOf(client);
    const postponed = await dropSecondary(client);
    await fill(clients, sessions);
    await inTurns(clients, postponed);
    if (!isDeepStrictEqual(await definitionsOf(client), before))
      throw new Error('after generation the indexes or constraints are not those from before');
    // As autovacuum would have done by and by: sizes known, pages marked as visible to all.
    await inTurns(
      clients,
      TABLES.map((table) => `vacuum (analyze) ${table}`),
    );
  } finally {
    for (const name of Object.keys(HASTE)) await client.query(`alter system reset ${name}`);
    await client.query('select pg_reload_conf()');
    await client.query('checkpoint');
    for (const one of clients) await one.end();
    if (postmaster !== null) pin(postmaster, CORES.load);
  }
}

/** Foreign keys are not looked at: they hold by the way that rows are made. Triggers only tell other nodes. */
async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    `set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '1GB'`,
  );
  return client;
}

/** Each connection takes the next text when it is done with one. */
async function inTurns(clients: readonly pg.Client[], texts: readonly string[]): Promise<void> {
  const left = texts.values();
  const work = async (client: pg.Client) => {
    for (const text of left) await client.query(text);
  };
  await Promise.all(clients.map(work));
}

async function fill(clients: readonly pg.Client[], sessions: number): Promise<void> {
  const [client] = clients as [pg.Client];
  const accounts = Math.ceil(sessions / SESSIONS_PER_ACCOUNT);
  const { rows } = await client.query<{ realm: string; first: string; hash: string; now: string }>(
    `select r.id as realm, (select max(id) + 1 from accounts) as first, a.password_hash as hash, now()::text as now
       from realms r join accounts a on a.realm_id = r.id and a.email = 'reader-0@example.com' where r.slug = 'bench'`,
  );
  const [found] = rows;
  if (!found) throw new Error('nobody is there to be like');
  const { realm, first, hash, now } = found;
  const insertAccounts = chunksOf(accounts).map(
    (numbers) =>
      `insert into accounts (id, realm_id, sub, email, email_canonical, name, password_hash) overriding system value
       select ${first} + n, ${realm}, translate(encode(sha256(convert_to('sub-' || n, 'UTF8')), 'base64'), '+/=', '-_'),
              'bench-' || n || '@example.com', 'bench-' || n || '@example.com', 'Bench Reader', '${hash}'
         from ${numbers}`,
  );
  // Ids of version 7 hold the moment at which a session began; they are made once and used in both tables.
  const insertSessions = chunksOf(sessions).map((numbers) =>
    [
      'create temporary table if not exists made (n bigint, id uuid, began interval); truncate made',
      `insert into made select n, uuidv7(began), began
         from ${numbers}, lateral (select (n - ${sessions}) * (interval '20 days' / ${sessions}) as began offset 0) b`,
      `insert into sessions (id, realm_id, account_id, created_at, authenticated_at, amr, last_seen_at, last_seen_host,
                             idle_seconds, idle_expires_at, expires_at, user_agent, address)
       select id, ${realm}, ${first} + n % ${accounts}, begun, begun, '{pwd}', seen, '${HOSTS.news}', 2592000,
              seen + interval '30 days', begun + interval '90 days', '${USER_AGENT}', '198.18.0.0'::inet + n % 131072
         from made,
              lateral (select '${now}'::timestamptz + began as begun offset 0) b,
              lateral (select '${now}'::timestamptz + case when n % 2 = 1 then interval '1 day'
                                else began * (n % 97 / 100::float8) - interval '2 minutes' end as seen offset 0) s`,
      ...(['auth', 'news'] as const).map(
        (host) =>
          `insert into domain_sessions (id, session_id, host, token_hash, companion_hash, created_at)
           select uuidv7(began), id, '${HOSTS[host]}', ${generatedHash(host, 'token')}, ${generatedHash(host, 'companion')},
                  '${now}'::timestamptz + began
             from made, lateral (select lpad(n::text, ${DIGITS}, '0') as digits offset 0) d`,
      ),
    ].join('; '),
  );
  await inTurns(clients, [...insertAccounts, ...insertSessions]);
  await client.query("select setval(pg_get_serial_sequence('accounts', 'id'), (select max(id) from accounts))");
}

function chunksOf(count: number): string[] {
  return Array.from(
    { length: Math.ceil(count / CHUNK) },
    (_, index) => `generate_series(${index * CHUNK}::bigint, ${Math.min(count, (index + 1) * CHUNK) - 1}) n`,
  );
}

/** Every index and constraint of the tables, as PostgreSQL describes it. */
async function definitionsOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(
    `select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) as text from pg_constraint
      where conrelid::regclass::text = any ($1) union all
     select pg_get_indexdef(indexrelid) || case when indisvalid then '' else ' invalid' end from pg_index
      where indrelid::regclass::text = any ($1) order by 1`,
    [TABLES],
  );
  return rows.map(({ text }) => text);
}

/** Drops every index to which no foreign key points. @returns the statements that make them again */
async function dropSecondary(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ drop: string; make: string }>(
    `select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname) as drop,
            format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) as make
       from pg_constraint c where c.conrelid::regclass::text = any ($1) and c.contype in ('u', 'p')
        and not exists (select from pg_constraint f where f.conindid = c.conindid and f.contype = 'f') union all
     select format('drop index %s', indexrelid::regclass), pg_get_indexdef(indexrelid) from pg_index i
      where indrelid::regclass::text = any ($1) and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`,
    [TABLES],
  );
  for (const { drop } of rows) await client.query(drop);
  return rows.map(({ make }) => make);
}
