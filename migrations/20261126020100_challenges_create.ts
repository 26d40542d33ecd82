// Challenges: one-time codes and links that prove that somebody reads an e-mail address or a phone. One row for each purpose
// and subject, so a newer challenge takes the place of the older in one statement. Codes and tokens are there as hashes only.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table challenges (
      id uuid primary key,
      realm_id bigint not null references realms on delete cascade,
      account_id bigint references accounts on delete cascade,
      purpose text not null,
      subject text not null,
      recipient text not null,
      code_hash bytea,
      link_hash bytea unique,
      browser_hash bytea,
      payload jsonb not null default '{}',
      tries smallint not null default 0,
      created_at timestamptz not null default causeway_now(),
      code_expires_at timestamptz not null,
      expires_at timestamptz not null,
      consumed_at timestamptz
    );
    create unique index challenges_open on challenges (realm_id, purpose, subject);
    create index challenges_account on challenges (account_id);
    create index challenges_browser on challenges (browser_hash);
    create index challenges_expires on challenges (expires_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table challenges');
}
