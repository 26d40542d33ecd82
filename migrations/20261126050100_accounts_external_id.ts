// What an account was called in the system that it came from: finds it again in a second import and when an old session is
// adopted.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table accounts add column external_id text;
    create unique index accounts_external_id on accounts (realm_id, external_id) where external_id is not null;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table accounts drop column external_id');
}
