import type { Pool, PoolClient } from 'pg'
import { newId } from '../shared/ids.ts'
import { createTurns } from '../shared/turns.ts'
import { MAX_ACCESS_TOKEN_TTL_SECONDS } from '../tenants/tenants.schema.ts'
import { ANY_PENDING, BY_END, COVERED_BY_PENDING } from './sessions.sql.ts'
import { runSmallBatch } from './small-batch.store.ts'

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

/**
 * `held` where another node is at this one. Where `going` begins with the empty string, it came to
 * the end, and rows are left that somebody held.
 */
export type BatchState = { is: 'going'; fromId: string } | { is: 'held' } | { is: 'over' }

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
   * Lets some rows follow: the first ones from a place on, in the order of ids.
   * @param fromId where the batch before began; at first the empty string.
   */
  applyBatch(bulk: PendingBulk, fromId: string, batchSize: number): Promise<BatchState>
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
        await client.query(AS_BEFORE)
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

    async applyBatch({ tenantId, seq }, fromId, batchSize) {
      const bulk = await findUnfollowed(pool, tenantId, seq)
      if (bulk === null) return { is: 'over' }
      const { rows } = await runSmallBatch<Batch>(pool, applyStatement(bulk, fromId, batchSize))
      const [batch] = rows
      if (batch === undefined || !batch.isOurs) return { is: 'held' }
      if (batch.size === batchSize) return { is: 'going', fromId: batch.firstId ?? '' }
      const { rowCount: finished } = await runSmallBatch(pool, finishStatement(bulk))
      return finished === 1 ? { is: 'over' } : { is: 'going', fromId: '' }
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
  filters: BulkFilters,
  now: Date,
  beforeGeneration: number | null,
): Promise<Counts> {
  const { rows: asked } = await client.query<{ isAnyPending: boolean }>(
    `SELECT ${ANY_PENDING} AS "isAnyPending"`,
    [tenantId],
  )
  const values: unknown[] = [tenantId, now]
  const conditions = activeSessions(filters, beforeGeneration, values)
  const { userId, orgId, appId } = filters
  const isOfAll = userId === undefined && orgId === undefined && appId === undefined
  const everyone = isOfAll ? `${conditions} AND ${BY_END}` : conditions
  // Bulk revokes take turns: where none is pending, none becomes so before the count.
  const text = asked[0]?.isAnyPending === false ? countAll(everyone) : countUncovered(conditions)
  const { rows } = await client.query<Counts>(unhurried(text, values))
  return rows[0] ?? { count: 0, unsettled: 0 }
}

/**
 * All that are active, less the few whose time is up. Of a whole tenant it asks for nothing that the
 * index on the end of active sessions does not hold, so no row is read: a million take a fifth of a
 * second.
 */
const countAll = (conditions: string): string => `
  SELECT active.count AS unsettled, active.count - (
    SELECT count(*) FROM sessions AS session WHERE ${conditions} AND session.ends_at <= $2
  ) AS count
  FROM (SELECT count(*) AS count FROM sessions AS session WHERE ${conditions}) AS active`

const countUncovered = (conditions: string): string => `
  SELECT count(*) AS unsettled,
    count(*) FILTER (WHERE session.ends_at > $2 AND NOT ${COVERED_BY_PENDING}) AS count
  FROM sessions AS session WHERE ${conditions}`

/**
 * SQL for the active sessions of the tenant, $1, that a bulk revoke is about. It holds only what this
 * one filters by: where any might be left out, no index would serve.
 * @param values of the statement; what the filters need is added.
 */
function activeSessions(
  { userId, orgId, appId, exceptSessionId }: BulkFilters,
  beforeGeneration: number | null,
  values: unknown[],
): string {
  const conditions = ['session.tenant_id = $1', "session.state = 'active'"]
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
  return conditions.join(' AND ')
}

/** Counting millions of sessions takes longer than anything else does. */
const LONG_STATEMENT_MS = 60_000

