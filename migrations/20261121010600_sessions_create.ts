// SSO sessions and their children, the domain sessions. Ending a session is deleting its row: the children go with it in
// the same statement, and a child can never be added to a session that is gone (foreign key). Room on the page (fillfactor)
// lets last_seen_at change without touching an index.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table sessions (
      id uuid primary key,
      realm_id bigint not null references realms on delete cascade,
      account_id bigint not null references accounts on delete cascade,
      created_at timestamptz not null default causeway_now(),
      authenticated_at timestamptz not null default causeway_now(),
      amr text[] not null,
      last_seen_at timestamptz not null default causeway_now(),
      last_seen_host text not null,
      idle_seconds integer not null,
      idle_expires_at timestamptz not null,
      expires_at timestamptz not null,
      user_agent text,
      address inet
    ) with (fillfactor = 80);
    create index sessions_account on sessions (account_id);
    create index sessions_realm on sessions (realm_id);
    create index sessions_expires on sessions (expires_at);
    create table domain_sessions (
      id uuid primary key,
      session_id uuid not null references sessions on delete cascade,
      host text not null references domains on delete cascade,
      token_hash bytea not null unique,
      companion_hash bytea not null,
      created_at timestamptz not null default causeway_now()
    );
    create index domain_sessions_session on domain_sessions (session_id);
    create index domain_sessions_host on domain_sessions (host);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table domain_sessions, sessions');
}
