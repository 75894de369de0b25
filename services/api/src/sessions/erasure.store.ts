import { randomBytes } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { newId } from '../shared/ids.ts'
import { ERASE_EVENTS, ERASE_SESSIONS, FINISH_ERASURE } from './erasure.sql.ts'
import { runSmallBatch } from './small-batch.store.ts'

/** An erasure under way. */
export interface OpenErasure {
  tenantId: string
  id: string
}

export interface NewErasure {
  id: string
  userId: string
  actor: string
}

export interface ErasureCounts {
  revoked: number
  sessionsErased: number
  eventsErased: number
}

export interface ErasureStore {
  /** For the transaction that ends the user's sessions: from its commit on the erasure will happen. */
  insert(
    client: PoolClient,
    tenantId: string,
    erasure: NewErasure,
    ended: { revoked: number; generation: number },
  ): Promise<void>
  /** @returns how many rows were emptied or removed. */
  eraseSessions(tenantId: string, id: string, batchSize: number): Promise<number>
  eraseEvents(tenantId: string, id: string, batchSize: number): Promise<number>
  /** True once it is over, whoever ended it. */
  finish(tenantId: string, id: string): Promise<boolean>
  /** Null where the tenant was deleted meanwhile, and everything with it. */
  findCounts(tenantId: string, id: string): Promise<ErasureCounts | null>
  /** Erasures of any tenant that nobody has worked on for some seconds. */
  listAbandoned(): Promise<OpenErasure[]>
}

export function createErasureStore(pool: Pool): ErasureStore {
  const step = async (name: string, text: string, values: unknown[]): Promise<number> => {
    const { rows } = await runSmallBatch<{ count: number }>(pool, { name, text, values })
    return rows[0]?.count ?? 0
  }
  return {
    async insert(client, tenantId, { id, userId, actor }, { revoked, generation }) {
      await client.query(
        `INSERT INTO erasures (tenant_id, id, user_id, tombstone, actor, generation, revoked)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [tenantId, id, userId, newTombstone(), actor, generation, revoked],
      )
    },
    eraseSessions: (tenantId, id, batchSize) =>
      step('erase_sessions', ERASE_SESSIONS, [tenantId, id, batchSize]),
    eraseEvents: (tenantId, id, batchSize) =>
      step('erase_events', ERASE_EVENTS, [tenantId, id, batchSize]),
    async finish(tenantId, id) {
      await pool.query({
        name: 'finish_erasure',
        text: FINISH_ERASURE,
        values: [tenantId, id, newId('evt')],
      })
      const { rowCount } = await pool.query({
        name: 'find_erasure',
        text: 'SELECT FROM erasures WHERE tenant_id = $1 AND id = $2',
        values: [tenantId, id],
      })
      return rowCount === 0
    },
    async findCounts(tenantId, id) {
      const { rows } = await pool.query<ErasureCounts>({
        name: 'find_erasure_counts',
        text: FIND_COUNTS,
        values: [tenantId, id],
      })
      return rows[0] ?? null
    },
    async listAbandoned() {
      const { rows } = await pool.query<OpenErasure>(
        `SELECT tenant_id AS "tenantId", id FROM erasures
         WHERE progressed_at < now() - interval '3 seconds' ORDER BY id LIMIT 100`,
      )
      return rows
    },
  }
}

/** Made from nothing: whoever knows the user cannot find it, and it leads to nobody. */
const newTombstone = (): string => `erased_${randomBytes(16).toString('hex')}`

const FIND_COUNTS = `
  SELECT revoked, sessions_erased AS "sessionsErased", events_erased AS "eventsErased"
  FROM erasures WHERE tenant_id = $1 AND id = $2
  UNION ALL (
    SELECT (data ->> 'revoked')::int, (data ->> 'sessions_erased')::int,
      (data ->> 'events_erased')::int
    FROM events WHERE tenant_id = $1 AND type = 'user.erased' AND data ->> 'erasure_id' = $2
    ORDER BY id DESC LIMIT 1
  )`
