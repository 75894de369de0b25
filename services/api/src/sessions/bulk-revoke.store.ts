import type { Pool, PoolClient } from 'pg'
import { newId } from '../shared/ids.ts'
import { createTurns } from '../shared/turns.ts'
import { MAX_ACCESS_TOKEN_TTL_SECONDS } from '../tenants/tenants.schema.ts'
import { COVERED_BY_PENDING } from './sessions.sql.ts'

export interface BulkFilters {
  userId?: string | undefined
  orgId?: string | undefined
  appId?: string | undefined
  exceptSessionId?: string | undefined
}

export interface BulkRevocation {
  revokedBy: string
  reason: string | null
  at: Date
}

/** A bulk revoke whose rows have to follow. */
export interface PendingBulk {
  tenantId: string
  seq: number
}

/** What one bulk revoke came to. */
export interface BulkResult {
  revoked: number
  /** Null when there was none to end. */
  pending: PendingBulk | null
  /** It was about the sessions of the generations before this. */
  generation: number
}

/** More to write in the transaction that ends the sessions, or that found none to end. */
export type Alongside = (client: PoolClient, result: Omit<BulkResult, 'pending'>) => Promise<void>

export interface BulkRevokeStore {
  count(tenantId: string, filters: BulkFilters, now: Date): Promise<number>
  /** Ends the sessions by one row, whatever their number. */
  revoke(
    tenantId: string,
    filters: BulkFilters,
    revocation: BulkRevocation,
    alongside?: Alongside,
  ): Promise<BulkResult>
  /**
   * Lets some rows follow.
   * @returns whether all have.
   */
  applyBatch(bulk: PendingBulk, batchSize: number): Promise<boolean>
  /** What a node that died may have left. */
  listPending(tenantId: string): Promise<PendingBulk[]>
}

/**
 * A bulk revoke takes two transactions, under a lock that lets bulk revokes of one tenant take turns
 * (and keeps sessions from changing their organisation meanwhile).
 *
 * The first begins a new generation: it waits until every session of the older ones is committed,
 * and new sessions wait for it, for the length of one commit. From then on the set of sessions that
 * the revoke is about is closed.
 *
 * The second counts that set and writes the row that ends it. A count leaves out what an earlier
 * bulk revoke covers: no session is counted twice. Nobody who signs in waits for it: a session that
 * is created meanwhile is of the new generation, and lives.
 */
export function createBulkRevokeStore(pool: Pool): BulkRevokeStore {
  const turns = createTurns()
  return {
    async count(tenantId, filters, now) {
      const client = await pool.connect()
      try {
        await allowLongStatements(client)
        const { count } = await countActive(client, tenantId, filters, now, null)
        await client.query('RESET statement_timeout')
        client.release()
        return count
      } catch (error) {
        client.release(true)
        throw error
      }
    },

    async revoke(tenantId, filters, revocation, alongside = async () => {}) {
      const revokeInTurn = async (client: PoolClient) => {
        const generation = await nextGeneration(client, tenantId)
        await client.query('BEGIN')
        const { count: revoked, unsettled } = await countActive(
          client,
          tenantId,
          filters,
          revocation.at,
          generation,
        )
        const facts = { filters, revocation, generation, revoked }
        const pending = unsettled === 0 ? null : await writeBulk(client, tenantId, facts)
        await alongside(client, { revoked, generation })
        await client.query('COMMIT')
        return { revoked, pending, generation }
      }
      return turns.take(tenantId, () => withTurn(pool, tenantId, revokeInTurn))
    },

    async applyBatch({ tenantId, seq }, batchSize) {
      const { rowCount } = await pool.query({
        name: 'apply_bulk',
        text: APPLY_BATCH,
        values: [tenantId, seq, batchSize],
      })
      if ((rowCount ?? 0) >= batchSize) return false
      const { rowCount: finished } = await pool.query({
        name: 'finish_bulk',
        text: FINISH_BULK,
        values: [tenantId, seq],
      })
      return finished === 1
    },

    async listPending(tenantId) {
      const { rows } = await pool.query<{ seq: number }>(
        `SELECT seq FROM tenant_changes
         WHERE tenant_id = $1 AND kind = 'bulk' AND applied_at IS NULL ORDER BY seq`,
        [tenantId],
      )
      return rows.map(({ seq }) => ({ tenantId, seq }))
    },
  }
}

interface BulkFacts {
  filters: BulkFilters
  revocation: BulkRevocation
  generation: number
  revoked: number
}

async function writeBulk(
  client: PoolClient,
  tenantId: string,
  { filters, revocation, generation, revoked }: BulkFacts,
): Promise<PendingBulk> {
  const { userId, orgId, appId, exceptSessionId } = filters
  const { revokedBy, reason, at } = revocation
  const data = { revoked, user_id: userId, org_id: orgId, app_id: appId, reason }
  const { rows } = await client.query<{ seq: number }>(WRITE_BULK, [
    tenantId,
    userId ?? null,
    orgId ?? null,
    appId ?? null,
    exceptSessionId ?? null,
    generation,
    revokedBy,
    reason,
    at,
    // A refresh that runs at the same time may still make a token: count on the longest life.
    MAX_ACCESS_TOKEN_TTL_SECONDS,
    newId('evt'),
    JSON.stringify(data),
    revoked,
  ])
  const seq = rows[0]?.seq
  if (seq === undefined) throw new Error('the tenant has no head')
  return { tenantId, seq }
}

