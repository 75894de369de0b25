import type { Pool, PoolClient } from 'pg'
import { createTurns } from '../shared/turns.ts'
import { COVERED_BY_PENDING, isAliveAfter } from './sessions.sql.ts'
import { insertSession, revokeSessions } from './sessions.statements.ts'
import type { NewSession } from './sessions.store.ts'

export interface SessionLimit {
  /** Active sessions that a user may have. */
  max: number
  onLimit: 'revoke_oldest' | 'refuse'
}

export interface SessionLimitStore {
  /**
   * Writes a session of a user who may have only so many, and ends the oldest to make room.
   * @returns the generation it was born in; null when the user has too many and none may be ended.
   */
  insert(
    tenantId: string,
    session: NewSession,
    actor: string,
    limit: SessionLimit,
  ): Promise<number | null>
}

const LIMIT_REASON = 'session_limit'

/** Sign-ins of one user take turns, on all nodes: the limit is exact however many come at once. */
export function createSessionLimitStore(pool: Pool): SessionLimitStore {
  const turns = createTurns()
  return {
    insert: (tenantId, session, actor, limit) =>
      turns.take(`${tenantId} ${session.userId}`, () =>
        insertInTurn(pool, tenantId, session, actor, limit),
      ),
  }
}

async function insertInTurn(
  pool: Pool,
  tenantId: string,
  session: NewSession,
  actor: string,
  { max, onLimit }: SessionLimit,
): Promise<number | null> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await takeTurn(client, tenantId, session.userId)
    const active = await listActive(client, tenantId, session)
    const excess = active.length - max + 1
    if (excess > 0 && onLimit === 'refuse') {
      await client.query('ROLLBACK')
      client.release()
      return null
    }
    if (excess > 0) await client.query(endOldest(tenantId, active.slice(0, excess), session))
    const { rows } = await client.query<{ generation: number }>(
      insertSession(tenantId, session, actor),
    )
    await client.query('COMMIT')
    client.release()
    return rows[0]?.generation ?? null
  } catch (error) {
    client.release(true)
    throw error
  }
}

/**
 * The lock of the user, then the one that a bulk revoke waits for. The latter must come before the
 * head of the change log is touched: a bulk revoke takes the two in that order.
 */
async function takeTurn(client: PoolClient, tenantId: string, userId: string): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 3))`, [
    `${tenantId} ${userId}`,
  ])
  await client.query('SELECT sesame_birth_generation($1)', [tenantId])
}

/** Oldest first. */
async function listActive(
  client: PoolClient,
  tenantId: string,
  { userId, createdAt }: NewSession,
): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>({
    name: 'list_active_of_user',
    text: `
      SELECT session.id FROM sessions AS session
      WHERE session.tenant_id = $1 AND session.user_id = $3 AND session.state = 'active'
        AND ${isAliveAfter('$2')} AND NOT ${COVERED_BY_PENDING}
      ORDER BY session.id`,
    values: [tenantId, createdAt, userId],
  })
  return rows.map(({ id }) => id)
}

const endOldest = (tenantId: string, ids: string[], { createdAt: at }: NewSession) =>
  revokeSessions(
    tenantId,
    ids.map(sessionId => ({ sessionId, revokedBy: 'system', reason: LIMIT_REASON, at })),
  )
