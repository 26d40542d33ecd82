// Dynamic client registration (RFC 7591 §3): initial access tokens, each good for so many registrations in one realm until it
// expires. Clients that registered themselves carry `is_dynamic` in clients.protocol.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table initial_access_tokens (
      token_hash bytea primary key,
      realm_id bigint not null references realms on delete cascade,
      uses_left integer not null check (uses_left >= 0),
      created_at timestamptz not null default causeway_now(),
      expires_at timestamptz not null
    );
    create index initial_access_tokens_realm on initial_access_tokens (realm_id);
    create index initial_access_tokens_expires on initial_access_tokens (expires_at);
    create index clients_dynamic on clients (realm_id) where protocol -> 'is_dynamic' = 'true';
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index clients_dynamic; drop table initial_access_tokens;');
}
