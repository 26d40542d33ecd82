// Registered clients. A first-party client stands for one client domain and goes with it. Secrets are stored as SHA-256.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table clients (
      id bigint generated always as identity primary key,
      realm_id bigint not null references realms on delete cascade,
      client_id text not null,
      kind text not null check (kind in ('first-party', 'third-party')),
      name text not null,
      domain text unique references domains on delete cascade,
      redirect_uris text[] not null,
      secret_hashes bytea[] not null default '{}',
      proxy_secret_hash bytea unique,
      protocol jsonb not null default '{}',
      disabled_at timestamptz,
      created_at timestamptz not null default causeway_now(),
      updated_at timestamptz not null default causeway_now(),
      unique (realm_id, client_id),
      check ((kind = 'first-party') = (domain is not null))
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table clients');
}
