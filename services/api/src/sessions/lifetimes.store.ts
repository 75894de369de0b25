import type { Pool } from 'pg'
import { DEFAULT_SETTINGS } from '../tenants/tenants.schema.ts'
import type { Activity } from './activity.ts'
import { isAliveAfter } from './sessions.sql.ts'
import { runSmallBatch } from './small-batch.store.ts'

/** How far a walk through a tenant's living sessions is; `held` while somebody else takes a step. */
export type WalkState = 'going' | 'held' | 'over'

export interface LifetimeStore {
  /**
   * Moves last activity forward, and with it the end of sessions that end by being idle. What has
   * ended by `now` stays ended.
   */
  updateActivity(activities: Activity[], now: Date): Promise<void>
  /**
   * One step of the walk that a change of settings began: looks at the next sessions in the order of
   * ids, and ends those sooner whose lifetimes say so now. Never later. However many sessions there
   * are, a step is short, and the next one goes on behind it, on whatever node.
   */
  shorten(tenantId: string, batchSize: number): Promise<WalkState>
  /** Tenants with a walk to go on with. */
  listWalks(): Promise<string[]>
}

export function createLifetimeStore(pool: Pool): LifetimeStore {
  const findState = async (tenantId: string): Promise<WalkState> => {
    const { rowCount } = await pool.query({
      name: 'find_lifetime_walk',
      text: 'SELECT FROM lifetime_walks WHERE tenant_id = $1 AND NOT is_over',
      values: [tenantId],
    })
    return rowCount === 0 ? 'over' : 'held'
  }
  return {
    async updateActivity(activities, now) {
      await pool.query({
        name: 'update_activity',
        text: UPDATE_ACTIVITY,
        values: [
          activities.map(({ tenantId }) => tenantId),
          activities.map(({ sessionId }) => sessionId),
          activities.map(({ at }) => at),
          activities.map(({ idleTtlSeconds }) => idleTtlSeconds),
          now,
        ],
      })
    },
    async shorten(tenantId, batchSize) {
      const { rows } = await runSmallBatch<{ isOver: boolean }>(pool, {
        name: 'shorten_sessions',
        text: SHORTEN,
        values: [tenantId, batchSize],
      })
      const [step] = rows
      if (step === undefined) return findState(tenantId)
      return step.isOver ? 'over' : 'going'
    },
    async listWalks() {
      await pool.query(FORGET_WALKS)
      await pool.query(WALK_AGAIN)
      const { rows } = await pool.query<{ id: string }>(
        'SELECT tenant_id AS id FROM lifetime_walks WHERE NOT is_over LIMIT 1000',
      )
      return rows.map(({ id }) => id)
    },
  }
}

// One that a refresh holds has just been active. A session that ended meanwhile stays ended: who was
// told so, or revoked what had been active, must never find it alive again. The time is Postgres's
// where that is later, for this statement may have waited for its turn.
const UPDATE_ACTIVITY = `
  WITH used AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::int[])
      AS used (tenant_id, id, at, idle_ttl)
  ), locked AS MATERIALIZED (
    SELECT session.tenant_id, session.id FROM sessions AS session
    JOIN used ON session.tenant_id = used.tenant_id AND session.id = used.id
    WHERE session.last_active_at < used.at
      AND ${isAliveAfter('greatest($5::timestamptz, now())')}
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

/** When a session ends by the settings of now: `latest`, with its age and its being idle apart. */
const WITH_LATEST = `
  CROSS JOIN LATERAL (
    SELECT
      least(
        session.expires_at,
        CASE WHEN session.is_expiry_given THEN NULL
          ELSE session.created_at + ${lifetime('session_ttl_seconds')} END) AS expires_at,
      session.last_active_at + ${lifetime('idle_ttl_seconds')} AS idle_at
  ) AS latest`

// A session that a refresh holds is left out, and so is one that is created with settings read just
// before they changed: the second walk finds them. That a session is still active is asked of the
// locked row and not in the search for it, which would lead the planner to another index.
export const SHORTEN = `
  WITH step AS MATERIALIZED (
    SELECT after_id FROM lifetime_walks
    WHERE tenant_id = $1 AND NOT is_over FOR UPDATE SKIP LOCKED
  ), page AS MATERIALIZED (
    SELECT session.ctid AS place, session.id, session.ends_at > least(latest.expires_at, latest.idle_at) AS is_late
    FROM tenants AS tenant
    JOIN sessions AS session ON session.tenant_id = tenant.tenant_id ${WITH_LATEST}
    WHERE tenant.tenant_id = $1 AND session.state = 'active'
      AND session.id > (SELECT after_id FROM step)
    ORDER BY session.id LIMIT $2
  ), sooner AS MATERIALIZED (
    SELECT session.ctid AS place, session.state, latest.expires_at,
      least(session.ends_at, latest.expires_at, latest.idle_at) AS ends_at
    FROM tenants AS tenant
    JOIN sessions AS session ON session.ctid = ANY (ARRAY(SELECT place FROM page WHERE is_late))
    ${WITH_LATEST}
    WHERE tenant.tenant_id = $1
    FOR UPDATE OF session SKIP LOCKED
  ), shortened AS (
    UPDATE sessions AS session SET expires_at = sooner.expires_at, ends_at = sooner.ends_at
    FROM sooner
    WHERE session.ctid = sooner.place AND sooner.state = 'active'
  )
  UPDATE lifetime_walks AS walk
  SET after_id = coalesce((SELECT max(id) FROM page), walk.after_id),
      is_over = (SELECT count(*) FROM page) < $2
  WHERE walk.tenant_id = $1 AND EXISTS (SELECT FROM step)
  RETURNING walk.is_over AS "isOver"`

const SECOND_WALK_AT = `changed_at + interval '1 minute'`

const FORGET_WALKS = `DELETE FROM lifetime_walks WHERE is_over AND began_at >= ${SECOND_WALK_AT}`

const WALK_AGAIN = `
  UPDATE lifetime_walks SET began_at = now(), after_id = '', is_over = false
  WHERE is_over AND began_at < ${SECOND_WALK_AT} AND now() >= ${SECOND_WALK_AT}`
