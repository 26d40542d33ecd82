// What the password hashes of imported accounts are like, with the realm: a try at an account that does not exist must cost
// as much as one at an imported account. It is of the same kind and cost, and nobody's.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table realms add column foreign_hash text');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table realms drop column foreign_hash');
}
