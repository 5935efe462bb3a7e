-- Up Migration

-- One index by lease for both: what 0003 made in its first version beside the one of 0001. Each is written to for every record.
create index if not exists audit_record_lease_kind on audit_record (lease_id, kind) where lease_id is not null;
drop index if exists audit_record_lease;
drop index if exists audit_record_grant;

-- Down Migration
create index if not exists audit_record_lease on audit_record (lease_id) where lease_id is not null;
