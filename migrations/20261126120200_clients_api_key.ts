// The backend of a site may redeem codes host to host; it needs an API key besides the secret. Stored as a hash.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table clients add column api_key_hash bytea');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table clients drop column api_key_hash');
}
