import type { Pool } from 'pg'
import { DEFAULT_SETTINGS } from '../tenants/tenants.schema.ts'
import type { Activity } from './activity.ts'

export interface LifetimeStore {
  /** Moves last activity forward, and with it the end of sessions that end by being idle. */
  updateActivity(activities: Activity[]): Promise<void>
  /**
   * Ends living sessions of a tenant sooner where its settings say so now: never later.
   * @returns how many of the batch there were.
   */
  shorten(tenantId: string, batchSize: number): Promise<number>
  /** Tenants whose settings changed of late, in case the node that changed them died. */
  listChangedTenants(): Promise<string[]>
}

export function createLifetimeStore(pool: Pool): LifetimeStore {
  return {
    async updateActivity(activities) {
      await pool.query({
        name: 'update_activity',
        text: UPDATE_ACTIVITY,
        values: [
          activities.map(({ tenantId }) => tenantId),
          activities.map(({ sessionId }) => sessionId),
          activities.map(({ at }) => at),
          activities.map(({ idleTtlSeconds }) => idleTtlSeconds),
        ],
      })
    },
    async shorten(tenantId, batchSize) {
      const { rowCount } = await pool.query({
        name: 'shorten_sessions',
        text: SHORTEN,
        values: [tenantId, batchSize],
      })
      return rowCount ?? 0
    },
    async listChangedTenants() {
      const { rows } = await pool.query<{ id: string }>(
        `SELECT tenant_id AS id FROM tenants
         WHERE updated_at > now() - interval '1 hour' AND updated_at > created_at
           AND deleted_at IS NULL`,
      )
      return rows.map(({ id }) => id)
    },
  }
}

// A session that ended meanwhile stays ended, and one that a refresh holds has just been active.
const UPDATE_ACTIVITY = `
  WITH used AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::int[])
      AS used (tenant_id, id, at, idle_ttl)
  ), locked AS MATERIALIZED (
    SELECT session.tenant_id, session.id FROM sessions AS session
    JOIN used ON session.tenant_id = used.tenant_id AND session.id = used.id
    WHERE session.state = 'active' AND session.last_active_at < used.at AND session.ends_at > used.at
    ORDER BY session.tenant_id, session.id FOR UPDATE OF session SKIP LOCKED
  )
  UPDATE sessions AS session
  SET last_active_at = used.at,
      ends_at = least(session.expires_at, used.at + make_interval(secs => used.idle_ttl))
  FROM used JOIN locked ON locked.tenant_id = used.tenant_id AND locked.id = used.id
  WHERE session.tenant_id = used.tenant_id AND session.id = used.id`

/** A lifetime of the session's app, or else of its tenant, or else the default; in seconds. */
const lifetime = (name: 'session_ttl_seconds' | 'idle_ttl_seconds'): string => `
  make_interval(secs => CASE
    WHEN tenant.settings -> 'apps' -> session.app_id ? '${name}'
      THEN (tenant.settings -> 'apps' -> session.app_id ->> '${name}')::int
    WHEN tenant.settings ? '${name}' THEN (tenant.settings ->> '${name}')::int
    ELSE ${DEFAULT_SETTINGS[name]} END)`

const LATEST_END = `least(
  session.expires_at,
  CASE WHEN session.is_expiry_given THEN NULL
    ELSE session.created_at + ${lifetime('session_ttl_seconds')} END)`

const SHORTEN = `
  UPDATE sessions AS ended SET expires_at = sooner.expires_at, ends_at = sooner.ends_at
  FROM (
    SELECT session.tenant_id, session.id, latest.expires_at,
           least(latest.expires_at, latest.idle_at) AS ends_at
    FROM tenants AS tenant
    JOIN sessions AS session ON session.tenant_id = tenant.tenant_id AND session.state = 'active'
    CROSS JOIN LATERAL (
      SELECT ${LATEST_END} AS expires_at,
             session.last_active_at + ${lifetime('idle_ttl_seconds')} AS idle_at
    ) AS latest
    WHERE tenant.tenant_id = $1
      AND session.ends_at > least(latest.expires_at, latest.idle_at)
    LIMIT $2 FOR UPDATE OF session SKIP LOCKED
  ) AS sooner
  WHERE ended.tenant_id = sooner.tenant_id AND ended.id = sooner.id`
