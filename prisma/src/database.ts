import { PrismaPg } from '@prisma/adapter-pg'
import { Pool, type PoolClient, types } from 'pg'
import { PrismaClient } from '../generated/client.ts'

export interface Database {
  /** For the handful of measured hot statements. Prisma's adapter uses the same connections. */
  pool: Pool
  /**
   * One connection kept for the question "what has changed?", so that a pool full of slow statements
   * cannot hold up a verify. It is never closed for being idle: a new one makes a node forget all
   * that it knew.
   */
  freshnessPool: Pool
  prisma: PrismaClient
  close(): Promise<void>
}

export interface DatabaseOptions {
  databaseUrl: string
  /** Connections of the main pool. */
  poolSize: number
  /** Told of connections that break while idle; without it they would end the process. */
  onConnectionError: (error: Error) => void
}

// Every number that Sesame stores as bigint stays far below 2^53.
const INT8_OID = 20
types.setTypeParser(INT8_OID, Number)

// For a connection of a pool that is busy. That Postgres does not answer at all shows much sooner:
// each request asks the freshness question first.
const CONNECT_TIMEOUT_MS = 5_000
// Everyday statements take milliseconds. The few that may take longer say so themselves.
const STATEMENT_TIMEOUT_MS = 5_000
const FRESHNESS_TIMEOUT_MS = 900

/** Opens no connection before the first query. */
export function openDatabase({
  databaseUrl,
  poolSize,
  onConnectionError,
}: DatabaseOptions): Database {
  const shared = {
    connectionString: databaseUrl,
    keepAlive: true,
  }
  const pool = new Pool({
    ...shared,
    application_name: 'sesame',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    max: poolSize,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 500,
  })
  const freshnessPool = new Pool({
    ...shared,
    application_name: 'sesame-freshness',
    connectionTimeoutMillis: FRESHNESS_TIMEOUT_MS,
    max: 1,
    idleTimeoutMillis: 0,
    statement_timeout: FRESHNESS_TIMEOUT_MS,
    query_timeout: FRESHNESS_TIMEOUT_MS,
  })
  // A connection that breaks while somebody holds it fails the statement under way, which says so.
  // Without a listener of its own the same error would reach the process as one that nobody caught.
  for (const each of [pool, freshnessPool])
    each.on('connect', client => {
      client.on('error', () => {})
    })
  pool.on('release', endUnlessIdle)
  pool.on('error', onConnectionError)
  freshnessPool.on('error', onConnectionError)
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
  return {
    pool,
    freshnessPool,
    prisma,
    async close() {
      await prisma.$disconnect()
      await Promise.all([pool.end(), freshnessPool.end()])
    },
  }
}

/**
 * A connection that comes back in the middle of a transaction is not used again. Prisma gives one back
 * when its ROLLBACK got no answer from a Postgres that stood still: whoever had it next would work
 * inside that transaction, and be told of success, and nothing of it would ever be committed.
 */
function endUnlessIdle(_error: Error, connection: PoolClient): void {
  if (connection.getTransactionStatus() !== 'I') connection.end(() => {})
}