/** One process counts as fast as three on two cores, and leaves the others to other callers. */
const allowLongStatements = (client: PoolClient) =>
  client.query(
    `SET statement_timeout = ${LONG_STATEMENT_MS}; SET max_parallel_workers_per_gather = 0`,
  )

const AS_BEFORE = 'RESET statement_timeout; RESET max_parallel_workers_per_gather'

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
    await client.query(AS_BEFORE)
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

/** A bulk revoke as its row tells it. */
interface UnfollowedBulk {
  tenantId: string
  seq: number
  filters: BulkFilters
  generation: number
}

async function findUnfollowed(
  pool: Pool,
  tenantId: string,
  seq: number,
): Promise<UnfollowedBulk | null> {
  const { rows } = await pool.query<BulkFilters & { generation: number }>({
    name: 'find_unfollowed_bulk',
    text: `
      SELECT user_id AS "userId", org_id AS "orgId", app_id AS "appId",
        except_session_id AS "exceptSessionId", generation
      FROM tenant_changes WHERE tenant_id = $1 AND seq = $2 AND applied_at IS NULL`,
    values: [tenantId, seq],
  })
  if (rows[0] === undefined) return null
  const { generation, ...filters } = rows[0]
  return { tenantId, seq, filters, generation }
}

interface Batch {
  isOurs: boolean
  size: number
  firstId: string | null
}

/**
 * Those whose time was up before are among them: a bulk revoke is not over while one that is being
 * prolonged could slip out of it. Rows that a refresh holds at this moment are left for later:
 * nothing here waits.
 *
 * A batch begins where the one before began, and not at the first id: the index still holds a place
 * for each row that has followed, and Postgres reads the row to find that it has. Passing them once
 * marks them, so that the last look, whether any is left, need not.
 */
function applyStatement(bulk: UnfollowedBulk, fromId: string, batchSize: number) {
  const values: unknown[] = [bulk.tenantId, bulk.seq, batchSize, fromId]
  const text = `
    WITH turn AS MATERIALIZED (
      SELECT pg_try_advisory_xact_lock(hashtextextended($1 || '/' || $2, 3)) AS is_ours
    ), batch AS MATERIALIZED (
      SELECT session.ctid AS place, session.id FROM sessions AS session
      WHERE (SELECT is_ours FROM turn) AND session.id >= $4
        AND ${activeSessions(bulk.filters, bulk.generation, values)}
      ORDER BY session.id LIMIT $3 FOR UPDATE SKIP LOCKED
    ), followed AS (
      UPDATE sessions AS session
      SET state = CASE WHEN session.ends_at > bulk.created_at THEN 'revoked' ELSE 'expired' END,
          revoked_at = CASE WHEN session.ends_at > bulk.created_at THEN bulk.created_at END,
          revoked_by = CASE WHEN session.ends_at > bulk.created_at THEN bulk.revoked_by END,
          revoke_reason = CASE WHEN session.ends_at > bulk.created_at THEN bulk.reason END
      FROM tenant_changes AS bulk
      WHERE session.ctid = ANY (ARRAY(SELECT place FROM batch))
        AND bulk.tenant_id = $1 AND bulk.seq = $2::bigint
    )
    SELECT (SELECT is_ours FROM turn) AS "isOurs", count(*) AS size, min(id) AS "firstId"
    FROM batch`
  return { text, values }
}

function finishStatement(bulk: UnfollowedBulk) {
  const values: unknown[] = [bulk.tenantId, bulk.seq]
  const text = `
    UPDATE tenant_changes SET applied_at = now()
    WHERE tenant_id = $1 AND seq = $2
      AND NOT EXISTS (
        SELECT FROM sessions AS session
        WHERE ${activeSessions(bulk.filters, bulk.generation, values)}
        ORDER BY session.id LIMIT 1)`
  return { text, values }
}
