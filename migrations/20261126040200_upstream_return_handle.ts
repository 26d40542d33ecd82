// An attempt keeps the handle of the sign-in page and not a bare path: the page of the second factor after it must know where its
// form leads in the end. No release has had the table, so nothing that is under way is lost.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table upstream_attempts rename column return_path to return_handle');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table upstream_attempts rename column return_handle to return_path');
}
