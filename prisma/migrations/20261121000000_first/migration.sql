-- Ids are compared as bytes (COLLATE "C"): they sort by creation time whatever the database's locale.

CREATE TABLE "tenants" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "name" TEXT NOT NULL CHECK (char_length("name") BETWEEN 1 AND 128),
    "status" TEXT NOT NULL DEFAULT 'active' CHECK ("status" IN ('active', 'suspended')),
    "settings" JSONB NOT NULL DEFAULT '{}' CHECK (octet_length("settings"::text) <= 65536),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("tenant_id")
);

-- A page of 10 % leaves room for new row versions beside the old ones, so that no index is touched.
CREATE TABLE "tenant_heads" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "seq" BIGINT NOT NULL DEFAULT 0,
    "generation" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "tenant_heads_pkey" PRIMARY KEY ("tenant_id")
) WITH (fillfactor = 10);

CREATE TABLE "tenant_changes" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "seq" BIGINT NOT NULL,
    "kind" TEXT NOT NULL CHECK ("kind" IN ('session', 'bulk', 'api_keys', 'signing_keys', 'tenant')),
    "session_id" TEXT COLLATE "C",
    "user_id" TEXT,
    "org_id" TEXT,
    "app_id" TEXT,
    "except_session_id" TEXT COLLATE "C",
    "generation" BIGINT,
    "revoked_by" TEXT,
    "reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "forget_after" TIMESTAMPTZ(3) NOT NULL,
    "applied_at" TIMESTAMPTZ(3),

    CONSTRAINT "tenant_changes_pkey" PRIMARY KEY ("tenant_id", "seq"),
    CONSTRAINT "tenant_changes_subject_check" CHECK (
        ("kind" = 'session') = ("session_id" IS NOT NULL) AND ("kind" = 'bulk') = ("generation" IS NOT NULL)
    )
);

CREATE TABLE "api_keys" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "id" TEXT COLLATE "C" NOT NULL CHECK ("id" LIKE 'key\_%'),
    "name" TEXT NOT NULL CHECK (char_length("name") BETWEEN 1 AND 128),
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("tenant_id", "id")
);

CREATE TABLE "api_key_secrets" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "secret_hash" BYTEA NOT NULL CHECK (octet_length("secret_hash") = 32),
    "api_key_id" TEXT COLLATE "C" NOT NULL,
    "prefix" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_secrets_pkey" PRIMARY KEY ("tenant_id", "secret_hash")
);

CREATE TABLE "signing_keys" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "kid" TEXT COLLATE "C" NOT NULL CHECK (char_length("kid") = 43),
    "public_key" TEXT NOT NULL CHECK (char_length("public_key") = 43),
    "private_key_sealed" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "usable_from" TIMESTAMPTZ(3) NOT NULL,
    "signs_from" TIMESTAMPTZ(3),
    "published_until" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "revoke_reason" TEXT,

    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("tenant_id", "kid")
);

CREATE TABLE "sessions" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "id" TEXT COLLATE "C" NOT NULL CHECK ("id" LIKE 'ses\_%'),
    "user_id" TEXT NOT NULL CHECK (char_length("user_id") BETWEEN 1 AND 128),
    "org_id" TEXT CHECK (char_length("org_id") BETWEEN 1 AND 128),
    "app_id" TEXT CHECK (char_length("app_id") BETWEEN 1 AND 128),
    "role" TEXT CHECK (char_length("role") BETWEEN 1 AND 128),
    "state" TEXT NOT NULL DEFAULT 'active' CHECK ("state" IN ('active', 'revoked', 'expired')),
    "amr" TEXT[],
    "auth_time" TIMESTAMPTZ(3) NOT NULL,
    "user_agent" TEXT CHECK (char_length("user_agent") <= 8192),
    "ip_address" INET,
    "country" TEXT,
    "location" TEXT,
    "device_id" TEXT CHECK (char_length("device_id") BETWEEN 1 AND 128),
    "device_name" TEXT,
    "device_type" TEXT NOT NULL CHECK ("device_type" IN ('desktop', 'mobile', 'tablet', 'bot', 'other')),
    "os" TEXT,
    "browser" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}' CHECK (octet_length("metadata"::text) <= 8192),
    "generation" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_active_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "is_expiry_given" BOOLEAN NOT NULL DEFAULT false,
    "ends_at" TIMESTAMPTZ(3) NOT NULL,
    "token_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "revoked_by" TEXT,
    "revoke_reason" TEXT,
    "refresh_generation" INTEGER NOT NULL DEFAULT 0,
    "refresh_family_hash" BYTEA NOT NULL CHECK (octet_length("refresh_family_hash") = 32),
    "refreshed_at" TIMESTAMPTZ(3),

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("tenant_id", "id"),
    CONSTRAINT "sessions_revoked_check" CHECK (("state" = 'revoked') = ("revoked_at" IS NOT NULL))
);

