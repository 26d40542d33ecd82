// The database's clock under a name of our own, so that tests can move time without touching the server's code.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('create function causeway_now() returns timestamptz language sql stable as $$ select now() $$');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop function causeway_now()');
}
