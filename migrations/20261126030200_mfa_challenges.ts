// What stands between a first factor and a session: one row for each browser that has proved the first and not yet the second
// factor. The browser holds the token (cookie tfa-auth), the row its hash; being used up is being deleted.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table second_factor_challenges (
      token_hash bytea primary key,
      account_id bigint not null references accounts on delete cascade,
      host text not null references domains on delete cascade,
      need text not null check (need in ('setup', 'validation')),
      amr text[] not null,
      setup_jwe text,
      proven_amr text[],
      tries smallint not null default 0,
      expires_at timestamptz not null,
      created_at timestamptz not null default causeway_now(),
      check ((need = 'setup') = (setup_jwe is not null))
    );
    create index second_factor_challenges_account on second_factor_challenges (account_id);
    create index second_factor_challenges_host on second_factor_challenges (host);
    create index second_factor_challenges_expires on second_factor_challenges (expires_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table second_factor_challenges');
}
