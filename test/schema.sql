-- The schema that all migrations together give; for reading, never run. Generated from a migrated database by:
--   node test/support/run.ts --script test/repository/schema_dump.ts

CREATE OR REPLACE FUNCTION public.causeway_now()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$ select now() $function$;

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
  constraint accounts_pkey PRIMARY KEY (id),
  constraint accounts_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE,
  constraint accounts_sub_key UNIQUE (sub),
  constraint accounts_verification_status_check CHECK ((verification_status = ANY (ARRAY['email'::text, 'phone'::text])))
);
CREATE UNIQUE INDEX accounts_email ON public.accounts USING btree (realm_id, email_canonical);
CREATE UNIQUE INDEX accounts_username ON public.accounts USING btree (realm_id, username_canonical);

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
  callback_uri text not null,
  flow_hash bytea,
  is_restart boolean not null,
  is_silent boolean not null,
  issued_at timestamp with time zone not null default causeway_now(),
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  domain_session_id uuid,
  constraint authorization_codes_pkey PRIMARY KEY (code_hash),
  constraint authorization_codes_client_row_id_fkey FOREIGN KEY (client_row_id) REFERENCES clients(id) ON DELETE CASCADE,
  constraint authorization_codes_domain_session_id_fkey FOREIGN KEY (domain_session_id) REFERENCES domain_sessions(id) ON DELETE SET NULL,
  constraint authorization_codes_kind_check CHECK ((kind = ANY (ARRAY['session'::text, 'oidc'::text]))),
  constraint authorization_codes_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
CREATE INDEX authorization_codes_client ON public.authorization_codes USING btree (client_row_id);
CREATE INDEX authorization_codes_domain_session ON public.authorization_codes USING btree (domain_session_id);
CREATE INDEX authorization_codes_expires ON public.authorization_codes USING btree (expires_at);
CREATE INDEX authorization_codes_session ON public.authorization_codes USING btree (session_id);

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
  constraint clients_pkey PRIMARY KEY (id),
  constraint clients_check CHECK (((kind = 'first-party'::text) = (domain IS NOT NULL))),
  constraint clients_domain_fkey FOREIGN KEY (domain) REFERENCES domains(host) ON DELETE CASCADE,
  constraint clients_domain_key UNIQUE (domain),
  constraint clients_kind_check CHECK ((kind = ANY (ARRAY['first-party'::text, 'third-party'::text]))),
  constraint clients_proxy_secret_hash_key UNIQUE (proxy_secret_hash),
  constraint clients_realm_id_client_id_key UNIQUE (realm_id, client_id),
  constraint clients_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
);

create table domain_sessions (
  id uuid not null,
  session_id uuid not null,
  host text not null,
  token_hash bytea not null,
  companion_hash bytea not null,
  created_at timestamp with time zone not null default causeway_now(),
  constraint domain_sessions_pkey PRIMARY KEY (id),
  constraint domain_sessions_host_fkey FOREIGN KEY (host) REFERENCES domains(host) ON DELETE CASCADE,
  constraint domain_sessions_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE,
  constraint domain_sessions_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX domain_sessions_host ON public.domain_sessions USING btree (host);
CREATE INDEX domain_sessions_session ON public.domain_sessions USING btree (session_id);

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
  constraint realms_pkey PRIMARY KEY (id),
  constraint realms_slug_key UNIQUE (slug)
);

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
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE,
  constraint sessions_realm_id_fkey FOREIGN KEY (realm_id) REFERENCES realms(id) ON DELETE CASCADE
) with (fillfactor=80);
CREATE INDEX sessions_account ON public.sessions USING btree (account_id);
CREATE INDEX sessions_expires ON public.sessions USING btree (expires_at);
CREATE INDEX sessions_realm ON public.sessions USING btree (realm_id);
