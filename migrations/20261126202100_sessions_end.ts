// A sign-out in one round trip. Each statement of the function has a snapshot of its own, taken once the session is locked: a
// domain or client that was being added meanwhile is seen.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Ends a session and announces it. One row, with what has to be told of it; none when it had ended already.
    create function causeway_end_session(ended uuid)
      returns table (session_id uuid, hosts text[], client_row_ids bigint[]) language plpgsql volatile as $$
    declare
      visited text[];
    begin
      perform from sessions where id = ended for update;
      -- The children go after the statement, so the hosts are still there to be returned.
      delete from sessions where id = ended
        returning array(select distinct d.host from domain_sessions d where d.session_id = ended order by 1) into visited;
      if not found then return; end if;
      perform pg_notify('causeway_sessions', ended::text);
      return query
        with noted as (delete from session_clients c where c.session_id = ended returning c.client_row_id)
        select ended, visited, array(select client_row_id from noted);
    end $$;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop function causeway_end_session');
}
