// A session token (`sessions/access-token/validate`) is stored beside the codes as a kind of its own, so that neither is ever
// taken for the other.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await allowKinds(knex, ['session', 'oidc', 'session-token']);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`delete from authorization_codes where kind = 'session-token'`);
  await allowKinds(knex, ['session', 'oidc']);
}

async function allowKinds(knex: Knex, kinds: readonly string[]): Promise<void> {
  const list = kinds.map((kind) => `'${kind}'`).join(', ');
  await knex.raw(`
    alter table authorization_codes drop constraint authorization_codes_kind_check;
    alter table authorization_codes add constraint authorization_codes_kind_check check (kind in (${list}));
  `);
}
