// Sign-in with another provider: who an account is there, and attempts under way. Of an attempt only hashes are stored: state
// and the browser's secret are with the browser, and nonce and PKCE verifier follow from them.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table upstream_identities (
      id uuid primary key,
      realm_id bigint not null references realms on delete cascade,
      issuer text not null,
      subject text not null,
      account_id bigint not null references accounts on delete cascade,
      provider text not null,
      email text,
      created_at timestamptz not null default causeway_now(),
      last_used_at timestamptz not null default causeway_now()
    );
    create unique index upstream_identities_subject on upstream_identities (realm_id, issuer, subject);
    create index upstream_identities_account on upstream_identities (account_id);
    create table upstream_attempts (
      state_hash bytea primary key,
      realm_id bigint not null references realms on delete cascade,
      provider text not null,
      browser_hash bytea not null,
      return_path text not null,
      link_session_id uuid references sessions on delete cascade,
      created_at timestamptz not null default causeway_now(),
      expires_at timestamptz not null
    );
    create index upstream_attempts_realm on upstream_attempts (realm_id);
    create index upstream_attempts_link_session on upstream_attempts (link_session_id);
    create index upstream_attempts_expires on upstream_attempts (expires_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table upstream_attempts, upstream_identities');
}
