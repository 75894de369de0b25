import type { Pool } from 'pg'
import type { PendingBulk } from '../sessions/bulk-revoke.store.ts'
import { runSmallBatch } from '../sessions/small-batch.store.ts'
import { PURGES, STRAGGLERS_ARE_IN, type Sweep } from './sweeps.ts'

/**
 * The housekeeping of the whole service. It goes by Postgres's own clock. A batch is of one tenant,
 * short, and takes only rows that nobody else holds: any number of workers can run it, none waits,
 * and each row is done once.
 */
export interface SweepStore {
  /** Some tenants that have rows which are due: across tenants, for whoever sweeps serves them all. */
  listDue(sweep: Sweep): Promise<string[]>
  /** @returns how many rows were done. */
  runBatch(tenantId: string, sweep: Sweep, batchSize: number): Promise<number>
  /** Deleted tenants of which nothing is left but the head of their change log and their own row. */
  finishPurges(): Promise<void>
  /** Bulk revokes whose node may have died before all rows had followed. */
  listPendingBulks(): Promise<PendingBulk[]>
}

export function createSweepStore(pool: Pool): SweepStore {
  return {
    async listDue(sweep) {
      const { rows } = await runSmallBatch<{ id: string }>(pool, {
        name: `due_${sweep.name}`,
        text: listDueText(sweep),
      })
      return rows.map(({ id }) => id)
    },
    async runBatch(tenantId, sweep, batchSize) {
      const { rowCount } = await runSmallBatch(pool, {
        name: sweep.name,
        text: batchText(sweep),
        values: [tenantId, batchSize],
      })
      return rowCount ?? 0
    },
    async finishPurges() {
      await pool.query({ name: 'finish_purges', text: FINISH_PURGES })
    },
    async listPendingBulks() {
      const { rows } = await pool.query<PendingBulk>(LIST_PENDING_BULKS)
      return rows
    },
  }
}

const MAX_TENANTS = 1_000

const rowName = ({ table }: Sweep): string => (table === 'sessions' ? 'session' : 'item')

/** One look into an index for each tenant, never a join of all rows with all tenants. */
export const listDueText = (sweep: Sweep): string => `
  SELECT tenant.tenant_id AS id FROM ${sweep.tenants} AS tenant
  CROSS JOIN LATERAL (
    SELECT FROM ${sweep.table} AS ${rowName(sweep)}
    WHERE ${rowName(sweep)}.tenant_id = tenant.tenant_id AND ${sweep.isDue} LIMIT 1
  ) AS due
  LIMIT ${MAX_TENANTS}`

/**
 * The keys come as an array, not as a join: so the rows are always found by their primary key, also
 * where the planner knows nothing of the table or thinks that the batch is large.
 */
export const batchText = (sweep: Sweep): string => `
  ${sweep.action} WHERE tenant_id = $1 AND ${sweep.key} = ANY (ARRAY(
    SELECT ${rowName(sweep)}.${sweep.key}
    FROM ${sweep.tenants} AS tenant
    JOIN ${sweep.table} AS ${rowName(sweep)} ON ${rowName(sweep)}.tenant_id = tenant.tenant_id
    WHERE tenant.tenant_id = $1 AND ${sweep.isDue}
    LIMIT $2 FOR UPDATE OF ${rowName(sweep)} SKIP LOCKED))`

const IS_EMPTY = PURGES.map(
  ({ table }) => `NOT EXISTS (SELECT FROM ${table} WHERE tenant_id = tenant.tenant_id)`,
).join(' AND ')

// The bare row stays for good: so the id is known to be gone, and can never be given again.
const FINISH_PURGES = `
  WITH purged AS (
    UPDATE tenants AS tenant SET name = 'deleted', settings = '{}', purged_at = now()
    WHERE deleted_at IS NOT NULL AND purged_at IS NULL AND ${STRAGGLERS_ARE_IN} AND ${IS_EMPTY}
    RETURNING tenant_id
  )
  DELETE FROM tenant_heads WHERE tenant_id IN (SELECT tenant_id FROM purged)`

const LIST_PENDING_BULKS = `
  SELECT tenant_id AS "tenantId", seq FROM tenant_changes
  WHERE kind = 'bulk' AND applied_at IS NULL AND created_at < now() - interval '2 seconds'
  ORDER BY tenant_id, seq LIMIT 100`
