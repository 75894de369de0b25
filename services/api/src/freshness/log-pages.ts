import type { Pool } from 'pg'

/**
 * The change log in the order of its numbers, many lines at a time, for nodes that load a tenant and
 * for verifiers that come anew. Of single sessions only those are told that a living token may name.
 */
export interface LogRange {
  /** Lines above this number … */
  afterSeq: number
  /** … and up to this one, so that what commits meanwhile is left to whoever follows the log. */
  upToSeq: number
}

export interface LogPage {
  groups: SessionGroup[]
  /** Whether there are lines that are in no group, to be asked for by themselves. */
  hasOthers: boolean
  /** The number of the last line that was looked at; null where there is no further page. */
  next: number | null
  upToSeq: number
}

export interface SessionGroup {
  /** Of the last of them, rounded up to the minute. */
  forgetAfter: Date
  sessionIds: string[]
}

interface LogPageQuery extends LogRange {
  tenantId: string
  since: Date
  /** Lines to look at, living or not: so a page takes the same time whatever was forgotten. */
  limit: number
  /** Without those that only changed their role or organisation. */
  isRevokedOnly: boolean
}

interface GroupRow {
  /** Null in the last row, which tells of the page itself. */
  forgetAfter: Date | null
  sessionIds: string
  lines: number
  others: number
  lastSeq: number
}

// Ids leave Postgres as one text a group: a row of its own for each costs ten times as much here.
export async function readLogPage(pool: Pool, query: LogPageQuery): Promise<LogPage> {
  const { tenantId, afterSeq, upToSeq, since, limit, isRevokedOnly } = query
  const { rows } = await pool.query<GroupRow>({
    name: isRevokedOnly ? 'read_revoked_page' : 'read_log_page',
    text: isRevokedOnly ? READ_REVOKED : READ_SESSIONS,
    values: [tenantId, afterSeq, upToSeq, since, limit],
  })
  const summary = rows.find(({ forgetAfter }) => forgetAfter === null)
  const isFull = summary !== undefined && summary.lines === limit
  return {
    groups: rows.flatMap(({ forgetAfter, sessionIds }) =>
      forgetAfter === null ? [] : [{ forgetAfter, sessionIds: sessionIds.split(' ') }],
    ),
    hasOthers: summary !== undefined && summary.others > 0,
    next: isFull ? summary.lastSeq : null,
    upToSeq: isFull ? summary.lastSeq : upToSeq,
  }
}

const readPage = (isGrouped: string): string => `
  WITH page AS MATERIALIZED (
    SELECT seq, kind, session_id, revoked_by, forget_after FROM tenant_changes
    WHERE tenant_id = $1 AND seq > $2 AND seq <= $3
    ORDER BY seq LIMIT $5
  )
  SELECT to_timestamp(ceil(extract(epoch FROM forget_after) / 60) * 60) AS "forgetAfter",
    string_agg(session_id, ' ') AS "sessionIds",
    0::bigint AS lines, 0::bigint AS others, 0::bigint AS "lastSeq"
  FROM page WHERE ${isGrouped} AND forget_after > $4
  GROUP BY 1
  UNION ALL
  SELECT NULL, NULL, count(*), count(*) FILTER (WHERE NOT (${isGrouped})), max(seq) FROM page`

const READ_SESSIONS = readPage(`kind = 'session'`)
const READ_REVOKED = readPage(`kind = 'session' AND revoked_by IS NOT NULL`)
