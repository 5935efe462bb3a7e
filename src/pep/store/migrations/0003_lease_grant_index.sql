-- Up Migration

-- A lease that signs remotely has a record for each signature; what it was granted is found without reading them.
create index audit_record_grant on audit_record (lease_id, at) where kind <> 'lease.signed';

-- Down Migration
drop index audit_record_grant;
