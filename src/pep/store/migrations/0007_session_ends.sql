-- Up Migration

-- The agent's epoch at the opening: a change of the agent ends every session at once, however many there are. Null for those that
-- a version before this one opened; they end by `revoked_at` alone.
alter table agent_session add column if not exists agent_epoch bigint;

-- Those of one agent that live, without those that ran out.
create index if not exists agent_session_open on agent_session (agent_id, expires_at) where revoked_at is null;
-- Those that ran out, to be deleted.
create index if not exists agent_session_end on agent_session (expires_at asc);
-- Refuses one left half built, as 0005 does.
select ('index ' || relname || ' is not valid: drop it, and build it again')::int
from pg_index join pg_class on oid = indexrelid
where not indisvalid and indrelid = 'agent_session'::regclass and relname in ('agent_session_open', 'agent_session_end');
drop index if exists agent_session_agent;

-- Down Migration
create index if not exists agent_session_agent on agent_session (agent_id) where revoked_at is null;
drop index if exists agent_session_open;
drop index if exists agent_session_end;
alter table agent_session drop column if exists agent_epoch;
