// Passkeys (WebAuthn credentials) of accounts, and the user handle under which authenticators know an account: random, so that
// it tells nobody who that is (WebAuthn L3 §14.6.1).
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table passkey_users (
      account_id bigint primary key references accounts on delete cascade,
      user_handle bytea not null unique check (length(user_handle) between 16 and 64)
    );
    create table passkeys (
      id bigint generated always as identity primary key,
      account_id bigint not null references accounts on delete cascade,
      credential_id bytea not null unique check (length(credential_id) between 1 and 1023),
      public_key bytea not null,
      sign_count bigint not null,
      transports text[] not null,
      is_backup_eligible boolean not null,
      is_backed_up boolean not null,
      aaguid uuid not null,
      name text not null check (length(name) between 1 and 100),
      created_at timestamptz not null default causeway_now(),
      last_used_at timestamptz
    );
    create index passkeys_account on passkeys (account_id);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table passkeys; drop table passkey_users');
}
