// Events of products that have been taken: a pushed change of a profile is done once, however often it is delivered.
// Accounts are found by sub for it (unique already). Rows are swept after their time.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table product_events (
      client_row_id bigint not null references clients on delete cascade,
      event_hash bytea not null,
      expires_at timestamptz not null,
      primary key (client_row_id, event_hash)
    );
    create index product_events_expires on product_events (expires_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table product_events');
}
