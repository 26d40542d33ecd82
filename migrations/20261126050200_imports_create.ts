// Imports of accounts from files, and how far each has come: written in the transaction of every batch, so that an import that
// was killed goes on where it was.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table imports (
      id bigint generated always as identity primary key,
      realm_id bigint not null references realms on delete cascade,
      fingerprint bytea not null,
      file_name text not null,
      records bigint not null default 0,
      inserted bigint not null default 0,
      updated bigint not null default 0,
      skipped bigint not null default 0,
      rejected bigint not null default 0,
      rejects_bytes bigint not null default 0,
      started_at timestamptz not null default causeway_now(),
      finished_at timestamptz,
      unique (realm_id, fingerprint)
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table imports');
}
