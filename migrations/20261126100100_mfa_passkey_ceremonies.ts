// WebAuthn ceremonies that are under way: one row for each challenge that a browser was given. The browser holds a cookie, the
// row its hash; being used up is being deleted.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table passkey_ceremonies (
      id_hash bytea primary key,
      browser_hash bytea not null,
      host text not null references domains on delete cascade,
      purpose text not null check (purpose in ('register', 'sign-in', 'second-factor', 're-authenticate')),
      challenge bytea not null check (length(challenge) >= 16),
      account_id bigint references accounts on delete cascade,
      session_id uuid,
      expires_at timestamptz not null,
      check ((purpose = 'sign-in') = (account_id is null)),
      check ((purpose in ('register', 're-authenticate')) = (session_id is not null))
    );
    create index passkey_ceremonies_expires on passkey_ceremonies (expires_at);
    create index passkey_ceremonies_host on passkey_ceremonies (host);
    create index passkey_ceremonies_account on passkey_ceremonies (account_id);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table passkey_ceremonies');
}
