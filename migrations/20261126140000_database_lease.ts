// Leases under which a node may answer from memory, and the list of what became untrue (server/db/lease.ts has the proof).
// Triggers write the list, so that no statement of ours or of an operator can forget to. Rows live for minutes.
// A node of the former version has no memory, writes through the same triggers, and waits for nobody: while both versions run, a
// sign-out on an old node reaches the memory of a new one by notification alone.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table lease_nodes (
      id uuid primary key,
      expires_at timestamptz not null
    );
    -- Since when a server is known as the primary in one life of it: restarts and promotions make a new one.
    create table lease_incarnations (
      name text primary key,
      seen_at timestamptz not null
    );
    create table invalidations (
      seq bigint generated always as identity primary key,
      xid xid8 not null default pg_current_xact_id(),
      key text not null,
      created_at timestamptz not null default clock_timestamp()
    );
    create index invalidations_xid on invalidations (xid);

    create function causeway_incarnation() returns text language sql stable as $$
      select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || ' ' || extract(epoch from pg_postmaster_start_time())
    $$;

    -- The notice tells the connection that made the change, and with it our server, which transaction to wait for.
    create function causeway_invalidate(keys text[]) returns void language plpgsql volatile as $$
    declare
      mine text := pg_current_xact_id()::text;
      told integer;
    begin
      if keys is null then return; end if;
      with added as (insert into invalidations (key) select distinct unnest(keys) returning seq, key)
      select count(pg_notify('causeway_invalidations', added.seq || ' ' || added.key)) into told from added;
      raise notice using message = mine, errcode = 'CW001';
    end $$;

    -- Two statements on purpose: the second one's snapshot is taken once the node's row is locked.
    create function causeway_renew_lease(node uuid, since xid8, seconds float8)
      returns table (incarnation text, horizon xid8, seq bigint, key text) language plpgsql volatile as $$
    declare
      life text := causeway_incarnation();
    begin
      -- Before the very first nobody can hold a lease of another life.
      insert into lease_incarnations (name, seen_at)
        select life, case when exists (select from lease_incarnations) then clock_timestamp() else '-infinity' end
        where not exists (select from lease_incarnations where name = life) on conflict do nothing;
      insert into lease_nodes as n (id, expires_at) values (node, clock_timestamp() + make_interval(secs => seconds))
        on conflict (id) do update set expires_at = excluded.expires_at;
      return query select life, pg_snapshot_xmin(pg_current_snapshot()), i.seq, i.key
        from (select) one left join invalidations i on i.xid >= since;
    end $$;

    create function causeway_accounts_changed() returns trigger language plpgsql as $$
    begin
      if tg_op = 'DELETE' then
        perform causeway_invalidate((select array_agg('account ' || id) from was));
      else
        perform causeway_invalidate((select array_agg('account ' || was.id) from was join now on now.id = was.id
          where was.* is distinct from now.*));
      end if;
      return null;
    end $$;
    create trigger causeway_accounts_updated after update on accounts referencing old table as was new table as now
      for each statement execute function causeway_accounts_changed();
    create trigger causeway_accounts_deleted after delete on accounts referencing old table as was
      for each statement execute function causeway_accounts_changed();

    create function causeway_sessions_deleted() returns trigger language plpgsql as $$
    begin
      perform causeway_invalidate((select array_agg(distinct 'account ' || account_id) from was));
      return null;
    end $$;
    create trigger causeway_sessions_deleted after delete on sessions referencing old table as was
      for each statement execute function causeway_sessions_deleted();
    create function causeway_session_changed() returns trigger language plpgsql as $$
    begin
      perform causeway_invalidate(array['account ' || new.account_id]);
      return null;
    end $$;
    -- Not for use alone: that it was seen makes nothing untrue.
    create trigger causeway_session_updated after update on sessions for each row
      when ((old.authenticated_at, old.amr, old.is_held, old.expires_at) is distinct from (new.authenticated_at, new.amr, new.is_held, new.expires_at))
      execute function causeway_session_changed();
    -- One more session changes how many there are, and takes nothing from anybody: it is told, and nobody waits.
    create function causeway_session_added() returns trigger language plpgsql as $$
    begin
      perform pg_notify('causeway_invalidations', '0 account ' || new.account_id);
      raise notice using message = 'account ' || new.account_id, errcode = 'CW002';
      return null;
    end $$;
    create trigger causeway_session_added after insert on sessions for each row execute function causeway_session_added();

    create function causeway_domain_sessions_deleted() returns trigger language plpgsql as $$
    begin
      -- Those that go with their session are covered by its account.
      perform causeway_invalidate((select array_agg('domain-session ' || id) from was
        where exists (select from sessions where sessions.id = was.session_id)));
      return null;
    end $$;
    create trigger causeway_domain_sessions_deleted after delete on domain_sessions referencing old table as was
      for each statement execute function causeway_domain_sessions_deleted();
    create function causeway_domain_session_changed() returns trigger language plpgsql as $$
    begin
      perform causeway_invalidate(array['domain-session ' || old.id]);
      return null;
    end $$;
    create trigger causeway_domain_session_updated after update on domain_sessions for each row
      when (old.* is distinct from new.*) execute function causeway_domain_session_changed();
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop trigger causeway_domain_session_updated on domain_sessions;
    drop trigger causeway_domain_sessions_deleted on domain_sessions;
    drop trigger causeway_session_added on sessions;
    drop trigger causeway_session_updated on sessions;
    drop trigger causeway_sessions_deleted on sessions;
    drop trigger causeway_accounts_deleted on accounts;
    drop trigger causeway_accounts_updated on accounts;
    drop function causeway_domain_session_changed, causeway_domain_sessions_deleted, causeway_session_added,
      causeway_session_changed, causeway_sessions_deleted, causeway_accounts_changed, causeway_renew_lease,
      causeway_invalidate, causeway_incarnation;
    drop table invalidations, lease_incarnations, lease_nodes;
  `);
}
