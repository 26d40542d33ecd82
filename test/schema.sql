-- The schema that all migrations together give; for reading, never run. Generated from a migrated database by:
--   node test/support/run.ts --script test/repository/schema_dump.ts

CREATE OR REPLACE FUNCTION public.causeway_access_token_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      perform causeway_invalidate(array['family ' || old.family_id]);
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_access_tokens_deleted()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      -- Those that go with their family are covered by it.
      perform causeway_invalidate((select array_agg(distinct 'family ' || was.family_id) from was
        where was.expires_at > causeway_now() and exists (select from token_families f where f.id = was.family_id)));
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_accounts_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      if tg_op = 'DELETE' then
        perform causeway_invalidate((select array_agg('account ' || id) from was));
      else
        perform causeway_invalidate((select array_agg('account ' || was.id) from was join now on now.id = was.id
          where was.* is distinct from now.*));
      end if;
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_domain_session_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      perform causeway_invalidate(array['domain-session ' || old.id]);
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_domain_sessions_deleted()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      -- Those that go with their session are covered by its account.
      perform causeway_invalidate((select array_agg('domain-session ' || id) from was
        where exists (select from sessions where sessions.id = was.session_id)));
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_end_session(ended uuid)
 RETURNS TABLE(session_id uuid, hosts text[], client_row_ids bigint[])
 LANGUAGE plpgsql
