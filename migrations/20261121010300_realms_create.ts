// Realms and their domains. A host is the primary key of a domain, so it belongs to one realm by construction.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table realms (
      id bigint generated always as identity primary key,
      slug text not null unique,
      authentication_url text,
      settings jsonb not null default '{}',
      brand jsonb not null default '{}',
      created_at timestamptz not null default causeway_now(),
      updated_at timestamptz not null default causeway_now()
    );
    create table domains (
      host text primary key,
      realm_id bigint not null references realms on delete cascade,
      origin text not null,
      role text not null check (role in ('auth', 'client')),
      created_at timestamptz not null default causeway_now()
    );
    create index domains_realm on domains (realm_id);
    create unique index domains_one_auth_domain on domains (realm_id) where role = 'auth';
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table domains, realms');
}
