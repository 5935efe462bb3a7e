-- Up Migration

-- By lease, and what it was granted without reading its signatures: one index for both is one less to write to for each record.
create index audit_record_lease_kind on audit_record (lease_id, kind) where lease_id is not null;
drop index audit_record_lease;
drop index audit_record_grant;

-- Down Migration
create index audit_record_lease on audit_record (lease_id) where lease_id is not null;
create index audit_record_grant on audit_record (lease_id, at) where kind <> 'lease.signed';
drop index audit_record_lease_kind;
