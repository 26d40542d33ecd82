// Sessions of a former system that were adopted: each value once, by its hash.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table adopted_sessions (
      realm_id bigint not null references realms on delete cascade,
      value_hash bytea not null,
      adopted_at timestamptz not null default causeway_now(),
      primary key (realm_id, value_hash)
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table adopted_sessions');
}
