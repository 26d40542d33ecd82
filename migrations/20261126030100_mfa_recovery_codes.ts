// Recovery codes of an account that has a second factor: 80 random bits each, so a plain hash is enough; using one deletes it.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table recovery_codes (
      account_id bigint not null references accounts on delete cascade,
      code_hash bytea not null,
      created_at timestamptz not null default causeway_now(),
      primary key (account_id, code_hash)
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table recovery_codes');
}
