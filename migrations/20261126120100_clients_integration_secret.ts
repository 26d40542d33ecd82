// The secret that an integration shares with us signs its tokens (HS256), so it must be known again: encrypted, not hashed.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table clients add column integration_secret jsonb');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table clients drop column integration_secret');
}
