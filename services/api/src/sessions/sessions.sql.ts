/**
 * A bulk revoke takes effect by one row of the change log; the sessions' rows follow in batches.
 * Until they have, whoever reads a session looks whether such a row covers it: `bulk` is the first
 * that does. There is nearly never one pending, and the partial index then ends the look-up at once.
 *
 * In every statement that uses these, $1 is the tenant and $2 the time.
 */
export const COVERS = `
  bulk.tenant_id = session.tenant_id AND bulk.kind = 'bulk' AND bulk.applied_at IS NULL
  AND bulk.generation > session.generation
  AND bulk.created_at < session.ends_at
  AND (bulk.user_id IS NULL OR bulk.user_id = session.user_id)
  AND (bulk.org_id IS NULL OR bulk.org_id = session.org_id)
  AND (bulk.app_id IS NULL OR bulk.app_id = session.app_id)
  AND (bulk.except_session_id IS NULL OR bulk.except_session_id <> session.id)`

/** Asked once a statement, not once a row. */
export const ANY_PENDING = `(SELECT EXISTS (
  SELECT FROM tenant_changes AS pending
  WHERE pending.tenant_id = $1 AND pending.kind = 'bulk' AND pending.applied_at IS NULL))`

export const COVERED_BY_PENDING = `EXISTS (
  SELECT FROM tenant_changes AS bulk WHERE ${ANY_PENDING} AND ${COVERS})`

/** To follow a source of rows named `session`. */
export const WITH_PENDING_BULK = `
  LEFT JOIN LATERAL (
    SELECT bulk.created_at, bulk.revoked_by, bulk.reason FROM tenant_changes AS bulk
    WHERE ${ANY_PENDING} AND session.state = 'active' AND ${COVERS} ORDER BY bulk.seq LIMIT 1
  ) AS bulk ON true`

/** The same for rows of which it is known already that none covers them. */
export const NO_PENDING_BULK = `
  CROSS JOIN (
    SELECT NULL::timestamptz AS created_at, NULL::text AS revoked_by, NULL::text AS reason
  ) AS bulk`

/**
 * Holds for every session, and lets a statement about active ones be served by their index on the end
 * and the generation. The index asks for it so that no other statement is (see its migration).
 */
export const BY_END = "session.ends_at > '-infinity'"

/**
 * Whether `session` is active and ends after a time, said so that no index can be searched by it.
 * For statements that name a session by its id: while Postgres has no statistics of a tenant, it takes
 * "all that are active" for as few as "the one of this id", and reads thousands to find one.
 */
export const isAliveAfter = (time: string): string =>
  `CASE WHEN session.state = 'active' THEN session.ends_at END > ${time}`

/** The same of the state alone. */
export const IS_ACTIVE = "CASE session.state WHEN 'active' THEN true ELSE false END"

export const SESSION_COLUMNS = `
  session.tenant_id AS "tenantId", session.id, session.user_id AS "userId",
  session.org_id AS "orgId", session.app_id AS "appId", session.role,
  CASE
    WHEN session.state = 'revoked' OR bulk.created_at IS NOT NULL THEN 'revoked'
    WHEN session.state = 'expired' OR session.ends_at <= $2 THEN 'expired'
    ELSE 'active'
  END AS status,
  session.amr, session.auth_time AS "authTime", session.user_agent AS "userAgent",
  session.ip_address AS "ipAddress", session.country, session.location,
  session.device_id AS "deviceId", session.device_name AS "deviceName",
  session.device_type AS "deviceType", session.os, session.browser, session.metadata,
  session.created_at AS "createdAt", session.last_active_at AS "lastActiveAt",
  session.expires_at AS "expiresAt",
  coalesce(session.revoked_at, bulk.created_at) AS "revokedAt",
  coalesce(session.revoked_by, bulk.revoked_by) AS "revokedBy",
  CASE WHEN session.state = 'revoked' THEN session.revoke_reason ELSE bulk.reason END
    AS "revokeReason"`