CREATE TABLE "events" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "id" TEXT COLLATE "C" NOT NULL CHECK ("id" LIKE 'evt\_%'),
    "type" TEXT NOT NULL,
    "session_id" TEXT COLLATE "C",
    "user_id" TEXT,
    "actor" TEXT NOT NULL,
    "data" JSONB NOT NULL DEFAULT '{}' CHECK (octet_length("data"::text) <= 16384),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "events_pkey" PRIMARY KEY ("tenant_id", "id")
);

CREATE TABLE "idempotency_keys" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "idempotency_key" TEXT COLLATE "C" NOT NULL CHECK (char_length("idempotency_key") BETWEEN 1 AND 255),
    "fingerprint" BYTEA NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'running' CHECK ("state" IN ('running', 'done')),
    "owner" TEXT NOT NULL,
    "locked_until" TIMESTAMPTZ(3) NOT NULL,
    "status_code" INTEGER,
    "content_type" TEXT,
    "response" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("tenant_id", "idempotency_key")
);

CREATE TABLE "service_settings" (
    "tenant_id" TEXT COLLATE "C" NOT NULL CHECK ("tenant_id" LIKE 'tnt\_%'),
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "service_settings_pkey" PRIMARY KEY ("tenant_id", "name")
);

-- Forgetting goes by tenant and age.
CREATE INDEX "tenant_changes_tenant_id_forget_after_idx" ON "tenant_changes"("tenant_id", "forget_after");

-- Bulk revokes whose rows have not followed yet: nearly always none, so reading past it is free.
CREATE INDEX "tenant_changes_pending_idx" ON "tenant_changes"("tenant_id", "generation")
    WHERE "kind" = 'bulk' AND "applied_at" IS NULL;

CREATE INDEX "api_key_secrets_tenant_id_api_key_id_idx" ON "api_key_secrets"("tenant_id", "api_key_id");

-- One index for each list filter: equality on the filter and the state, then the order of the list.
CREATE INDEX "sessions_tenant_id_state_id_idx" ON "sessions"("tenant_id", "state", "id");
CREATE INDEX "sessions_tenant_id_user_id_state_id_idx" ON "sessions"("tenant_id", "user_id", "state", "id");
CREATE INDEX "sessions_tenant_id_org_id_state_id_idx" ON "sessions"("tenant_id", "org_id", "state", "id")
    WHERE "org_id" IS NOT NULL;
CREATE INDEX "sessions_tenant_id_app_id_state_id_idx" ON "sessions"("tenant_id", "app_id", "state", "id")
    WHERE "app_id" IS NOT NULL;
CREATE INDEX "sessions_tenant_id_device_id_state_id_idx" ON "sessions"("tenant_id", "device_id", "state", "id")
    WHERE "device_id" IS NOT NULL;

-- What has expired but whose row has not followed: for status=expired and for the sweep.
CREATE INDEX "sessions_tenant_id_state_ends_at_idx" ON "sessions"("tenant_id", "state", "ends_at")
    WHERE "state" = 'active';

CREATE INDEX "events_tenant_id_session_id_id_idx" ON "events"("tenant_id", "session_id", "id")
    WHERE "session_id" IS NOT NULL;
CREATE INDEX "events_tenant_id_user_id_id_idx" ON "events"("tenant_id", "user_id", "id")
    WHERE "user_id" IS NOT NULL;
CREATE INDEX "events_tenant_id_type_id_idx" ON "events"("tenant_id", "type", "id");

CREATE INDEX "idempotency_keys_tenant_id_expires_at_idx" ON "idempotency_keys"("tenant_id", "expires_at");

ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("tenant_id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "api_key_secrets" ADD CONSTRAINT "api_key_secrets_tenant_id_api_key_id_fkey"
    FOREIGN KEY ("tenant_id", "api_key_id") REFERENCES "api_keys"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("tenant_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- The generation a new session is born in. The shared lock makes a bulk revoke wait until every
-- session of the generation that it ends is committed, and so visible to its count. VOLATILE: the
-- read after the lock takes a new snapshot, which a plain expression in the INSERT would not.
CREATE FUNCTION sesame_birth_generation(tenant TEXT) RETURNS BIGINT LANGUAGE plpgsql VOLATILE AS $$
DECLARE born_in BIGINT;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(tenant, 1));
    SELECT generation INTO born_in FROM tenant_heads WHERE tenant_id = tenant;
    RETURN born_in;
END $$;

-- Begins a new generation, after every session of the older ones is committed. Must be a transaction
-- of its own: it holds new sessions up for as long as that lasts.
CREATE FUNCTION sesame_next_generation(tenant TEXT) RETURNS BIGINT LANGUAGE plpgsql VOLATILE AS $$
DECLARE next_generation BIGINT;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(tenant, 1));
    UPDATE tenant_heads SET generation = generation + 1 WHERE tenant_id = tenant
        RETURNING generation INTO next_generation;
    RETURN next_generation;
END $$;

-- The next number of a tenant's change log. The row stays locked until the caller commits, so the
-- order of the numbers is the order of the commits: whoever sees change n has seen all before it.
CREATE FUNCTION sesame_next_seq(tenant TEXT) RETURNS BIGINT LANGUAGE sql VOLATILE AS $$
    UPDATE tenant_heads SET seq = seq + 1 WHERE tenant_id = tenant RETURNING seq
$$;
