import type { Pool, QueryConfig } from 'pg'
import { newId } from '../shared/ids.ts'
import { listSessionsStatement, type SessionFilters } from './sessions.list.ts'
import { COVERED_BY_PENDING, SESSION_COLUMNS, WITH_PENDING_BULK } from './sessions.sql.ts'

/** A session as reading finds it: what a bulk revoke decided counts before its row has followed. */
export interface StoredSession {
  tenantId: string
  id: string
  userId: string
  orgId: string | null
  appId: string | null
  role: string | null
  status: 'active' | 'expired' | 'revoked'
  amr: string[]
  authTime: Date
  userAgent: string | null
  ipAddress: string | null
  country: string | null
  location: string | null
  deviceId: string | null
  deviceName: string | null
  deviceType: 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other'
  os: string | null
  browser: string | null
  metadata: Record<string, string>
  createdAt: Date
  lastActiveAt: Date
  expiresAt: Date
  revokedAt: Date | null
  revokedBy: string | null
  revokeReason: string | null
}

export interface NewSession extends Omit<StoredSession, 'status' | RevokeFact> {
  tokenExpiresAt: Date
  refreshFamilyHash: Buffer
}
type RevokeFact = 'revokedAt' | 'revokedBy' | 'revokeReason'

export interface SessionPatch {
  metadata?: Record<string, string>
  role?: string | null
  orgId?: string | null
}

export interface Revocation {
  sessionId: string
  revokedBy: string
  reason: string | null
  at: Date
}

export interface SessionStore {
  /** Writes the session and its event; answers the generation it was born in. */
  insert(tenantId: string, session: NewSession, actor: string): Promise<number>
  find(tenantId: string, id: string, now: Date): Promise<StoredSession | null>
  /** Newest first, from below the id. */
  list(
    tenantId: string,
    filters: SessionFilters,
    beforeId: string | null,
    limit: number,
    now: Date,
  ): Promise<StoredSession[]>
  /** Only an active session; false when it is not. */
  update(
    tenantId: string,
    id: string,
    patch: SessionPatch,
    by: { actor: string; at: Date },
  ): Promise<boolean>
  /**
   * Ends several sessions by one statement, and answers with the ids of those that were active. No
   * id may be given twice.
   */
  revoke(tenantId: string, revocations: Revocation[]): Promise<Set<string>>
}

// These are the hot statements of the service: raw SQL, prepared by name, each one round trip.
// Prisma's create takes three times the work of the INSERT, and it has no row-value paging.
export function createSessionStore(pool: Pool): SessionStore {
  return {
    async insert(tenantId, session, actor) {
      const { rows } = await pool.query<{ generation: number }>({
        name: 'insert_session',
        text: INSERT_SESSION,
        values: [
          tenantId,
          session.id,
          session.userId,
          session.orgId,
          session.appId,
          session.role,
          session.amr,
          session.authTime,
          session.userAgent,
          session.ipAddress,
          session.country,
          session.location,
          session.deviceId,
          session.deviceName,
          session.deviceType,
          session.os,
          session.browser,
          JSON.stringify(session.metadata),
          session.createdAt,
          session.lastActiveAt,
          session.expiresAt,
          session.tokenExpiresAt,
          session.refreshFamilyHash,
          newId('evt'),
          actor,
        ],
      })
      const [row] = rows
      if (row === undefined) throw new Error('the insert returned no row')
      return row.generation
    },

    async find(tenantId, id, now) {
      const { rows } = await pool.query<StoredSession>({
        name: 'find_session',
        text: FIND_SESSION,
        values: [tenantId, now, id],
      })
      return rows[0] ?? null
    },

    async list(tenantId, filters, beforeId, limit, now) {
      const statement = listSessionsStatement(tenantId, filters, beforeId, limit, now)
      const { rows } = await pool.query<StoredSession>(statement)
      return rows
    },

    async update(tenantId, id, patch, { actor, at }) {
      const statement = {
        name: 'update_session',
        text: UPDATE_SESSION,
        values: [
          tenantId,
          id,
          at,
          patch.metadata === undefined ? null : JSON.stringify(patch.metadata),
          patch.role !== undefined,
          patch.role ?? null,
          patch.orgId !== undefined,
          patch.orgId ?? null,
          newId('evt'),
          actor,
          JSON.stringify({ changed: changedFields(patch) }),
        ],
      }
      const { rowCount } =
        patch.orgId === undefined
          ? await pool.query(statement)
          : await betweenBulkRevokes(pool, tenantId, statement)
      return rowCount === 1
    },

    async revoke(tenantId, revocations) {
      const { rows } = await pool.query<{ id: string }>({
        name: 'revoke_sessions',
        text: REVOKE_SESSIONS,
        values: [
          tenantId,
          revocations.map(({ sessionId }) => sessionId),
          revocations.map(({ at }) => at),
          revocations.map(({ revokedBy }) => revokedBy),
          revocations.map(({ reason }) => reason),
          revocations.map(() => newId('evt')),
        ],
      })
      return new Set(rows.map(({ id }) => id))
    },
  }
}

