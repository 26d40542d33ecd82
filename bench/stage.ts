// What the measurements are made on: Causeway as a process with the settings of a production node, a realm, readers who are
// signed in, and the databases of yardsticks and peers beside its own.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { applyRealmFile } from '../server/commands/apply.ts';
import { loadConfig, SETTINGS } from '../server/config.ts';
import { asHost, type SessionId } from '../server/lib/ids.ts';
import { createLog } from '../server/lib/log.ts';
import { createServices, type Services } from '../server/services.ts';
import type { Credential } from '../server/sessions/sessions.ts';
import { startArguments } from '../test/support/process.ts';
import { type Measured, parentOf, startMeasured } from './processes.ts';

export const HOSTS = { auth: 'auth.bench.example', news: 'news.bench.example' } as const;
export const PASSWORD = 'a long enough password';
export const CLIENT = {
  id: 'product',
  secret: 'a-secret-of-more-than-thirty-two-characters',
  redirect: 'https://rp.example/cb',
} as const;
const SECRET = randomBytes(48).toString('base64');

// Limits are counted as ever, and out of the way: one machine asks for all readers.
const REALM = `
realms:
  - slug: bench
    auth_domain: ${HOSTS.auth}
    settings:
      sign_in_per_account: 1000000/1h
      sign_in_per_address: 1000000/1h
      sign_in_per_realm: 1000000/1h
    clients:
      - { id: news, kind: first-party, name: The News, domain: ${HOSTS.news} }
      - id: ${CLIENT.id}
        kind: third-party
        name: A product
        secret: ${CLIENT.secret}
        redirect_uris: [${CLIENT.redirect}]
        require_pkce: false
        consent: implied
        id_token_signed_response_alg: ES256
        scopes: [openid, profile, email]
`;

/** A reader who is signed in on the auth domain and on the site. */
export type Reader = { email: string; sessionId: SessionId; cookies: Record<keyof typeof HOSTS, string> };
export type Stage = {
  databaseUrl: string;
  folder: string;
  readers: readonly Reader[];
  urlOf(database: string): string;
  /** The same stage in a database of its own, as it was when it was set. */
  copy(database: string): Promise<Stage>;
  startCauseway(more?: {
    databaseUrl?: string;
    cores?: string;
    env?: Record<string, string>;
    nodeArgs?: readonly string[];
  }): Promise<Measured>;
};

/** Sets it: realm, readers, databases. */
export async function setStage(options: { databaseUrl: string; folder: string; readers: number }): Promise<Stage> {
  const { databaseUrl, folder } = options;
  const urlOf = (database: string) => {
    const url = new URL(databaseUrl);
    url.pathname = `/${database}`;
    return url.href;
  };
  await query(databaseUrl, 'create database bench_peers');
  await query(databaseUrl, 'create database bench_bare');
  await query(
    urlOf('bench_bare'),
    `create table bare_sessions (token_hash bytea primary key, body text not null);
     create table bare_codes (code_hash bytea primary key, session_hash bytea not null);
     create table bare_domain_sessions (token_hash bytea primary key, session_hash bytea not null);
     insert into bare_sessions select sha256(convert_to('bare-' || n, 'UTF8')), repeat('x', 300) from generate_series(0, 9999) n;
     analyze`,
  );
  const env = { DATABASE_URL: databaseUrl, CAUSEWAY_SECRET: SECRET, PORT: '0', CAUSEWAY_DRAIN: '1s' };
  const readers = await withServices(env, (services) => signIn(services, env, options.readers));
  // Copied while nobody is connected to it.
  const original = new URL(databaseUrl).pathname.slice(1);
  await query(urlOf('bench_peers'), `create database bench_original template "${original}"`);
  const stageOn = (url: string): Stage => ({
    databaseUrl: url,
    folder,
    readers,
    urlOf,
    copy: async (database) => {
      await query(databaseUrl, `create database ${database} template bench_original`);
      return stageOn(urlOf(database));
    },
    startCauseway: (more = {}) =>
      startMeasured({
        name: 'causeway',
        args: startArguments().toSpliced(-1, 0, ...(more.nodeArgs ?? [])),
        env: { ...env, DATABASE_URL: more.databaseUrl ?? url, ...known(more.env) },
        folder,
        ...(more.cores && { cores: more.cores }),
      }),
  });
  return stageOn(databaseUrl);
}

/** Settings that this server has: the same benchmark measures versions without some of them. */
function known(env: Record<string, string> = {}): Record<string, string> {
  const variables = new Set(Object.values(SETTINGS).map(({ variable }) => variable));
  return Object.fromEntries(Object.entries(env).filter(([name]) => variables.has(name)));
}

async function withServices<T>(env: Record<string, string>, work: (services: Services) => Promise<T>): Promise<T> {
  const config = loadConfig(env);
  const log = createLog({ level: 'error' });
  const services = await createServices({
    config,
    databaseUrl: env['DATABASE_URL'] ?? '',
    secrets: config.secrets.map((secret) => secret.reveal()),
    log,
  });
  try {
    return await work(services);
  } finally {
    await services.close();
  }
}

async function signIn(services: Services, env: Record<string, string>, count: number): Promise<Reader[]> {
  const { db, realms, sessions, accounts } = services;
  const applied = await applyRealmFile({
    ...services,
    text: REALM,
    fileName: '-',
    environment: {},
    config: loadConfig(env),
    isDryRun: false,
    isPrune: false,
  });
  if (!applied.ok) throw new Error(applied.faults.join('\n'));
  const realm = await realms.findBySlug('bench');
  if (!realm) throw new Error('the realm is missing');
  const readers: Reader[] = [];
  for (let number = 0; number < count; number++) {
    const email = `reader-${number}@example.com`;
    const registered = await accounts.register(
      realm,
      { email, password: PASSWORD, username: null, name: 'Bench Reader' },
      { address: null },
    );
    if (!registered.ok) throw new Error(JSON.stringify(registered.faults));
    const { id } = registered.account;
    const reader = await db.transaction(async (q) => {
      const facts = { host: asHost(HOSTS.auth), amr: ['pwd'], userAgent: 'Bench', address: '127.0.0.1' };
      const made = await sessions.create(q, realm, id, facts);
      const added = await sessions.addDomain(q, made.sessionId, asHost(HOSTS.news));
      if (!added) throw new Error('the session is gone');
      const cookies = { auth: cookiesOf(made.credential), news: cookiesOf(added.credential) };
      return { email, sessionId: made.sessionId, cookies };
    });
    readers.push(reader);
  }
  return readers;
}

export const cookiesOf = (credential: Pick<Record<keyof Credential, string>, 'token' | 'companion'>): string =>
  `qt-auth=${credential.token}; __Host-qt-auth=${credential.companion}`;

/** Runs SQL on a connection of its own. */
export const query = (url: string, text: string, values?: unknown[]): Promise<pg.QueryResult> =>
  withClient(url, (client) => client.query(values ? { text, values } : text));

/** The process of PostgreSQL that starts all its others; null where the system does not tell. */
export const postmasterOf = (url: string): Promise<number | null> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return parentOf(Number(rows[0]?.pid));
  });

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
