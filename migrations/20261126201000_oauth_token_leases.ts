// Nodes keep access tokens in use in memory under their lease (server/oauth/token_memory.ts): what ends one is told to them, as
// the end of a session is. Triggers tell, so that no statement of ours or of an operator can forget to.
// A node of the former version keeps no tokens and writes through the same triggers.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create function causeway_token_families_deleted() returns trigger language plpgsql as $$
    declare
      many boolean := (select count(*) > 100 from was);
    begin
      -- Those that go with their account or session are covered by its key, those that are over by their own time. Where an
      -- operator ends many at once, or removes a client, one key stands for all of it.
      perform causeway_invalidate((
        select array_agg(distinct case when many or not exists (select from clients c where c.id = was.client_row_id)
                                       then 'client ' || was.client_row_id else 'family ' || was.id end)
          from was
         where was.expires_at > causeway_now()
           and (was.account_id is null or exists (select from accounts a where a.id = was.account_id))
           and (was.session_id is null or exists (select from sessions s where s.id = was.session_id))));
      return null;
    end $$;
    create trigger causeway_token_families_deleted after delete on token_families referencing old table as was
      for each statement execute function causeway_token_families_deleted();
    create function causeway_token_family_changed() returns trigger language plpgsql as $$
    begin
      perform causeway_invalidate(array['family ' || old.id]);
      return null;
    end $$;
    create trigger causeway_token_family_updated after update on token_families for each row
      when (old.* is distinct from new.*) execute function causeway_token_family_changed();

    create function causeway_access_tokens_deleted() returns trigger language plpgsql as $$
    begin
      -- Those that go with their family are covered by it.
      perform causeway_invalidate((select array_agg(distinct 'family ' || was.family_id) from was
        where was.expires_at > causeway_now() and exists (select from token_families f where f.id = was.family_id)));
      return null;
    end $$;
    create trigger causeway_access_tokens_deleted after delete on access_tokens referencing old table as was
      for each statement execute function causeway_access_tokens_deleted();
    create function causeway_access_token_changed() returns trigger language plpgsql as $$
    begin
      perform causeway_invalidate(array['family ' || old.family_id]);
      return null;
    end $$;
    create trigger causeway_access_token_updated after update on access_tokens for each row
      when (old.* is distinct from new.*) execute function causeway_access_token_changed();
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop trigger causeway_access_token_updated on access_tokens;
    drop trigger causeway_access_tokens_deleted on access_tokens;
    drop trigger causeway_token_family_updated on token_families;
    drop trigger causeway_token_families_deleted on token_families;
    drop function causeway_access_token_changed, causeway_access_tokens_deleted, causeway_token_family_changed,
      causeway_token_families_deleted;
  `);
}
