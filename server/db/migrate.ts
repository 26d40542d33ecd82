// Brings the schema up to date at start. Any number of nodes may start on one empty database at once: an advisory lock
// lets one migrate while the others wait (reliability R-8). A node killed half-way leaves knex's own lock row behind; who
// holds the advisory lock knows that nobody is migrating and frees it.

import knexModule, { type Knex } from 'knex';
import { databaseKnexConfig } from './database.ts';
import { migrateOutbox } from './outbox.ts';

const MIGRATION_LOCK = 4_270_318_001;
const LOCK_WAIT_MS = 60_000;

/**
 * Runs all migrations that this database lacks.
 * @returns names of the migrations that were run
 * @throws when PostgreSQL cannot be reached, or a migration fails; nothing of it is then applied
 */
export async function migrate(url: string): Promise<string[]> {
  const config = databaseKnexConfig({ url, poolSize: 3, applicationName: 'causeway-migrate' });
  const connection = {
    ...(config.connection as object),
    statement_timeout: LOCK_WAIT_MS,
    query_timeout: LOCK_WAIT_MS + 1000,
  };
  // Who cannot connect is told why, and not only that it took too long.
  const knex = knexModule.knex({ ...config, connection, pool: { ...config.pool, propagateCreateError: true } });
  try {
    await requireDatabase(knex);
    return await knex.transaction(async (lock) => {
      // The lock's own connection sits idle in its transaction for as long as the migrations take.
      await lock.raw("set local idle_in_transaction_session_timeout = '10min'");
      await lock.raw(`set local lock_timeout = ${LOCK_WAIT_MS}`);
      await lock.raw('select pg_advisory_xact_lock(?)', [MIGRATION_LOCK]);
      if (await knex.schema.hasTable('knex_migrations_lock')) await knex.migrate.forceFreeMigrationsLock();
      const [, names] = (await knex.migrate.latest()) as [number, string[]];
      await migrateOutbox(url);
      return names;
    });
  } finally {
    await knex.destroy();
  }
}

async function requireDatabase(knex: Knex) {
  try {
    await knex.raw('select 1');
  } catch (error) {
    const { message, code } = error as { message?: string; code?: string };
    throw new Error(`The database cannot be used: ${message || code}. Check DATABASE_URL.`, { cause: error });
  }
}
