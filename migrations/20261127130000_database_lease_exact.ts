// Three holes in what leases rest on (server/db/lease.ts):
// - The message that tells a connection what its transaction changed was a notice, which a role or database with
//   client_min_messages = warning never gets. PostgreSQL sends `info` whatever that setting says.
// - A renewal that makes its row is not seen by whoever reads the nodes at that moment, and waits for nobody: it says so now, and
//   the node counts from the next one on.
// - What may be new to a node was told by the oldest transaction under way, anywhere in the server: one that is left open made
//   every renewal bring minutes of old news. It is told by the whole snapshot now, which is exact.
// The former function stays for nodes of the former version.
// breaking: no

import type { Knex } from 'knex';

const functionsThatTell = (how: 'info' | 'notice') => `
  create or replace function causeway_invalidate(keys text[]) returns void language plpgsql volatile as $$
  declare
    mine text := pg_current_xact_id()::text;
    told integer;
  begin
    if keys is null then return; end if;
    with added as (insert into invalidations (key) select distinct unnest(keys) returning seq, key)
    select count(pg_notify('causeway_invalidations', added.seq || ' ' || added.key)) into told from added;
    raise ${how} using message = mine, errcode = 'CW001';
  end $$;
  create or replace function causeway_session_added() returns trigger language plpgsql as $$
  begin
    perform pg_notify('causeway_invalidations', '0 account ' || new.account_id);
    raise ${how} using message = 'account ' || new.account_id, errcode = 'CW002';
    return null;
  end $$;`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ${functionsThatTell('info')}

    -- Several statements on purpose: the last one's snapshot is taken once the node's row is locked.
    create function causeway_renew_lease(node uuid, since pg_snapshot, seconds float8)
      returns table (incarnation text, is_counted boolean, horizon pg_snapshot, seq bigint, key text) language plpgsql volatile as $$
    declare
      life text := causeway_incarnation();
      ends timestamptz := clock_timestamp() + make_interval(secs => seconds);
      was_there boolean;
    begin
      if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a lease needs the isolation level "read committed": its last look must be newer than its lock';
      end if;
      -- Before the very first nobody can hold a lease of another life.
      insert into lease_incarnations (name, seen_at)
        select life, case when exists (select from lease_incarnations) then clock_timestamp() else '-infinity' end
        where not exists (select from lease_incarnations where name = life) on conflict do nothing;
      update lease_nodes set expires_at = ends where id = node;
      was_there := found;
      if not was_there then
        insert into lease_nodes as n (id, expires_at) values (node, ends)
          on conflict (id) do update set expires_at = excluded.expires_at;
      end if;
      return query select life, was_there, pg_current_snapshot(), i.seq, i.key
        from (select) one
        left join invalidations i on i.xid >= pg_snapshot_xmin(since) and not pg_visible_in_snapshot(i.xid, since);
    end $$;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop function causeway_renew_lease(uuid, pg_snapshot, float8);
    ${functionsThatTell('notice')}
  `);
}
