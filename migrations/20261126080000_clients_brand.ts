// A client may have looks of its own: the pages and letters of a sign-in for it take its name, colours and logo.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`alter table clients add column brand jsonb not null default '{}'`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table clients drop column brand');
}
