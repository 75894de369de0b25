import type { Pool, QueryConfig } from 'pg'
import { newId } from '../shared/ids.ts'
import { listSessionsStatement, type SessionFilters } from './sessions.list.ts'
import {
  COVERED_BY_PENDING,
  isAliveAfter,
  SESSION_COLUMNS,
  WITH_PENDING_BULK,
} from './sessions.sql.ts'
import { insertSession, revokeSessions } from './sessions.statements.ts'

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
  isExpiryGiven: boolean
  /** When it ends if nothing more happens. */
  endsAt: Date
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
      const { rows } = await pool.query<{ generation: number }>(
        insertSession(tenantId, session, actor),
      )
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
      const { rows } = await pool.query<{ id: string }>(revokeSessions(tenantId, revocations))
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
    WHERE tenant_id = $1 AND id = $2 AND ${isAliveAfter('$3')}
      AND NOT ${COVERED_BY_PENDING}
    RETURNING user_id, token_expires_at
  ), change AS (
    INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, forget_after)
    SELECT $1, sesame_next_seq($1), 'session', $2, token_expires_at FROM updated WHERE $5 OR $7
  )
  INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, data, created_at)
  SELECT $1, $9, 'session.updated', $2, user_id, $10, $11::jsonb, $3 FROM updated`
