// The one-time-password factor of an account (RFC 6238): its secret, encrypted under CAUSEWAY_SECRET, and the latest time step
// that was accepted, so that no code counts twice on any node.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table totp_factors (
      account_id bigint primary key references accounts on delete cascade,
      secret_jwe text not null,
      last_step bigint not null,
      created_at timestamptz not null default causeway_now(),
      last_used_at timestamptz
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table totp_factors');
}
