// The providers that a realm signs in with stand with the realm: pages show them, and a realm is read in one look-up. Their
// secrets are inside, encrypted under CAUSEWAY_SECRET, because they must be used again.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`alter table realms add column upstreams jsonb not null default '[]'`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table realms drop column upstreams');
}
