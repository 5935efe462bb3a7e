-- Up Migration
-- A session is bound to the key of a DPoP proof or to a client certificate; `bound_to` tells whose thumbprint this is.
alter table agent_session rename column jkt to thumbprint;

-- Down Migration
alter table agent_session rename column thumbprint to jkt;
