// Back-channel logout: which clients a session gave tokens to, and one receipt for each site that was to hear of its end. Neither
// refers to the session, which is gone when they are needed. The jobs that deliver are graphile-worker's (schema causeway_jobs,
// made after these migrations).
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table session_clients (
      session_id uuid not null,
      client_row_id bigint not null references clients on delete cascade,
      realm_id bigint not null references realms on delete cascade,
      account_sub text not null,
      created_at timestamptz not null default causeway_now(),
      primary key (session_id, client_row_id)
    );
    create index session_clients_client on session_clients (client_row_id);
    create index session_clients_realm on session_clients (realm_id);
    create table logout_receipts (
      id uuid primary key,
      realm_id bigint not null references realms on delete cascade,
      session_id uuid not null,
      account_id bigint not null,
      account_sub text not null,
      client_row_id bigint not null references clients on delete cascade,
      state text not null check (state in ('ended', 'untold', 'pending', 'acknowledged', 'retrying', 'refused', 'gave-up')),
      attempts integer not null default 0,
      last_status integer,
      last_error text,
      created_at timestamptz not null default causeway_now(),
      tried_at timestamptz,
      unique (session_id, client_row_id)
    );
    create index logout_receipts_realm on logout_receipts (realm_id, created_at);
    create index logout_receipts_account on logout_receipts (account_id);
    create index logout_receipts_client on logout_receipts (client_row_id);
    create index logout_receipts_created on logout_receipts (created_at);
    create index logout_receipts_open on logout_receipts (created_at) where state in ('pending', 'retrying');
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table logout_receipts, session_clients');
}
