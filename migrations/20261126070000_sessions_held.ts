// A sign-in beyond the limit of its account waits here for the reader's answer: complete but for this mark, and not live. So
// it ends with everything else when a password changes, and is used once by the statement that removes the mark.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table sessions add column is_held boolean not null default false');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table sessions drop column is_held');
}
