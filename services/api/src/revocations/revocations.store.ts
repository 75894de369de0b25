import type { Pool } from 'pg'
import type { TenantChange } from '../freshness/tenant-copy.ts'

/** A line of the change log, as the feed needs it. */
export interface FeedLine extends TenantChange {
  /** Null where a session only changed its role or organisation. */
  revokedBy: string | null
  createdAt: Date
}

export interface FeedPosition {
  tenantId: string
  seq: number
}

export interface RevocationStore {
  /** In order, from above the number; lines that no longer matter are left out. */
  list(tenantId: string, afterSeq: number, limit: number, now: Date): Promise<FeedLine[]>
  /** The number of the newest line. */
  findHead(tenantId: string): Promise<number>
  /** What is new for several tenants, each from its own number, in one question. */
  listNews(positions: FeedPosition[], limitPerTenant: number): Promise<FeedLine[]>
}

export function createRevocationStore(pool: Pool): RevocationStore {
  return {
    async list(tenantId, afterSeq, limit, now) {
      const { rows } = await pool.query<FeedLine>({
        name: 'list_revocations',
        text: `SELECT ${COLUMNS} FROM tenant_changes
               WHERE tenant_id = $1 AND seq > $2 AND forget_after > $4 ORDER BY seq LIMIT $3`,
        values: [tenantId, afterSeq, limit, now],
      })
      return rows
    },
    async findHead(tenantId) {
      const { rows } = await pool.query<{ seq: number }>({
        name: 'find_feed_head',
        text: 'SELECT seq FROM tenant_heads WHERE tenant_id = $1',
        values: [tenantId],
      })
      return rows[0]?.seq ?? 0
    },
    async listNews(positions, limitPerTenant) {
      const { rows } = await pool.query<FeedLine>({
        name: 'list_feed_news',
        text: LIST_NEWS,
        values: [
          positions.map(({ tenantId }) => tenantId),
          positions.map(({ seq }) => seq),
          limitPerTenant,
        ],
      })
      return rows
    },
  }
}

const COLUMNS = `
  tenant_id AS "tenantId", seq, kind, session_id AS "sessionId", user_id AS "userId",
  org_id AS "orgId", app_id AS "appId", except_session_id AS "exceptSessionId", generation,
  revoked_by AS "revokedBy", created_at AS "createdAt", forget_after AS "forgetAfter"`

const LIST_NEWS = `
  SELECT line.* FROM unnest($1::text[], $2::bigint[]) AS known (tenant_id, seq)
  CROSS JOIN LATERAL (
    SELECT ${COLUMNS} FROM tenant_changes
    WHERE tenant_id = known.tenant_id AND seq > known.seq ORDER BY seq LIMIT $3
  ) AS line`