AS $function$
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
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_give_back_limits(names text[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
    begin
      for nr in 1 .. cardinality(names) loop
        update rate_limits set points = points - 1
          where key = names[nr] and points > 0 and expire > extract(epoch from clock_timestamp()) * 1000;
      end loop;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_incarnation()
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
      select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || ' ' || extract(epoch from pg_postmaster_start_time())
    $function$;

CREATE OR REPLACE FUNCTION public.causeway_invalidate(keys text[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
  declare
    mine text := pg_current_xact_id()::text;
    told integer;
  begin
    if keys is null then return; end if;
    with added as (insert into invalidations (key) select distinct unnest(keys) returning seq, key)
    select count(pg_notify('causeway_invalidations', added.seq || ' ' || added.key)) into told from added;
    raise info using message = mine, errcode = 'CW001';
  end $function$;

CREATE OR REPLACE FUNCTION public.causeway_now()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$ select now() $function$;

CREATE OR REPLACE FUNCTION public.causeway_renew_lease(node uuid, since pg_snapshot, seconds double precision)
 RETURNS TABLE(incarnation text, is_counted boolean, horizon pg_snapshot, seq bigint, key text)
 LANGUAGE plpgsql
AS $function$
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
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_renew_lease(node uuid, since xid8, seconds double precision)
 RETURNS TABLE(incarnation text, horizon xid8, seq bigint, key text)
 LANGUAGE plpgsql
AS $function$
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
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_session_added()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
  begin
    perform pg_notify('causeway_invalidations', '0 account ' || new.account_id);
    raise info using message = 'account ' || new.account_id, errcode = 'CW002';
    return null;
  end $function$;

CREATE OR REPLACE FUNCTION public.causeway_session_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      perform causeway_invalidate(array['account ' || new.account_id]);
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_sessions_deleted()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      perform causeway_invalidate((select array_agg(distinct 'account ' || account_id) from was));
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_take_limits(names text[], most integer[], seconds integer[])
 RETURNS TABLE(refused integer, retry_after_seconds double precision)
 LANGUAGE plpgsql
AS $function$
    declare
      at_ms bigint := extract(epoch from clock_timestamp()) * 1000;
      counted integer;
      until_ms bigint;
    begin
      for nr in 1 .. cardinality(names) loop
        insert into rate_limits as r (key, points, expire) values (names[nr], 1, at_ms + seconds[nr] * 1000::bigint)
          on conflict (key) do update set
            points = case when r.expire <= at_ms then 1 else r.points + 1 end,
            expire = case when r.expire <= at_ms then excluded.expire else r.expire end
          returning r.points, r.expire into counted, until_ms;
        if counted > most[nr] then
          return query select nr, (until_ms - at_ms) / 1000::float8;
          return;
        end if;
      end loop;
      return query select null::integer, null::float8;
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_token_families_deleted()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
    end $function$;

CREATE OR REPLACE FUNCTION public.causeway_token_family_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      perform causeway_invalidate(array['family ' || old.id]);
      return null;
    end $function$;

create table access_tokens (
  token_hash bytea not null,
  family_id uuid not null,
  scopes text[] not null,
  dpop_jkt text,
  issued_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone not null,
  constraint access_tokens_pkey PRIMARY KEY (token_hash),
  constraint access_tokens_family_id_fkey FOREIGN KEY (family_id) REFERENCES token_families(id) ON DELETE CASCADE
);
CREATE INDEX access_tokens_expires ON public.access_tokens USING btree (expires_at);
CREATE INDEX access_tokens_family ON public.access_tokens USING btree (family_id);
CREATE TRIGGER causeway_access_token_updated AFTER UPDATE ON public.access_tokens FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION causeway_access_token_changed();
CREATE TRIGGER causeway_access_tokens_deleted AFTER DELETE ON public.access_tokens REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION causeway_access_tokens_deleted();

create table accounts (
  id bigint not null generated always as identity,
  realm_id bigint not null,
  sub text not null,
  email text,
  email_canonical text,
  username text,
  username_canonical text,
  password_hash text,
  name text,
  first_name text,
  last_name text,
  slug text,
  avatar_url text,
  avatar_s3_key text,
  communication_email text,
  phone_number text,
  login_phone_number text,
  metadata jsonb,
  verification_status text,
  is_tfa_enabled boolean not null default false,
  disabled_at timestamp with time zone,
  created_at timestamp with time zone not null default causeway_now(),
  updated_at timestamp with time zone not null default causeway_now(),
  external_id text,
  constraint accounts_pkey PRIMARY KEY (id),
  constraint accounts_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE,
  constraint accounts_sub_key UNIQUE (sub),
  constraint accounts_verification_status_check CHECK ((verification_status = ANY (ARRAY['email'::text, 'phone'::text])))
);
CREATE UNIQUE INDEX accounts_email ON public.accounts USING btree (realm_id, email_canonical);
CREATE UNIQUE INDEX accounts_external_id ON public.accounts USING btree (realm_id, external_id) WHERE (external_id IS NOT NULL);
CREATE UNIQUE INDEX accounts_login_phone ON public.accounts USING btree (realm_id, login_phone_number) WHERE (login_phone_number IS NOT NULL);
CREATE UNIQUE INDEX accounts_username ON public.accounts USING btree (realm_id, username_canonical);
CREATE TRIGGER causeway_accounts_deleted AFTER DELETE ON public.accounts REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION causeway_accounts_changed();
CREATE TRIGGER causeway_accounts_updated AFTER UPDATE ON public.accounts REFERENCING OLD TABLE AS was NEW TABLE AS now FOR EACH STATEMENT EXECUTE FUNCTION causeway_accounts_changed();

create table adopted_sessions (
  realm_id bigint not null,
  value_hash bytea not null,
  adopted_at timestamp with time zone not null default causeway_now(),
  constraint adopted_sessions_pkey PRIMARY KEY (realm_id, value_hash),
  constraint adopted_sessions_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);

create table audit_events (
  id bigint not null generated always as identity,
  at timestamp with time zone not null default causeway_now(),
  type text not null,
  realm_id bigint,
  account_id bigint,
  session_id uuid,
  client_id text,
  address inet,
  detail jsonb not null default '{}'::jsonb,
  constraint audit_events_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_events_account ON public.audit_events USING btree (account_id, id);

create table authorization_codes (
  code_hash bytea not null,
  kind text not null,
  session_id uuid not null,
  client_row_id bigint not null,
  redirect_uri text not null,
  callback_uri text,
  flow_hash bytea,
  is_restart boolean not null,
  is_silent boolean not null,
  issued_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  domain_session_id uuid,
  detail jsonb,
  family_id uuid,
  constraint authorization_codes_pkey PRIMARY KEY (code_hash),
  constraint authorization_codes_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint authorization_codes_domain_session_id_fkey FOREIGN KEY (domain_session_id) REFERENCES domain_sessions(id) ON DELETE SET NULL,
  constraint authorization_codes_family_id_fkey FOREIGN KEY (family_id) REFERENCES token_families(id) ON DELETE SET NULL,
  constraint authorization_codes_kind_check CHECK ((kind = ANY (ARRAY['session'::text, 'oidc'::text, 'session-token'::text]))),
  constraint authorization_codes_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
CREATE INDEX authorization_codes_client ON public.authorization_codes USING btree (client_row_id);
CREATE INDEX authorization_codes_domain_session ON public.authorization_codes USING btree (domain_session_id);
CREATE INDEX authorization_codes_expires ON public.authorization_codes USING btree (expires_at);
CREATE INDEX authorization_codes_family ON public.authorization_codes USING btree (family_id);
CREATE INDEX authorization_codes_session ON public.authorization_codes USING btree (session_id);

create table challenges (
  id uuid not null,
  realm_id bigint not null,
  account_id bigint,
  purpose text not null,
  subject text not null,
  recipient text not null,
  code_hash bytea,
  link_hash bytea,
  browser_hash bytea,
  payload jsonb not null default '{}'::jsonb,
  tries smallint not null default 0,
  created_at timestamp with time zone not null default causeway_now(),
  code_expires_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  constraint challenges_pkey PRIMARY KEY (id),
  constraint challenges_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint challenges_link_hash_key UNIQUE (link_hash),
  constraint challenges_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);
CREATE INDEX challenges_account ON public.challenges USING btree (account_id);
CREATE INDEX challenges_browser ON public.challenges USING btree (browser_hash);
CREATE INDEX challenges_expires ON public.challenges USING btree (expires_at);
CREATE UNIQUE INDEX challenges_open ON public.challenges USING btree (realm_id, purpose, subject);

create table clients (
  id bigint not null generated always as identity,
  realm_id bigint not null,
  client_id text not null,
  kind text not null,
  name text not null,
  domain text,
  redirect_uris text[] not null,
  secret_hashes bytea[] not null default '{}'::bytea[],
  proxy_secret_hash bytea,
  protocol jsonb not null default '{}'::jsonb,
  disabled_at timestamp with time zone,
  created_at timestamp with time zone not null default causeway_now(),
  updated_at timestamp with time zone not null default causeway_now(),
  brand jsonb not null default '{}'::jsonb,
  integration_secret jsonb,
  api_key_hash bytea,
  constraint clients_pkey PRIMARY KEY (id),
  constraint clients_check CHECK (((kind = 'first-party'::text) = (domain IS NOT NULL))),
  constraint clients_domain_fkey FOREIGN KEY (domain) REFERENCES domains(host) ON DELETE CASCADE,
  constraint clients_domain_key UNIQUE (domain),
  constraint clients_kind_check CHECK ((kind = ANY (ARRAY['first-party'::text, 'third-party'::text]))),
  constraint clients_proxy_secret_hash_key UNIQUE (proxy_secret_hash),
  constraint clients_realm_id_client_id_key UNIQUE (realm_id, client_id),
  constraint clients_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);
CREATE INDEX clients_dynamic ON public.clients USING btree (realm_id) WHERE ((protocol -> 'is_dynamic'::text) = 'true'::jsonb);

create table consents (
  account_id bigint not null,
  client_row_id bigint not null,
  scopes text[] not null,
  created_at timestamp with time zone not null default causeway_now(),
  updated_at timestamp with time zone not null default causeway_now(),
  constraint consents_pkey PRIMARY KEY (account_id, client_row_id),
  constraint consents_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint consents_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE
);
CREATE INDEX consents_client ON public.consents USING btree (client_row_id);

create table domain_sessions (
  id uuid not null,
  session_id uuid not null,
  host text not null,
  token_hash bytea not null,
  companion_hash bytea not null,
  created_at timestamp with time zone not null default causeway_now(),
  constraint domain_sessions_pkey PRIMARY KEY (id),
  constraint domain_sessions_host_fkey FOREIGN KEY (host) REFERENCES domains(host) ON DELETE CASCADE,
  constraint domain_sessions_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
CREATE INDEX domain_sessions_host ON public.domain_sessions USING btree (host);
CREATE INDEX domain_sessions_session ON public.domain_sessions USING btree (session_id);
CREATE INDEX domain_sessions_token ON public.domain_sessions USING hash (token_hash);
CREATE TRIGGER causeway_domain_session_updated AFTER UPDATE ON public.domain_sessions FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION causeway_domain_session_changed();
CREATE TRIGGER causeway_domain_sessions_deleted AFTER DELETE ON public.domain_sessions REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION causeway_domain_sessions_deleted();

create table domains (
  host text not null,
  realm_id bigint not null,
  origin text not null,
  role text not null,
  created_at timestamp with time zone not null default causeway_now(),
  constraint domains_pkey PRIMARY KEY (host),
  constraint domains_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE,
  constraint domains_role_check CHECK ((role = ANY (ARRAY['auth'::text, 'client'::text])))
);
CREATE UNIQUE INDEX domains_one_auth_domain ON public.domains USING btree (realm_id) WHERE (role = 'auth'::text);
CREATE INDEX domains_realm ON public.domains USING btree (realm_id);

create table imports (
  id bigint not null generated always as identity,
  realm_id bigint not null,
  fingerprint bytea not null,
  file_name text not null,
  records bigint not null default 0,
  inserted bigint not null default 0,
  updated bigint not null default 0,
  skipped bigint not null default 0,
  rejected bigint not null default 0,
  rejects_bytes bigint not null default 0,
  started_at timestamp with time zone not null default causeway_now(),
  finished_at timestamp with time zone,
  constraint imports_pkey PRIMARY KEY (id),
  constraint imports_realm_id_fingerprint_key UNIQUE (realm_id, fingerprint),
  constraint imports_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);

create table initial_access_tokens (
  token_hash bytea not null,
  realm_id bigint not null,
  uses_left integer not null,
  created_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone not null,
  constraint initial_access_tokens_pkey PRIMARY KEY (token_hash),
  constraint initial_access_tokens_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE,
  constraint initial_access_tokens_uses_left_check CHECK ((uses_left >= 0))
);
CREATE INDEX initial_access_tokens_expires ON public.initial_access_tokens USING btree (expires_at);
CREATE INDEX initial_access_tokens_realm ON public.initial_access_tokens USING btree (realm_id);

create table invalidations (
  seq bigint not null generated always as identity,
  xid xid8 not null default pg_current_xact_id(),
  key text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint invalidations_pkey PRIMARY KEY (seq)
);
CREATE INDEX invalidations_xid ON public.invalidations USING btree (xid);

create table lease_incarnations (
  name text not null,
  seen_at timestamp with time zone not null,
  constraint lease_incarnations_pkey PRIMARY KEY (name)
);

create table lease_nodes (
  id uuid not null,
  expires_at timestamp with time zone not null,
  constraint lease_nodes_pkey PRIMARY KEY (id)
);

create table logout_receipts (
  id uuid not null,
  realm_id bigint not null,
  session_id uuid not null,
  account_id bigint not null,
  account_sub text not null,
  client_row_id bigint not null,
  state text not null,
  attempts integer not null default 0,
  last_status integer,
  last_error text,
  created_at timestamp with time zone not null default causeway_now(),
  tried_at timestamp with time zone,
  constraint logout_receipts_pkey PRIMARY KEY (id),
  constraint logout_receipts_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint logout_receipts_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE,
  constraint logout_receipts_session_id_client_row_id_key UNIQUE (session_id, client_row_id),
  constraint logout_receipts_state_check CHECK ((state = ANY (ARRAY['ended'::text, 'untold'::text, 'pending'::text, 'acknowledged'::text, 'retrying'::text, 'refused'::text, 'gave-up'::text])))
);
CREATE INDEX logout_receipts_account ON public.logout_receipts USING btree (account_id);
CREATE INDEX logout_receipts_client ON public.logout_receipts USING btree (client_row_id);
CREATE INDEX logout_receipts_created ON public.logout_receipts USING btree (created_at);
CREATE INDEX logout_receipts_open ON public.logout_receipts USING btree (created_at) WHERE (state = ANY (ARRAY['pending'::text, 'retrying'::text]));
CREATE INDEX logout_receipts_realm ON public.logout_receipts USING btree (realm_id, created_at);

create table outgoing_messages (
  id uuid not null,
  realm_id bigint not null,
  channel text not null,
  template text not null,
  sealed text not null,
  attempts integer not null default 0,
  last_status integer,
  created_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone,
  constraint outgoing_messages_pkey PRIMARY KEY (id),
  constraint outgoing_messages_channel_check CHECK ((channel = ANY (ARRAY['email'::text, 'phone'::text]))),
  constraint outgoing_messages_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);
CREATE INDEX outgoing_messages_realm ON public.outgoing_messages USING btree (realm_id);

create table passkey_ceremonies (
  id_hash bytea not null,
  browser_hash bytea not null,
  host text not null,
  purpose text not null,
  challenge bytea not null,
  account_id bigint,
  session_id uuid,
  expires_at timestamp with time zone not null,
  constraint passkey_ceremonies_pkey PRIMARY KEY (id_hash),
  constraint passkey_ceremonies_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint passkey_ceremonies_challenge_check CHECK ((length(challenge) >= 16)),
  constraint passkey_ceremonies_check CHECK (((purpose = 'sign-in'::text) = (account_id IS NULL))),
  constraint passkey_ceremonies_check1 CHECK (((purpose = ANY (ARRAY['register'::text, 're-authenticate'::text])) = (session_id IS NOT NULL))),
  constraint passkey_ceremonies_host_fkey FOREIGN KEY (host) REFERENCES domains(host) ON DELETE CASCADE,
  constraint passkey_ceremonies_purpose_check CHECK ((purpose = ANY (ARRAY['register'::text, 'sign-in'::text, 'second-factor'::text, 're-authenticate'::text])))
);
CREATE INDEX passkey_ceremonies_account ON public.passkey_ceremonies USING btree (account_id);
CREATE INDEX passkey_ceremonies_expires ON public.passkey_ceremonies USING btree (expires_at);
CREATE INDEX passkey_ceremonies_host ON public.passkey_ceremonies USING btree (host);

create table passkey_users (
  account_id bigint not null,
  user_handle bytea not null,
  constraint passkey_users_pkey PRIMARY KEY (account_id),
  constraint passkey_users_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint passkey_users_user_handle_check CHECK (((length(user_handle) >= 16) AND (length(user_handle) <= 64))),
  constraint passkey_users_user_handle_key UNIQUE (user_handle)
);

create table passkeys (
  id bigint not null generated always as identity,
  account_id bigint not null,
  credential_id bytea not null,
  public_key bytea not null,
  sign_count bigint not null,
  transports text[] not null,
  is_backup_eligible boolean not null,
  is_backed_up boolean not null,
  aaguid uuid not null,
  name text not null,
  created_at timestamp with time zone not null default causeway_now(),
  last_used_at timestamp with time zone,
  constraint passkeys_pkey PRIMARY KEY (id),
  constraint passkeys_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint passkeys_credential_id_check CHECK (((length(credential_id) >= 1) AND (length(credential_id) <= 1023))),
  constraint passkeys_credential_id_key UNIQUE (credential_id),
  constraint passkeys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
);
CREATE INDEX passkeys_account ON public.passkeys USING btree (account_id);

create table product_events (
  client_row_id bigint not null,
  event_hash bytea not null,
  expires_at timestamp with time zone not null,
  constraint product_events_pkey PRIMARY KEY (client_row_id, event_hash),
  constraint product_events_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE
);
CREATE INDEX product_events_expires ON public.product_events USING btree (expires_at);

create table pushed_requests (
  handle_hash bytea not null,
  client_row_id bigint not null,
  parameters jsonb not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  constraint pushed_requests_pkey PRIMARY KEY (handle_hash),
  constraint pushed_requests_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE
);
CREATE INDEX pushed_requests_client ON public.pushed_requests USING btree (client_row_id);
CREATE INDEX pushed_requests_expires ON public.pushed_requests USING btree (expires_at);

create unlogged table rate_limits (
  key character varying(255) not null,
  points integer not null default 0,
  expire bigint,
  constraint rate_limits_pkey PRIMARY KEY (key)
) with (fillfactor=70);
CREATE INDEX rate_limits_expire ON public.rate_limits USING btree (expire);

create table realms (
  id bigint not null generated always as identity,
  slug text not null,
  authentication_url text,
  settings jsonb not null default '{}'::jsonb,
  brand jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default causeway_now(),
  updated_at timestamp with time zone not null default causeway_now(),
  upstreams jsonb not null default '[]'::jsonb,
  foreign_hash text,
  constraint realms_pkey PRIMARY KEY (id),
  constraint realms_slug_key UNIQUE (slug)
);

create table recovery_codes (
  account_id bigint not null,
  code_hash bytea not null,
  created_at timestamp with time zone not null default causeway_now(),
  constraint recovery_codes_pkey PRIMARY KEY (account_id, code_hash),
  constraint recovery_codes_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE
);

create table refresh_tokens (
  token_hash bytea not null,
  family_id uuid not null,
  dpop_jkt text,
  issued_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  successor_hash bytea,
  successor_jwe text,
  constraint refresh_tokens_pkey PRIMARY KEY (token_hash),
  constraint refresh_tokens_family_id_fkey FOREIGN KEY (family_id) REFERENCES token_families(id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_family ON public.refresh_tokens USING btree (family_id);

create table second_factor_challenges (
  token_hash bytea not null,
  account_id bigint not null,
  host text not null,
  need text not null,
  amr text[] not null,
  setup_jwe text,
  proven_amr text[],
  tries smallint not null default 0,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default causeway_now(),
  constraint second_factor_challenges_pkey PRIMARY KEY (token_hash),
  constraint second_factor_challenges_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint second_factor_challenges_check CHECK (((need = 'setup'::text) = (setup_jwe IS NOT NULL))),
  constraint second_factor_challenges_host_fkey FOREIGN KEY (host) REFERENCES domains(host) ON DELETE CASCADE,
  constraint second_factor_challenges_need_check CHECK ((need = ANY (ARRAY['setup'::text, 'validation'::text])))
);
CREATE INDEX second_factor_challenges_account ON public.second_factor_challenges USING btree (account_id);
CREATE INDEX second_factor_challenges_expires ON public.second_factor_challenges USING btree (expires_at);
CREATE INDEX second_factor_challenges_host ON public.second_factor_challenges USING btree (host);

create table session_clients (
  session_id uuid not null,
  client_row_id bigint not null,
  realm_id bigint not null,
  account_sub text not null,
  created_at timestamp with time zone not null default causeway_now(),
  constraint session_clients_pkey PRIMARY KEY (session_id, client_row_id),
  constraint session_clients_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint session_clients_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);
CREATE INDEX session_clients_client ON public.session_clients USING btree (client_row_id);
CREATE INDEX session_clients_realm ON public.session_clients USING btree (realm_id);

create table sessions (
  id uuid not null,
  realm_id bigint not null,
  account_id bigint not null,
  created_at timestamp with time zone not null default causeway_now(),
  authenticated_at timestamp with time zone not null default causeway_now(),
  amr text[] not null,
  last_seen_at timestamp with time zone not null default causeway_now(),
  last_seen_host text not null,
  idle_seconds integer not null,
  idle_expires_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  user_agent text,
  address inet,
  is_held boolean not null default false,
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint sessions_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
) with (fillfactor=80);
CREATE INDEX sessions_account ON public.sessions USING btree (account_id);
CREATE INDEX sessions_expires ON public.sessions USING btree (expires_at);
CREATE INDEX sessions_realm ON public.sessions USING btree (realm_id);
CREATE TRIGGER causeway_session_added AFTER INSERT ON public.sessions FOR EACH ROW EXECUTE FUNCTION causeway_session_added();
CREATE TRIGGER causeway_session_updated AFTER UPDATE ON public.sessions FOR EACH ROW WHEN (((((old.authenticated_at IS DISTINCT FROM new.authenticated_at) OR (old.amr IS DISTINCT FROM new.amr)) OR (old.is_held IS DISTINCT FROM new.is_held)) OR (old.expires_at IS DISTINCT FROM new.expires_at))) EXECUTE FUNCTION causeway_session_changed();
CREATE TRIGGER causeway_sessions_deleted AFTER DELETE ON public.sessions REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION causeway_sessions_deleted();

create table signing_keys (
  kid text not null,
  realm_id bigint not null,
  alg text not null,
  public_jwk jsonb not null,
  private_jwe text not null,
  created_at timestamp with time zone not null default causeway_now(),
  activates_at timestamp with time zone not null,
  superseded_at timestamp with time zone,
  constraint signing_keys_pkey PRIMARY KEY (kid),
  constraint signing_keys_alg_check CHECK ((alg = ANY (ARRAY['RS256'::text, 'ES256'::text, 'EdDSA'::text]))),
  constraint signing_keys_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);
CREATE INDEX signing_keys_realm ON public.signing_keys USING btree (realm_id, alg);

create table token_families (
  id uuid not null,
  realm_id bigint not null,
  client_row_id bigint not null,
  account_id bigint,
  session_id uuid,
  sid uuid,
  scopes text[] not null,
  detail jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone not null,
  constraint token_families_pkey PRIMARY KEY (id),
  constraint token_families_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint token_families_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint token_families_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE,
  constraint token_families_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
CREATE INDEX token_families_account ON public.token_families USING btree (account_id, client_row_id);
CREATE INDEX token_families_client ON public.token_families USING btree (client_row_id);
CREATE INDEX token_families_expires ON public.token_families USING btree (expires_at);
CREATE INDEX token_families_session ON public.token_families USING btree (session_id);
CREATE TRIGGER causeway_token_families_deleted AFTER DELETE ON public.token_families REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION causeway_token_families_deleted();
CREATE TRIGGER causeway_token_family_updated AFTER UPDATE ON public.token_families FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION causeway_token_family_changed();

create table totp_factors (
  account_id bigint not null,
  secret_jwe text not null,
  last_step bigint not null,
  created_at timestamp with time zone not null default causeway_now(),
  last_used_at timestamp with time zone,
  constraint totp_factors_pkey PRIMARY KEY (account_id),
  constraint totp_factors_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE
);

create table upstream_attempts (
  state_hash bytea not null,
  realm_id bigint not null,
  provider text not null,
  browser_hash bytea not null,
  return_handle text not null,
  link_session_id uuid,
  created_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone not null,
  constraint upstream_attempts_pkey PRIMARY KEY (state_hash),
  constraint upstream_attempts_link_session_id_fkey FOREIGN KEY (link_session_id) REFERENCES sessions(id) ON DELETE CASCADE,
  constraint upstream_attempts_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);
CREATE INDEX upstream_attempts_expires ON public.upstream_attempts USING btree (expires_at);
CREATE INDEX upstream_attempts_link_session ON public.upstream_attempts USING btree (link_session_id);
CREATE INDEX upstream_attempts_realm ON public.upstream_attempts USING btree (realm_id);

create table upstream_identities (
  id uuid not null,
  realm_id bigint not null,
  issuer text not null,
  subject text not null,
  account_id bigint not null,
  provider text not null,
  email text,
  created_at timestamp with time zone not null default causeway_now(),
  last_used_at timestamp with time zone not null default causeway_now(),
  constraint upstream_identities_pkey PRIMARY KEY (id),
  constraint upstream_identities_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint upstream_identities_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);
CREATE INDEX upstream_identities_account ON public.upstream_identities USING btree (account_id);
CREATE UNIQUE INDEX upstream_identities_subject ON public.upstream_identities USING btree (realm_id, issuer, subject);

create table used_identifiers (
  id_hash bytea not null,
  expires_at timestamp with time zone not null,
  constraint used_identifiers_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX used_identifiers_expires ON public.used_identifiers USING btree (expires_at);
