// Configuration of the knex command line (`npx knex migrate:latest`, `npx knex migrate:make NAME`): the same settings as the server's.

import { processConfig } from './server/config.ts';
import { databaseKnexConfig } from './server/db/database.ts';
import { withDatabaseUrl } from './server/db/embedded.ts';

export default async function knexConfiguration() {
  const config = processConfig();
  const url = await withDatabaseUrl(config);
  return databaseKnexConfig({ url, poolSize: 2, applicationName: 'causeway-knex' });
}