/**
 * A session that changes its organisation could slip out of a bulk revoke that has counted it, or
 * into one that has not. So it waits for those under way, and takes the generation of now: those
 * that are over did not cover it, and never will.
 */
async function betweenBulkRevokes(pool: Pool, tenantId: string, statement: QueryConfig) {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 2))', [tenantId])
    const result = await client.query(statement)
    await client.query('COMMIT')
    client.release()
    return result
  } catch (error) {
    client.release(true)
    throw error
  }
}

const WIRE_NAMES: Record<keyof SessionPatch, string> = {
  metadata: 'metadata',
  role: 'role',
  orgId: 'org_id',
}

const changedFields = (patch: SessionPatch): string[] =>
  (Object.keys(WIRE_NAMES) as (keyof SessionPatch)[])
    .filter(field => patch[field] !== undefined)
    .map(field => WIRE_NAMES[field])

// The generation is read under the lock that a bulk revoke waits for: see the first migration.
const INSERT_SESSION = `
  WITH session AS (
    INSERT INTO sessions (
      tenant_id, id, user_id, org_id, app_id, role, amr, auth_time, user_agent, ip_address, country,
      location, device_id, device_name, device_type, os, browser, metadata, created_at,
      last_active_at, expires_at, token_expires_at, refresh_family_hash, generation
    ) VALUES (
      $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
      $21, $22, $23, sesame_birth_generation($1)
    ) RETURNING generation
  ), event AS (
    INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, created_at)
    VALUES ($1, $24, 'session.created', $2, $3, $25, $19)
  )
  SELECT generation FROM session`

const FIND_SESSION = `
  SELECT ${SESSION_COLUMNS} FROM sessions AS session ${WITH_PENDING_BULK}
  WHERE session.tenant_id = $1 AND session.id = $3`

// A session whose role or organisation changed may differ from what its tokens say, and may move out
// of the reach of a bulk revoke or into it: the change log makes every node look here.
const UPDATE_SESSION = `
  WITH updated AS (
    UPDATE sessions AS session SET
      metadata = coalesce($4::jsonb, metadata),
      role = CASE WHEN $5 THEN $6 ELSE role END,
      org_id = CASE WHEN $7 THEN $8 ELSE org_id END,
      generation = CASE WHEN $7 THEN sesame_birth_generation($1) ELSE generation END
    WHERE tenant_id = $1 AND id = $2 AND state = 'active' AND expires_at > $3
      AND NOT ${COVERED_BY_PENDING}
    RETURNING user_id, token_expires_at
  ), change AS (
    INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, forget_after)
    SELECT $1, sesame_next_seq($1), 'session', $2, token_expires_at FROM updated WHERE $5 OR $7
  )
  INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, data, created_at)
  SELECT $1, $9, 'session.updated', $2, user_id, $10, $11::jsonb, $3 FROM updated`

// The rows are locked in the order of their ids, so that two such statements never wait for each
// other in a circle. The change log's head comes last: it stays locked until the commit.
const REVOKE_SESSIONS = `
  WITH given AS (
    SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
      AS given (id, at, revoked_by, reason, event_id)
  ), locked AS MATERIALIZED (
    SELECT session.id FROM sessions AS session
    WHERE session.tenant_id = $1 AND session.id = ANY ($2::text[])
    ORDER BY session.id FOR UPDATE
  ), ended AS (
    UPDATE sessions AS session
    SET state = 'revoked', revoked_at = given.at, revoked_by = given.revoked_by,
        revoke_reason = given.reason
    FROM given JOIN locked ON locked.id = given.id
    WHERE session.tenant_id = $1 AND session.id = given.id AND session.state = 'active'
      AND session.expires_at > given.at AND NOT ${COVERED_BY_PENDING}
    RETURNING session.id, session.user_id, session.token_expires_at, given.at, given.revoked_by,
      given.reason, given.event_id
  ), numbered AS (
    SELECT ended.*, row_number() OVER () AS number, count(*) OVER () AS total FROM ended
  ), head AS (
    UPDATE tenant_heads SET seq = seq + (SELECT count(*) FROM ended)
    WHERE tenant_id = $1 AND EXISTS (SELECT FROM ended)
    RETURNING seq
  ), change AS (
    INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, revoked_by, reason, created_at, forget_after)
    SELECT $1, head.seq - total + number, 'session', id, revoked_by, reason, at, token_expires_at
    FROM numbered CROSS JOIN head
  ), event AS (
    INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, data, created_at)
    SELECT $1, event_id, 'session.revoked', id, user_id, revoked_by,
      jsonb_build_object('reason', reason), at
    FROM numbered
  )
  SELECT id FROM numbered`
