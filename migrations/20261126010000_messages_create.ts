// E-mails and text messages on their way out. What they say and to whom stands in `sealed`, encrypted under CAUSEWAY_SECRET:
// it holds live codes and links. A row goes when its message was taken by the mail server, was refused, or is too old.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table outgoing_messages (
      id uuid primary key,
      realm_id bigint not null references realms on delete cascade,
      channel text not null check (channel in ('email', 'phone')),
      template text not null,
      sealed text not null,
      attempts integer not null default 0,
      last_status integer,
      created_at timestamptz not null default causeway_now(),
      expires_at timestamptz
    );
    create index outgoing_messages_realm on outgoing_messages (realm_id);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table outgoing_messages;');
}
