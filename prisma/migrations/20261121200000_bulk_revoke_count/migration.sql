-- A bulk revoke counts the active sessions of a generation before its own, by when they end. With the
-- generation in the index no row is read: a million are counted in a fifth of a second, where reading
-- them took seconds.
-- The second condition holds for every session. It is there so that only a statement that says it can
-- be served by this index: while there are no statistics of a tenant, Postgres took it for statements
-- that name a user or an id, and read all that are active to find one.
CREATE INDEX "sessions_tenant_id_state_ends_at_generation_idx"
    ON "sessions"("tenant_id", "state", "ends_at", "generation")
    WHERE "state" = 'active' AND "ends_at" > '-infinity';
DROP INDEX "sessions_tenant_id_state_ends_at_idx";
