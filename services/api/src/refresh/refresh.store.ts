import type { Pool } from 'pg'
import {
  COVERED_BY_PENDING,
  isAliveAfter,
  SESSION_COLUMNS,
  WITH_PENDING_BULK,
} from '../sessions/sessions.sql.ts'
import type { StoredSession } from '../sessions/sessions.store.ts'
import { newId } from '../shared/ids.ts'

/** A session as refreshing sees it. */
export interface RefreshableSession extends StoredSession {
  refreshGeneration: number
  refreshFamilyHash: Buffer
  /** When the newest refresh token was made; null for the first. */
  refreshedAt: Date | null
  tokenExpiresAt: Date
  generation: number
}

export interface Rotation {
  sessionId: string
  fromGeneration: number
  familyHash: Buffer
  at: Date
  accessTokenTtlSeconds: { default: number; byApp: Record<string, number> }
  /** Null: a session of this app does not end by being idle. */
  idleTtlSeconds: { default: number | null; byApp: Record<string, number | null> }
}

export interface Reuse {
  sessionId: string
  at: Date
  presentedGeneration: number
  presentedAddress: string | null
}

export interface RefreshStore {
  /**
   * One conditional UPDATE: of all who bring the same token, one wins.
   * @returns null where the token is not the newest, or the session has ended.
   */
  rotate(tenantId: string, rotation: Rotation): Promise<RefreshableSession | null>
  find(tenantId: string, sessionId: string, now: Date): Promise<RefreshableSession | null>
  /** Ends the session because an old token came back. False when it had ended. */
  revokeForReuse(tenantId: string, reuse: Reuse): Promise<boolean>
}

export const REUSE_REASON = 'refresh_token_reuse'

export function createRefreshStore(pool: Pool): RefreshStore {
  return {
    async rotate(tenantId, rotation) {
      const { sessionId, fromGeneration, familyHash, at } = rotation
      const { accessTokenTtlSeconds, idleTtlSeconds } = rotation
      const { rows } = await pool.query<RefreshableSession>({
        name: 'rotate_refresh',
        text: ROTATE,
        values: [
          tenantId,
          at,
          sessionId,
          fromGeneration,
          familyHash,
          accessTokenTtlSeconds.default,
          JSON.stringify(accessTokenTtlSeconds.byApp),
          idleTtlSeconds.default,
          JSON.stringify(idleTtlSeconds.byApp),
        ],
      })
      return rows[0] ?? null
    },
    async find(tenantId, sessionId, now) {
      const { rows } = await pool.query<RefreshableSession>({
        name: 'find_refreshable',
        text: FIND,
        values: [tenantId, now, sessionId],
      })
      return rows[0] ?? null
    },
    async revokeForReuse(tenantId, { sessionId, at, presentedGeneration, presentedAddress }) {
      const { rowCount } = await pool.query({
        name: 'revoke_for_reuse',
        text: REVOKE_FOR_REUSE,
        values: [
          tenantId,
          sessionId,
          at,
          presentedGeneration,
          newId('evt'),
          REUSE_REASON,
          presentedAddress,
        ],
      })
      return rowCount === 1
    },
  }
}

const REFRESH_COLUMNS = `${SESSION_COLUMNS},
  session.refresh_generation AS "refreshGeneration",
  session.refresh_family_hash AS "refreshFamilyHash", session.refreshed_at AS "refreshedAt",
  session.token_expires_at AS "tokenExpiresAt", session.generation`

// A statement that waited for its turn while the session ended comes too late, whatever $2 says.
// The times come from the one clock of this statement; the token that is made from them never
// outlives the session, and is remembered so that a revocation is kept as long as it lives.
const ROTATE = `
  WITH session AS (
    UPDATE sessions AS session SET
      refresh_generation = refresh_generation + 1,
      refreshed_at = $2,
      last_active_at = greatest(last_active_at, $2),
      ends_at = least(expires_at, $2 + make_interval(secs =>
        CASE WHEN $9::jsonb ? app_id THEN ($9::jsonb ->> app_id)::int ELSE $8::int END)),
      token_expires_at = greatest(
        token_expires_at,
        least(
          expires_at,
          $2 + make_interval(secs => coalesce(($7::jsonb ->> app_id)::int, $6::int))
        )
      )
    WHERE tenant_id = $1 AND id = $3 AND ${isAliveAfter('greatest($2, now())')}
      AND refresh_generation = $4 AND refresh_family_hash = $5 AND NOT ${COVERED_BY_PENDING}
    RETURNING session.*
  ), bulk AS (
    SELECT NULL::timestamptz AS created_at, NULL::text AS revoked_by, NULL::text AS reason
  )
  SELECT ${REFRESH_COLUMNS} FROM session CROSS JOIN bulk`

const FIND = `
  SELECT ${REFRESH_COLUMNS} FROM sessions AS session ${WITH_PENDING_BULK}
  WHERE session.tenant_id = $1 AND session.id = $3`

// Only if the token is still behind: a rotation that came in between changes nothing about that.
const REVOKE_FOR_REUSE = `
  WITH ended AS (
    UPDATE sessions AS session
    SET state = 'revoked', revoked_at = $3, revoked_by = 'system', revoke_reason = $6
    WHERE tenant_id = $1 AND id = $2 AND ${isAliveAfter('$3')}
      AND refresh_generation > $4 AND NOT ${COVERED_BY_PENDING}
    RETURNING user_id, token_expires_at, ip_address
  ), change AS (
    INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, revoked_by, reason, created_at, forget_after)
    SELECT $1, sesame_next_seq($1), 'session', $2, 'system', $6, $3, token_expires_at FROM ended
  )
  INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, data, created_at)
  SELECT $1, $5, 'session.revoked', $2, user_id, 'system',
    jsonb_build_object('reason', $6::text, 'session_ip_address', host(ip_address),
      'presented_ip_address', $7::text), $3
  FROM ended`
