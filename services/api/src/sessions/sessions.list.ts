import {
  ANY_PENDING,
  BY_END,
  COVERED_BY_PENDING,
  NO_PENDING_BULK,
  SESSION_COLUMNS,
  WITH_PENDING_BULK,
} from './sessions.sql.ts'

export interface SessionFilters {
  userId?: string | undefined
  orgId?: string | undefined
  appId?: string | undefined
  deviceId?: string | undefined
  status: 'active' | 'expired' | 'revoked' | 'all'
}

export interface Statement {
  name: string
  text: string
  values: unknown[]
}

const FILTER_COLUMNS = {
  userId: 'user_id',
  orgId: 'org_id',
  appId: 'app_id',
  deviceId: 'device_id',
} as const

/**
 * One page, newest first. Each branch is one descending scan of the index that begins with the
 * filter and the state, stopped by its limit: its cost depends neither on the depth of the page nor
 * on how many sessions have ended. Prepared by name: there is one statement for each combination.
 */
export function listSessionsStatement(
  tenantId: string,
  filters: SessionFilters,
  beforeId: string | null,
  limit: number,
  now: Date,
): Statement {
  const values: unknown[] = [tenantId, now, limit]
  const conditions = ['session.tenant_id = $1']
  const shape: string[] = [filters.status]
  const add = (column: string, operator: string, value: string): void => {
    values.push(value)
    conditions.push(`session.${column} ${operator} $${values.length}`)
    shape.push(column)
  }
  for (const key of FILTER_KEYS) {
    const value = filters[key]
    if (value !== undefined) add(FILTER_COLUMNS[key], '=', value)
  }
  const isFiltered = conditions.length > 1
  if (beforeId !== null) add('id', '<', beforeId)

  const branches = branchesOf(filters.status, isFiltered).map(
    ({ where, source = 'sessions' }) => `(
      SELECT session.* FROM ${source} AS session
      WHERE ${[...conditions, ...where].join(' AND ')}
      ORDER BY session.id DESC LIMIT $3)`,
  )
  return {
    name: `list_sessions_${shape.join('_')}`,
    text: `
      SELECT ${SESSION_COLUMNS}
      FROM ${mergedPage(branches)} AS session
      ${filters.status === 'active' ? NO_PENDING_BULK : WITH_PENDING_BULK}
      ORDER BY session.id DESC`,
    values,
  }
}

function mergedPage(branches: string[]): string {
  const [only, ...others] = branches
  if (only !== undefined && others.length === 0) return only
  return `(SELECT * FROM (${branches.join(' UNION ALL ')}) AS page ORDER BY id DESC LIMIT $3)`
}

const FILTER_KEYS = Object.keys(FILTER_COLUMNS) as (keyof typeof FILTER_COLUMNS)[]

interface Branch {
  where: string[]
  source?: string
}

const inState = (state: string): string => `session.state = '${state}'`

// Found by expiry, not by walking all that are active: the sweep keeps them few.
const LAPSED = `(
  SELECT * FROM sessions AS session
  WHERE tenant_id = $1 AND state = 'active' AND ends_at <= $2 AND ${BY_END} OFFSET 0)`

function branchesOf(status: SessionFilters['status'], isFiltered: boolean): Branch[] {
  switch (status) {
    case 'active':
      return [{ where: [inState('active'), 'session.ends_at > $2', `NOT ${COVERED_BY_PENDING}`] }]
    case 'revoked':
      return [
        { where: [inState('revoked')] },
        { where: [ANY_PENDING, inState('active'), COVERED_BY_PENDING] },
      ]
    case 'expired':
      return [
        { where: [inState('expired')] },
        { where: [`NOT ${COVERED_BY_PENDING}`], source: LAPSED },
      ]
    case 'all':
      if (!isFiltered) return [{ where: ['$2::timestamptz IS NOT NULL'] }]
      return ['active', 'revoked', 'expired'].map(state => ({ where: [inState(state)] }))
  }
}
