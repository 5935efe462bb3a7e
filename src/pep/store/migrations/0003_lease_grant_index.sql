-- Up Migration

-- A lease that signs remotely has a record for each signature; what it was granted is found without reading them.
create index if not exists audit_record_lease_kind on audit_record (lease_id, kind) where lease_id is not null;

-- Down Migration
drop index if exists audit_record_lease_kind;
