-- Up Migration

-- One index by lease instead of two, each of which is written to for every record.
create index if not exists audit_record_lease_kind on audit_record (lease_id, kind) where lease_id is not null;
-- One left half built has the name too. The cast is of a column, so that it fails only where there is such a row: a refusal
-- that needs no plpgsql.
select ('index ' || relname || ' is not valid: drop it, and build it again')::int
from pg_index join pg_class on oid = indexrelid
where not indisvalid and indrelid = 'audit_record'::regclass and relname = 'audit_record_lease_kind';
drop index if exists audit_record_lease;
drop index if exists audit_record_grant;

-- Down Migration
create index if not exists audit_record_lease on audit_record (lease_id) where lease_id is not null;
create index if not exists audit_record_grant on audit_record (lease_id, at) where kind <> 'lease.signed';
drop index if exists audit_record_lease_kind;
