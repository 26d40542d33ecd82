// What happened, append-only. No foreign keys: an entry outlives the account, session or client that it names.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table audit_events (
      id bigint generated always as identity primary key,
      at timestamptz not null default causeway_now(),
      type text not null,
      realm_id bigint,
      account_id bigint,
      session_id uuid,
      client_id text,
      address inet,
      detail jsonb not null default '{}'
    );
    create index audit_events_account on audit_events (account_id, id);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table audit_events');
}
