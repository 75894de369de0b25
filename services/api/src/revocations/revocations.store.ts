import type { Pool } from 'pg'
import { type LogPage, type LogRange, readLogPage } from '../freshness/log-pages.ts'
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

/** Where a tenant's log stands elsewhere than was asked from. */
export interface FeedNews {
  tenantId: string
  /** The number of the newest line; null where the tenant is gone. */
  head: number | null
  /** In order. */
  lines: FeedLine[]
}

export interface RevocationStore {
  /** In order; lines that no longer matter are left out. */
  list(tenantId: string, range: LogRange, limit: number, now: Date): Promise<FeedLine[]>
  /** In no order, whatever number they have: quick however much was forgotten before them. */
  listLiving(tenantId: string, limit: number, now: Date): Promise<FeedLine[]>
  /** What a page of the log has besides revoked sessions: changed ones, bulk revokes, signing keys. */
  listOthers(tenantId: string, range: LogRange, now: Date): Promise<FeedLine[]>
  /** Single sessions that were revoked, many at a time. */
  readLogPage(tenantId: string, range: LogRange, now: Date, limit: number): Promise<LogPage>
  /** What is new for several tenants, each from its own number, in one question. */
  listNews(positions: FeedPosition[], limitPerTenant: number): Promise<FeedNews[]>
  /** The same for one; null where nothing is new. */
  findNews(tenantId: string, afterSeq: number, limit: number): Promise<FeedNews | null>
}

export function createRevocationStore(pool: Pool): RevocationStore {
  const listNews: RevocationStore['listNews'] = async (positions, limitPerTenant) => {
    const { rows } = await pool.query<NewsRow>({
      name: 'list_feed_news',
      text: LIST_NEWS,
      values: [
        positions.map(({ tenantId }) => tenantId).join(','),
        positions.map(({ seq }) => seq).join(','),
        limitPerTenant,
      ],
    })
    if (rows.length === 0) return []
    return [...Map.groupBy(rows, row => row.tenantId)].map(([tenantId, ofTenant]) => ({
      tenantId,
      head: ofTenant[0]?.head ?? null,
      lines: ofTenant.filter(isLine),
    }))
  }
  return {
    async list(tenantId, { afterSeq, upToSeq }, limit, now) {
      const { rows } = await pool.query<FeedLine>({
        name: 'list_revocations',
        text: `SELECT tenant_id AS "tenantId", ${COLUMNS} FROM tenant_changes
               WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 AND forget_after > $4
               ORDER BY seq LIMIT $5`,
        values: [tenantId, afterSeq, upToSeq, now, limit],
      })
      return rows
    },
    async listLiving(tenantId, limit, now) {
      const { rows } = await pool.query<FeedLine>({
        name: 'list_living_revocations',
        text: `SELECT tenant_id AS "tenantId", ${COLUMNS} FROM tenant_changes
               WHERE tenant_id = $1 AND forget_after > $2 ORDER BY forget_after LIMIT $3`,
        values: [tenantId, now, limit],
      })
      return rows
    },
    async listOthers(tenantId, { afterSeq, upToSeq }, now) {
      const { rows } = await pool.query<FeedLine>({
        name: 'list_other_changes',
        text: `SELECT tenant_id AS "tenantId", ${COLUMNS} FROM tenant_changes
               WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 AND forget_after > $4
                 AND (kind IN ('bulk', 'signing_keys') OR kind = 'session' AND revoked_by IS NULL)
               ORDER BY seq`,
        values: [tenantId, afterSeq, upToSeq, now],
      })
      return rows
    },
    readLogPage: (tenantId, range, since, limit) =>
      readLogPage(pool, { tenantId, ...range, since, limit, isRevokedOnly: true }),
    async findNews(tenantId, seq, limit) {
      const [news = null] = await listNews([{ tenantId, seq }], limit)
      return news
    },
    listNews,
  }
}

type NewsRow = (FeedLine | { tenantId: string; kind: null }) & { head: number | null }

const isLine = (row: NewsRow): row is FeedLine & { head: number | null } => row.kind !== null

const COLUMNS = `
  seq, kind, session_id AS "sessionId", user_id AS "userId", org_id AS "orgId", app_id AS "appId",
  except_session_id AS "exceptSessionId", generation, revoked_by AS "revokedBy",
  created_at AS "createdAt", forget_after AS "forgetAfter"`

// The heads decide: as long as nothing is new, one row a tenant is read and none is answered. The
// lists come as texts: pg takes twice the time to write an array of a thousand.
const LIST_NEWS = `
  SELECT known.tenant_id AS "tenantId", head.seq AS head, line.*
  FROM unnest(string_to_array($1, ','), string_to_array($2, ',')::bigint[])
    AS known (tenant_id, seq)
  LEFT JOIN tenant_heads AS head ON head.tenant_id = known.tenant_id
  LEFT JOIN LATERAL (
    SELECT ${COLUMNS} FROM tenant_changes
    WHERE tenant_id = known.tenant_id AND seq > known.seq ORDER BY seq LIMIT $3
  ) AS line ON true
  WHERE head.seq IS DISTINCT FROM known.seq`
