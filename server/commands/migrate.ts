// `causeway migrate`: brings the schema up to date, as the server does at its start.

import { migrateDatabase, withDatabase } from './context.ts';

/** Runs the migrations that the database lacks and prints their names. */
export async function runMigrations(): Promise<void> {
  await withDatabase(async ({ url }) => {
    const names = await migrateDatabase(url);
    for (const name of names) process.stdout.write(`${name}\n`);
    process.stdout.write(names.length === 1 ? '1 migration run\n' : `${names.length} migrations run\n`);
  });
}
