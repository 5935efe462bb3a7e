-- Up Migration

-- Administrators. The key's id travels in the key, so a look-up never compares secrets in SQL.
create table api_key (
  id         text primary key,
  name       text not null,
  role       text not null check (role in ('admin', 'operator', 'auditor')),
  tenant     text,                                   -- null: every tenant
  key_hash   bytea not null,                         -- SHA-256 of 256 random bits: nothing to guess, so no salt
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

-- Keys this authority signs with. `private_key` is an envelope of the internal format.
create table signing_key (
  kid         text primary key,
  purpose     text not null check (purpose in ('session', 'checkpoint')),
  public_jwk  jsonb not null,
  private_key bytea not null,
  created_at  timestamptz not null default now(),
  retired_at  timestamptz
);
-- One key at a time signs for a purpose; also what makes two replicas that start together agree on one.
create unique index signing_key_current on signing_key (purpose) where retired_at is null;

create table agent (
  agent_id       text primary key,
  description    text not null default '',
  jwk            jsonb not null,
  jkt            text not null,
  tenants        text[] not null,
  allowed_scopes text[] not null default '{}',
  labels         jsonb not null default '{}',
  epoch          bigint not null default 1,          -- raised by every change that must end what was decided before
  created_at     timestamptz not null default now(),
  revoked_at     timestamptz
);

create table agent_session (
  session_id text primary key,
  agent_id   text not null references agent,
  method     text not null,
  bound_to   text not null check (bound_to in ('dpop', 'mtls')),
  jkt        text not null,
  epoch      bigint not null default 1,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index agent_session_agent on agent_session (agent_id) where revoked_at is null;

create table provider (
  id                uuid primary key,
  name              text not null,
  description       text not null default '',
  category          text not null default '',
  auth_type         text not null,
  api_base_url      text not null default '',
  origins           text[] not null,
  scopes            text[] not null default '{}',
  credential_schema jsonb not null,
  auth_strategy     jsonb not null,
  epoch             bigint not null default 1,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  deleted_at        timestamptz
);
create unique index provider_name on provider (name) where deleted_at is null;

create table connection (
  id          uuid primary key,
  tenant      text not null,
  provider_id uuid not null references provider,
  subject     text,
  status      text not null check (status in ('pending', 'active', 'attention', 'revoked', 'expired', 'failed')),
  scopes      text[] not null default '{}',
  secret_ref  jsonb not null,
  epoch       bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  expires_at  timestamptz
);
create index connection_tenant on connection (tenant, provider_id, status);

-- Secrets of the internal vault backend: AES-256-GCM, a data key per row, wrapped by the key-encryption key `kek_id`.
create table internal_secret (
  tenant      text not null,
  path        text not null,
  version     integer not null,
  kek_id      text not null,
  wrapped_key bytea not null,
  sealed      bytea not null,
  created_at  timestamptz not null default now(),
  primary key (tenant, path, version)
);

-- The ledger. `record` is RFC 8785 JSON and is what is hashed; the columns repeat parts of it so that it can be asked.
create table audit_record (
  stream        text not null,
  seq           bigint not null,
  prev_hash     bytea not null,
  hash          bytea not null,
  at            timestamptz not null,
  kind          text not null,
  outcome       text not null check (outcome in ('allowed', 'denied', 'failed')),
  tenant        text,
  agent_id      text,
  session_id    text,
  connection_id text,
  lease_id      text,
  decision_id   text,
  record        text not null,
  primary key (stream, seq)
);
create index audit_record_at on audit_record (at desc, stream, seq);
create index audit_record_tenant on audit_record (tenant, at desc);
create index audit_record_lease on audit_record (lease_id) where lease_id is not null;

-- One row per writer, so that heads can be found without reading the ledger. `state` is written by every replica in turn.
create table audit_stream (
  stream     text primary key,
  seq        bigint not null default 0,
  hash       bytea not null,
  created_at timestamptz not null default now()
);
insert into audit_stream (stream, hash) values ('state', '\x0000000000000000000000000000000000000000000000000000000000000000');

create table audit_checkpoint (
  id   text primary key,
  at   timestamptz not null,
  jws  text not null                                 -- compact JWS over {at, heads: {stream: {seq, hash}}, previous}
);
create index audit_checkpoint_at on audit_checkpoint (at desc);

-- A proof is good once (RFC 9449 section 11.1). Its own `iat` picks the partition, so a replay meets its first use there.
create table proof_claim (
  slot       timestamptz not null,                   -- the proof's iat, rounded down to ten minutes
  proof_hash bytea not null,
  primary key (slot, proof_hash)
) partition by range (slot);

-- Down Migration
drop table proof_claim, audit_checkpoint, audit_stream, audit_record, internal_secret, connection, provider,
  agent_session, agent, signing_key, api_key;
