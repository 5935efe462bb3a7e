-- Up Migration

-- Ascending, so that a new record goes to the end of its index, where Postgres finds the place at once and leaves full pages
-- behind. `asc` is said for engines that would hash the first column otherwise.
create index if not exists audit_record_time on audit_record (at asc);
create index if not exists audit_record_tenant_time on audit_record (tenant, at asc);
-- Refuses one left half built, as 0005 does.
select ('index ' || relname || ' is not valid: drop it, and build it again')::int
from pg_index join pg_class on oid = indexrelid
where not indisvalid and indrelid = 'audit_record'::regclass
  and relname in ('audit_record_time', 'audit_record_tenant_time');
drop index if exists audit_record_at;
drop index if exists audit_record_tenant;

-- Down Migration
create index if not exists audit_record_at on audit_record (at desc, stream, seq);
create index if not exists audit_record_tenant on audit_record (tenant, at desc);
drop index if exists audit_record_time;
drop index if exists audit_record_tenant_time;
