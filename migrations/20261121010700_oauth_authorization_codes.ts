// Authorization codes, stored as hashes. A code hangs on the session it was issued from: when that ends, its codes are gone.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table authorization_codes (
      code_hash bytea primary key,
      kind text not null check (kind in ('session', 'oidc')),
      session_id uuid not null references sessions on delete cascade,
      client_row_id bigint not null references clients on delete cascade,
      redirect_uri text not null,
      callback_uri text not null,
      flow_hash bytea,
      is_restart boolean not null,
      is_silent boolean not null,
      issued_at timestamptz not null default causeway_now(),
      expires_at timestamptz not null,
      consumed_at timestamptz,
      domain_session_id uuid references domain_sessions on delete set null
    );
    create index authorization_codes_session on authorization_codes (session_id);
    create index authorization_codes_client on authorization_codes (client_row_id);
    create index authorization_codes_domain_session on authorization_codes (domain_session_id);
    create index authorization_codes_expires on authorization_codes (expires_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table authorization_codes');
}
