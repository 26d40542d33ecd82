// Signing keys of a realm's issuer. Private parts are encrypted by the server before they get here (JWE under CAUSEWAY_SECRET).
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table signing_keys (
      kid text primary key,
      realm_id bigint not null references realms on delete cascade,
      alg text not null check (alg in ('RS256', 'ES256', 'EdDSA')),
      public_jwk jsonb not null,
      private_jwe text not null,
      created_at timestamptz not null default causeway_now(),
      activates_at timestamptz not null,
      superseded_at timestamptz
    );
    create index signing_keys_realm on signing_keys (realm_id, alg);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table signing_keys');
}
