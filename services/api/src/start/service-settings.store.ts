import type { Pool, QueryConfig } from 'pg'
import { SERVICE_TENANT_ID } from '../shared/ids.ts'

/** Facts about the whole service that all its nodes share. */
export interface ServiceSettingsStore {
  list(): Promise<ReadonlyMap<string, string>>
  /** Keeps what is already there: of several nodes the first one decides. */
  insert(name: string, value: string): Promise<void>
  /** Lets one node at a time do what a first start does; answers with the release, to be called once or more. */
  lockFirstStart(): Promise<() => Promise<void>>
}

const FIRST_START_LOCK = 7_365_736_314
/** For another node's whole first start, on a machine that has much else to do. */
const FIRST_START_LIMIT_MS = 60_000

// The driver's types do not know this setting of a single query.
const lockStatement: QueryConfig & { query_timeout: number } = {
  text: 'SELECT pg_advisory_lock($1)',
  values: [FIRST_START_LOCK],
  query_timeout: FIRST_START_LIMIT_MS,
}

export function createServiceSettingsStore(pool: Pool): ServiceSettingsStore {
  return {
    async list() {
      const { rows } = await pool.query<{ name: string; value: string }>(
        'SELECT name, value FROM service_settings WHERE tenant_id = $1',
        [SERVICE_TENANT_ID],
      )
      return new Map(rows.map(({ name, value }) => [name, value]))
    },
    async insert(name, value) {
      await pool.query(
        'INSERT INTO service_settings (tenant_id, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        [SERVICE_TENANT_ID, name, value],
      )
    },
    async lockFirstStart() {
      // Belongs to the connection: a node that is killed frees it.
      const client = await pool.connect()
      try {
        await client.query(`SET statement_timeout = ${FIRST_START_LIMIT_MS}`)
        await client.query(lockStatement)
      } catch (error) {
        client.release(true)
        throw error
      }
      let isHeld = true
      return async () => {
        if (!isHeld) return
        isHeld = false
        // Not back to the pool: with the connection goes the lock, whatever state they are in.
        client.release(true)
      }
    },
  }
}
