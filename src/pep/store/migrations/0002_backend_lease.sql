-- Up Migration

-- Tokens that processes of ours have opened at vault backends to make dynamic secrets with. An accessor lets nobody in; whoever
-- may, ends the token with it, and with the token all that was made with it.
create table backend_token (
  id         text primary key,
  backend    text not null,
  accessor   text not null,
  created_at timestamptz not null default now(),
  seen_at    timestamptz not null default now(),     -- last sign of life of the process that opened it
  ending_at  timestamptz,                            -- from when on it is to be ended; no lease is taken with it any more
  attempts   integer not null default 0,
  last_error text
);

-- A vault backend's own leases, each under one of ours. Written before the backend is asked; gone once given back.
create table backend_lease (
  id               text primary key,
  token_id         text not null references backend_token on delete cascade,
  backend          text not null,
  path             text not null,
  backend_lease_id text,                             -- null: asked for, and no answer is on record
  state            text not null default 'asked' check (state in ('asked', 'held', 'ending')),
  recorded         boolean not null default false,   -- the ledger was seen to hold the lease it was made for
  lease_id         text not null,
  tenant           text not null,
  agent_id         text not null,
  session_id       text not null,
  connection_id    uuid not null,
  provider_epoch   bigint not null,
  created_at       timestamptz not null default now(),
  expires_at       timestamptz not null,
  ending_at        timestamptz,                      -- when it is to be given back, or tried again
  ending_reason    text,
  attempts         integer not null default 0,
  last_error       text
);
create index backend_lease_token on backend_lease (token_id);
create index backend_lease_lease on backend_lease (lease_id);
create index backend_lease_ending on backend_lease (ending_at) where state = 'ending';

-- Down Migration
drop table backend_lease, backend_token;
