// The standard provider: what an account allowed a client (consents), token families with their access and refresh tokens,
// pushed authorization requests, identifiers that may be used once, and what a code of this face carries.
// A family without offline access hangs on its session and goes with it.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table consents (
      account_id bigint not null references accounts on delete cascade,
      client_row_id bigint not null references clients on delete cascade,
      scopes text[] not null,
      created_at timestamptz not null default causeway_now(),
      updated_at timestamptz not null default causeway_now(),
      primary key (account_id, client_row_id)
    );
    create index consents_client on consents (client_row_id);
    create table token_families (
      id uuid primary key,
      realm_id bigint not null references realms on delete cascade,
      client_row_id bigint not null references clients on delete cascade,
      account_id bigint references accounts on delete cascade,
      session_id uuid references sessions on delete cascade,
      sid uuid,
      scopes text[] not null,
      detail jsonb not null default '{}',
      created_at timestamptz not null default causeway_now(),
      expires_at timestamptz not null
    );
    create index token_families_session on token_families (session_id);
    create index token_families_account on token_families (account_id, client_row_id);
    create index token_families_client on token_families (client_row_id);
    create index token_families_expires on token_families (expires_at);
    create table access_tokens (
      token_hash bytea primary key,
      family_id uuid not null references token_families on delete cascade,
      scopes text[] not null,
      dpop_jkt text,
      issued_at timestamptz not null default causeway_now(),
      expires_at timestamptz not null
    );
    create index access_tokens_family on access_tokens (family_id);
    create index access_tokens_expires on access_tokens (expires_at);
    create table refresh_tokens (
      token_hash bytea primary key,
      family_id uuid not null references token_families on delete cascade,
      dpop_jkt text,
      issued_at timestamptz not null default causeway_now(),
      expires_at timestamptz not null,
      used_at timestamptz,
      successor_hash bytea,
      successor_jwe text
    );
    create index refresh_tokens_family on refresh_tokens (family_id);
    create table pushed_requests (
      handle_hash bytea primary key,
      client_row_id bigint not null references clients on delete cascade,
      parameters jsonb not null,
      expires_at timestamptz not null,
      consumed_at timestamptz
    );
    create index pushed_requests_client on pushed_requests (client_row_id);
    create index pushed_requests_expires on pushed_requests (expires_at);
    create table used_identifiers (
      id_hash bytea primary key,
      expires_at timestamptz not null
    );
    create index used_identifiers_expires on used_identifiers (expires_at);
    alter table authorization_codes alter column callback_uri drop not null;
    alter table authorization_codes add column detail jsonb;
    alter table authorization_codes add column family_id uuid references token_families on delete set null;
    create index authorization_codes_family on authorization_codes (family_id);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table authorization_codes drop column family_id;
    alter table authorization_codes drop column detail;
    delete from authorization_codes where callback_uri is null;
    alter table authorization_codes alter column callback_uri set not null;
    drop table used_identifiers, pushed_requests, refresh_tokens, access_tokens, token_families, consents;
  `);
}
