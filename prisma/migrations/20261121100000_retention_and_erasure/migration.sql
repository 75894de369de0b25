-- When the worker had removed everything that belonged to a deleted tenant.
ALTER TABLE "tenants" ADD COLUMN "purged_at" TIMESTAMPTZ(3);

-- When the person was taken out of the row: it stays only to refuse the tokens that still live.
ALTER TABLE "sessions" ADD COLUMN "erased_at" TIMESTAMPTZ(3);

-- An erasure under way: a row as long as there is something to remove, and no longer, for it names
-- the user.
CREATE TABLE "erasures" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "id" TEXT COLLATE "C" NOT NULL CHECK ("id" LIKE 'ers\_%'),
    "user_id" TEXT NOT NULL CHECK (char_length("user_id") BETWEEN 1 AND 128),
    "tombstone" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "generation" BIGINT NOT NULL,
    "revoked" INTEGER NOT NULL,
    "sessions_erased" INTEGER NOT NULL DEFAULT 0,
    "events_erased" INTEGER NOT NULL DEFAULT 0,
    "progressed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "erasures_pkey" PRIMARY KEY ("tenant_id", "id")
);

-- Changed lifetimes on their way through the living sessions of a tenant, in the order of ids.
CREATE TABLE "lifetime_walks" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "began_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "after_id" TEXT COLLATE "C" NOT NULL DEFAULT '',
    "is_over" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "lifetime_walks_pkey" PRIMARY KEY ("tenant_id")
);

-- Deleted tenants with something left: nearly always none.
CREATE INDEX "tenants_unpurged_idx" ON "tenants"("tenant_id")
    WHERE "deleted_at" IS NOT NULL AND "purged_at" IS NULL;

-- Retention goes by tenant and by when a session ended; nothing is written here while it lives.
CREATE INDEX "sessions_tenant_id_revoked_at_idx" ON "sessions"("tenant_id", "revoked_at")
    WHERE "state" = 'revoked';
CREATE INDEX "sessions_tenant_id_ends_at_idx" ON "sessions"("tenant_id", "ends_at")
    WHERE "state" = 'expired';
CREATE INDEX "sessions_erased_idx" ON "sessions"("tenant_id", "token_expires_at")
    WHERE "erased_at" IS NOT NULL;

CREATE INDEX "events_tenant_id_created_at_idx" ON "events"("tenant_id", "created_at");
