// A phone number by which somebody signs in is theirs alone within the realm.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create unique index accounts_login_phone on accounts (realm_id, login_phone_number) where login_phone_number is not null
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index accounts_login_phone');
}