async function nextGeneration(client: PoolClient, tenantId: string): Promise<number> {
  const { rows } = await client.query<{ generation: number }>(
    'SELECT sesame_next_generation($1) AS generation',
    [tenantId],
  )
  const generation = rows[0]?.generation
  if (generation === undefined) throw new Error('the tenant has no head')
  return generation
}

interface Counts {
  /** Sessions that are active. */
  count: number
  /**
   * Rows that say so, also where the time of the session is up: a refresh or an activity on its way
   * to the commit may prolong it yet, so a bulk revoke must reach it.
   */
  unsettled: number
}

async function countActive(
  client: Pick<PoolClient, 'query'>,
  tenantId: string,
  { userId, orgId, appId, exceptSessionId }: BulkFilters,
  now: Date,
  beforeGeneration: number | null,
): Promise<Counts> {
  const values: unknown[] = [tenantId, now]
  const conditions = ["session.state = 'active'"]
  const add = (condition: string, value: unknown): void => {
    if (value === undefined || value === null) return
    values.push(value)
    conditions.push(`session.${condition} $${values.length}`)
  }
  add('user_id =', userId)
  add('org_id =', orgId)
  add('app_id =', appId)
  add('id <>', exceptSessionId)
  add('generation <', beforeGeneration)
  const text = `
    SELECT
      count(*) FILTER (WHERE session.ends_at > $2 AND NOT ${COVERED_BY_PENDING}) AS count,
      count(*) AS unsettled
    FROM sessions AS session
    WHERE session.tenant_id = $1 AND ${conditions.join(' AND ')}`
  const { rows } = await client.query<Counts>(unhurried(text, values))
  return rows[0] ?? { count: 0, unsettled: 0 }
}

/** Counting millions of sessions takes longer than anything else does. */
const LONG_STATEMENT_MS = 60_000

const allowLongStatements = (client: PoolClient) =>
  client.query(`SET statement_timeout = ${LONG_STATEMENT_MS}`)

const unhurried = (text: string, values: unknown[]) => ({
  text,
  values,
  query_timeout: LONG_STATEMENT_MS,
})

/** Runs `work` on a connection of its own, while no other bulk revoke of the tenant runs. */
async function withTurn<T>(
  pool: Pool,
  tenantId: string,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  try {
    await allowLongStatements(client)
    await client.query(unhurried('SELECT pg_advisory_lock(hashtextextended($1, 2))', [tenantId]))
    const result = await work(client)
    await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 2))', [tenantId])
    await client.query('RESET statement_timeout')
    client.release()
    return result
  } catch (error) {
    // Closing the connection ends its transaction and its lock, whatever state they are in.
    client.release(true)
    throw error
  }
}

// The call may have waited long for its turn: the longest life counts from this statement.
const WRITE_BULK = `
  WITH change AS (
    INSERT INTO tenant_changes (
      tenant_id, seq, kind, user_id, org_id, app_id, except_session_id, generation, revoked_by,
      reason, created_at, forget_after
    ) VALUES (
      $1, sesame_next_seq($1), 'bulk', $2, $3, $4, $5, $6, $7, $8, $9,
      greatest($9, clock_timestamp()) + make_interval(secs => $10)
    )
    RETURNING seq
  ), event AS (
    INSERT INTO events (tenant_id, id, type, user_id, actor, data, created_at)
    SELECT $1, $11, 'sessions.revoked', $2, $7, $12::jsonb, $9 WHERE $13 > 0
  )
  SELECT seq FROM change`

/**
 * The sessions that a bulk revoke is about and whose rows are not settled. Those whose time was up
 * before are among them: it is not over while one that is being prolonged could slip out of it.
 */
const NOT_FOLLOWED = `
  session.tenant_id = bulk.tenant_id AND session.state = 'active'
  AND session.generation < bulk.generation
  AND (bulk.user_id IS NULL OR session.user_id = bulk.user_id)
  AND (bulk.org_id IS NULL OR session.org_id = bulk.org_id)
  AND (bulk.app_id IS NULL OR session.app_id = bulk.app_id)
  AND (bulk.except_session_id IS NULL OR session.id <> bulk.except_session_id)`

// Rows that a refresh holds at this moment are left to the next batch: nothing here waits.
const APPLY_BATCH = `
  UPDATE sessions AS ended
  SET state = CASE WHEN batch.is_revoked THEN 'revoked' ELSE 'expired' END,
      revoked_at = CASE WHEN batch.is_revoked THEN bulk.created_at END,
      revoked_by = CASE WHEN batch.is_revoked THEN bulk.revoked_by END,
      revoke_reason = CASE WHEN batch.is_revoked THEN bulk.reason END
  FROM tenant_changes AS bulk
  CROSS JOIN LATERAL (
    SELECT session.id, session.ends_at > bulk.created_at AS is_revoked
    FROM sessions AS session WHERE ${NOT_FOLLOWED}
    LIMIT $3 FOR UPDATE SKIP LOCKED
  ) AS batch
  WHERE bulk.tenant_id = $1 AND bulk.seq = $2
    AND ended.tenant_id = bulk.tenant_id AND ended.id = batch.id`

const FINISH_BULK = `
  UPDATE tenant_changes AS bulk SET applied_at = now()
  WHERE bulk.tenant_id = $1 AND bulk.seq = $2
    AND NOT EXISTS (SELECT FROM sessions AS session WHERE ${NOT_FOLLOWED})`
