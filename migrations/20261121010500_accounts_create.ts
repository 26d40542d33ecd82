// Accounts: the persons of a realm. Look-up and uniqueness go by the canonical form that the server computes, never by
// lower() in SQL, which folds other letters than the server does.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table accounts (
      id bigint generated always as identity primary key,
      realm_id bigint not null references realms on delete cascade,
      sub text not null unique,
      email text,
      email_canonical text,
      username text,
      username_canonical text,
      password_hash text,
      name text,
      first_name text,
      last_name text,
      slug text,
      avatar_url text,
      avatar_s3_key text,
      communication_email text,
      phone_number text,
      login_phone_number text,
      metadata jsonb,
      verification_status text check (verification_status in ('email', 'phone')),
      is_tfa_enabled boolean not null default false,
      disabled_at timestamptz,
      created_at timestamptz not null default causeway_now(),
      updated_at timestamptz not null default causeway_now()
    );
    create unique index accounts_email on accounts (realm_id, email_canonical);
    create unique index accounts_username on accounts (realm_id, username_canonical);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table accounts');
}
