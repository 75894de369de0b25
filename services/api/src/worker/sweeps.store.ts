import type { Pool } from 'pg'
import type { PendingBulk } from '../sessions/bulk-revoke.store.ts'
import { COVERS } from '../sessions/sessions.sql.ts'

/**
 * The housekeeping of the whole service, across tenants: the one store whose functions take no
 * tenant. Each does a bounded batch by Postgres's own clock, and takes only rows that nobody else
 * holds, so that any number of workers can run it and none waits.
 */
export interface SweepStore {
  /** Lets the rows of expired sessions follow. Their status was right before. */
  expireSessions(batchSize: number): Promise<number>
  forgetChanges(batchSize: number): Promise<number>
  forgetIdempotencyKeys(batchSize: number): Promise<number>
  /** Bulk revokes whose node may have died before all rows had followed. */
  listPendingBulks(): Promise<PendingBulk[]>
}

export function createSweepStore(pool: Pool): SweepStore {
  const sweep = async (name: string, text: string, batchSize: number): Promise<number> => {
    const { rowCount } = await pool.query({ name, text, values: [batchSize] })
    return rowCount ?? 0
  }
  return {
    expireSessions: batchSize => sweep('expire_sessions', EXPIRE_SESSIONS, batchSize),
    forgetChanges: batchSize => sweep('forget_changes', FORGET_CHANGES, batchSize),
    forgetIdempotencyKeys: batchSize => sweep('forget_idempotency', FORGET_IDEMPOTENCY, batchSize),
    async listPendingBulks() {
      const { rows } = await pool.query<PendingBulk>(LIST_PENDING_BULKS)
      return rows
    },
  }
}

const EXPIRE_SESSIONS = `
  UPDATE sessions AS ended SET state = 'expired'
  FROM (
    SELECT lapsed.tenant_id, lapsed.id FROM tenants
    CROSS JOIN LATERAL (
      SELECT session.tenant_id, session.id FROM sessions AS session
      WHERE session.tenant_id = tenants.tenant_id AND session.state = 'active'
        AND session.ends_at <= now()
        AND NOT EXISTS (SELECT FROM tenant_changes AS bulk WHERE ${COVERS})
      LIMIT $1 FOR UPDATE SKIP LOCKED
    ) AS lapsed
    LIMIT $1
  ) AS batch
  WHERE ended.tenant_id = batch.tenant_id AND ended.id = batch.id`

// Two hours more than any token lives: a node may be behind, and its clock may be wrong.
const FORGET_CHANGES = `
  DELETE FROM tenant_changes AS change USING (
    SELECT old.tenant_id, old.seq FROM tenants
    CROSS JOIN LATERAL (
      SELECT tenant_id, seq FROM tenant_changes
      WHERE tenant_id = tenants.tenant_id AND forget_after < now() - interval '2 hours'
        AND (kind <> 'bulk' OR applied_at IS NOT NULL)
      LIMIT $1 FOR UPDATE SKIP LOCKED
    ) AS old
    LIMIT $1
  ) AS batch
  WHERE change.tenant_id = batch.tenant_id AND change.seq = batch.seq`

// Operators' keys belong to the service's own tenant, which is in no list of tenants.
const FORGET_IDEMPOTENCY = `
  DELETE FROM idempotency_keys AS forgotten USING (
    SELECT old.tenant_id, old.idempotency_key
    FROM (SELECT tenant_id FROM tenants UNION ALL SELECT 'tnt_00000000000000000000000000') AS owner
    CROSS JOIN LATERAL (
      SELECT tenant_id, idempotency_key FROM idempotency_keys
      WHERE tenant_id = owner.tenant_id AND expires_at < now()
      LIMIT $1 FOR UPDATE SKIP LOCKED
    ) AS old
    LIMIT $1
  ) AS batch
  WHERE forgotten.tenant_id = batch.tenant_id
    AND forgotten.idempotency_key = batch.idempotency_key`

const LIST_PENDING_BULKS = `
  SELECT tenant_id AS "tenantId", seq FROM tenant_changes
  WHERE kind = 'bulk' AND applied_at IS NULL AND created_at < now() - interval '2 seconds'
  ORDER BY tenant_id, seq LIMIT 100`
