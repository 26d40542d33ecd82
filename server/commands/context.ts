// What a command works with: the configuration, the database (the configured one or the embedded one, whether the server is
// running or not) and the features, opened in this order and closed in reverse.

import pg from 'pg';
import { createAccounts } from '../accounts/accounts.ts';
import { createAudit } from '../audit/audit.ts';
import { createClients } from '../clients/clients.ts';
import { type Config, ConfigError, processConfig } from '../config.ts';
import { openChanger } from '../db/changer.ts';
import { type Database, DatabaseUnavailable, isUnavailable, TIMEOUTS } from '../db/database.ts';
import { embeddedSecret, openEmbedded } from '../db/embedded.ts';
import { migrate } from '../db/migrate.ts';
import { createGuardedFetch } from '../http/outgoing.ts';
import { createImports } from '../imports/imports.ts';
import { createKeys } from '../keys/keys.ts';
import { createLog } from '../lib/log.ts';
import { createMessageQueue } from '../messages/messages.ts';
import { createMfa } from '../mfa/mfa.ts';
import { endSession, recordEnd } from '../oidc/oidc.ts';
import { createBreachedPasswords, createPasswords } from '../passwords/passwords.ts';
import { createRateLimits } from '../ratelimit/ratelimit.ts';
import { createRealms } from '../realms/realms.ts';
import { createSessions } from '../sessions/sessions.ts';
import { hasIdentity } from '../upstream/upstream.ts';

/** A command that could not do its work; the message is all that the operator is told. */
export class CommandFailed extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A command that was asked for wrongly: exit code 2. */
export class UsageFault extends Error {}

/** What an operator is told of an error that ended a command. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof CommandFailed || error instanceof UsageFault || error instanceof ConfigError)
    return error.message;
  const root = error instanceof DatabaseUnavailable && error.cause instanceof Error ? error.cause : error;
  if (!isUnavailable(root)) return root.message || String((root as { code?: unknown }).code);
  return unavailable(root.cause ?? root);
}

/** Asks for one connection: a wrong DATABASE_URL is told at once and in PostgreSQL's own words. */
async function probe(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: TIMEOUTS.connectionTimeoutMillis });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw new CommandFailed(unavailable(error));
  } finally {
    await client.end().catch(() => undefined);
  }
}

function unavailable(error: unknown): string {
  // A host name with several addresses fails with a list of errors and no message of its own.
  const reason = error instanceof Error ? error.message || (error as { code?: unknown }).code : error;
  return `PostgreSQL is not available: ${reason}`;
}

export type CommandContext = ReturnType<typeof createContext>;

const CONNECTIONS = 3;

/**
 * Opens the database, runs a command on it and closes everything again.
 * @throws CommandFailed when migrations are pending; an empty database is set up at once
 */
export async function withContext(run: (context: CommandContext) => Promise<void>): Promise<void> {
  await withDatabase(async ({ config, db, url, secrets }) => {
    if (await db.builder.schema.hasTable('knex_migrations')) await refusePending(db);
    else await migrate(url);
    await run(createContext({ config, db, secrets }));
  });
}

/** Opens the database as it is, without a look at its schema. */
export async function withDatabase(
  run: (opened: { config: Config; db: Database; url: string; secrets: () => readonly string[] }) => Promise<void>,
): Promise<void> {
  const config = processConfig();
  const embedded = config.databaseUrl ? null : await openEmbedded({ folder: config.dataFolder, mayAdopt: false });
  const url = config.databaseUrl?.reveal() ?? embedded?.url ?? '';
  const { db, close } = openChanger({
    url,
    poolSize: CONNECTIONS,
    applicationName: 'causeway-cli',
    namedStatements: config.namedStatements,
    log: createLog({ level: 'silent' }),
  });
  try {
    await probe(url);
    const secrets = () =>
      config.secrets.length > 0 || !embedded
        ? config.secrets.map((secret) => secret.reveal())
        : [embeddedSecret(embedded.folder)];
    await run({ config, db, url, secrets });
  } finally {
    await close();
    await embedded?.stop();
  }
}

/** Runs the migrations that a database lacks and returns their names. */
export const migrateDatabase = (url: string): Promise<string[]> => migrate(url);

async function refusePending(db: Database): Promise<void> {
  const [, pending] = (await db.builder.migrate.list()) as [unknown[], { file: string }[]];
  if (pending.length === 0) return;
  const what = pending.length === 1 ? 'one migration' : `${pending.length} migrations`;
  throw new CommandFailed(`The database lacks ${what} of this version of Causeway. Run: npx causeway migrate`);
}

/** The features over an open database. @param options secrets: key material, asked for only by commands that need it */
export function createContext({
  config,
  db,
  secrets,
}: {
  config: Config;
  db: Database;
  secrets: () => readonly string[];
}) {
  const audit = createAudit();
  const realms = createRealms({ db, notifications: null, secrets });
  const clients = createClients({ db, notifications: null, secrets });
  const sessions = createSessions({ db, audit, endSession, onRevoked: recordEnd });
  // Made only by commands that need it: it begins with a password hash.
  const openAccounts = () =>
    createAccounts({ db, audit, realms, sessions, passwords: createPasswords({ concurrency: 1, isBreached }) });
  const warn = (line: string) => void process.stderr.write(`${line}\n`);
  const isBreached = config.breachedPasswordsUrl
    ? createBreachedPasswords({
        url: config.breachedPasswordsUrl,
        fetch: createGuardedFetch({ allowLoopback: config.allowLoopback }),
        onDown: (error) => warn(`Leaked passwords could not be asked about (${(error as Error).message}).`),
      })
    : null;
  const policy = {
    rotateSeconds: config.keyRotationSeconds,
    publishSeconds: config.keyPublishSeconds,
    tokenSeconds: 3600,
  };
  const imports = createImports({ db, audit, realms });
  const openMfa = () =>
    createMfa({
      db,
      audit,
      rateLimits: createRateLimits({ db }),
      accounts: openAccounts(),
      // Queued here, delivered by a running server.
      messages: createMessageQueue({
        secrets: secrets(),
        reaches: { email: config.smtpUrl !== null, phone: config.smsWebhook !== null },
      }),
      secrets: secrets(),
      hasIdentity,
    });
  const openKeys = () => createKeys({ db, notifications: null, secrets: secrets(), policy });
  const print = (line: string) => void process.stdout.write(`${line}\n`);

  /** The realm with that slug. @throws CommandFailed naming those that there are */
  async function getRealm(slug: string) {
    const realm = await realms.findBySlug(slug);
    if (realm) return realm;
    const known = (await realms.listStored(db)).map((stored) => stored.slug);
    throw new CommandFailed(
      `There is no realm ${slug}. ${known.length > 0 ? `Known: ${known.join(', ')}.` : 'There is none at all; see: npx causeway apply --help'}`,
    );
  }

  return {
    config,
    db,
    audit,
    realms,
    clients,
    sessions,
    imports,
    openAccounts,
    openMfa,
    openKeys,
    getRealm,
    print,
  };
}
