import type pg from 'pg'
import { withClient } from './database-client.ts'
import { MigrationError } from './errors.ts'
import {
  type Migration,
  readSchemaFiles,
  SCHEMA_DIR,
  type SchemaFiles,
} from './migrations-folder.ts'
import { errorCode } from './processes.ts'

export interface MigrateOptions {
  databaseUrl: string
  /** The folder with `schema.prisma` and `migrations/`; by default this package's own. */
  schemaDir?: string
}

interface HistoryRow {
  name: string
  checksum: string
  isFinished: boolean
  logs: string | null
}

// Ours and Prisma's. The engine takes Prisma's itself, so ours must be another.
const MIGRATION_LOCK = 7_365_736_313
const PRISMA_LOCK = 72_707_369
const LOCK_TIMEOUT_MS = 120_000
const UNDEFINED_TABLE = '42P01'

/**
 * Brings the database up to date with the migrations, in the form that `prisma migrate deploy`
 * knows. Nodes that start together migrate once. Each migration is one transaction.
 *
 * A database that knows migrations which this folder does not is left alone: during a rolling
 * update older nodes go on working with the newer schema.
 *
 * @throws MigrationError, DatabaseUnreachableError
 */
export async function migrate({ databaseUrl, schemaDir = SCHEMA_DIR }: MigrateOptions) {
  const files = readSchemaFiles(schemaDir)
  await withClient(databaseUrl, async client => {
    // The usual start: one query, no lock, no engine.
    if (isUpToDate(files.migrations, await readHistory(client))) return
    await lock(client)
    await markInterrupted(client)
    const history = await readHistory(client)
    rejectFailed(history)
    if (!isUpToDate(files.migrations, history)) await apply(databaseUrl, files)
  })
}

/** The SQL between a migrated database and schema.prisma: empty when they agree. */
export async function describeDrift({ databaseUrl, schemaDir = SCHEMA_DIR }: MigrateOptions) {
  const { diffToSchema } = await import('./schema-engine.ts')
  return diffToSchema(databaseUrl, readSchemaFiles(schemaDir))
}

function isUpToDate(migrations: Migration[], history: HistoryRow[]): boolean {
  if (history.some(row => !row.isFinished)) return false
  return migrations.every(({ name, checksum }) => {
    const row = history.find(applied => applied.name === name)
    if (row !== undefined && row.checksum !== checksum) {
      throw new MigrationError(
        `migration ${name} was changed after it had been applied: restore it and add a new one`,
      )
    }
    return row !== undefined
  })
}

async function readHistory(client: pg.Client): Promise<HistoryRow[]> {
  try {
    const { rows } = await client.query<HistoryRow>(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS "isFinished", logs
       FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
    )
    return rows
  } catch (error) {
    if (errorCode(error) === UNDEFINED_TABLE) return []
    throw error
  }
}

/** Held until the connection ends, also when it ends because we were killed. */
async function lock(client: pg.Client): Promise<void> {
  try {
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`)
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    // Waits for an operator's own `prisma migrate deploy`.
    await client.query('SELECT pg_advisory_lock($1)', [PRISMA_LOCK])
    await client.query('SELECT pg_advisory_unlock($1)', [PRISMA_LOCK])
  } catch (error) {
    throw new MigrationError(`another node has been migrating for two minutes: ${lineOf(error)}`)
  }
}

/**
 * A record with neither end nor complaint belongs to a process that was killed. A migration and the
 * end of its record are one transaction, so nothing of it is there and it can simply run again.
 */
async function markInterrupted(client: pg.Client): Promise<void> {
  try {
    await client.query(
      `UPDATE _prisma_migrations SET rolled_back_at = now()
       WHERE finished_at IS NULL AND rolled_back_at IS NULL AND logs IS NULL`,
    )
  } catch (error) {
    if (errorCode(error) !== UNDEFINED_TABLE) throw error
  }
}

function rejectFailed(history: HistoryRow[]): void {
  const failed = history.find(row => !row.isFinished)
  if (failed === undefined) return
  throw new MigrationError(
    `migration ${failed.name} failed at an earlier start: ${postgresComplaint(failed.logs ?? '')}` +
      `; correct the cause, then run: npx prisma migrate resolve --rolled-back ${failed.name}`,
  )
}

async function apply(databaseUrl: string, files: SchemaFiles): Promise<void> {
  const { applyMigrations } = await import('./schema-engine.ts')
  try {
    await applyMigrations(databaseUrl, files)
  } catch (error) {
    const report = error instanceof Error ? error.message : String(error)
    throw new MigrationError(describeFailure(report))
  }
}

function describeFailure(report: string): string {
  const name = /migration_name="([^"]+)"/.exec(report)?.[1]
  if (name !== undefined) return `migration ${name} failed: ${postgresComplaint(report)}`
  // Prisma's P3005: there are tables, and no record of a migration.
  if (report.includes('schema is not empty'))
    return 'the database holds tables that are not of Sesame: give it one that is empty'
  return `the migrations could not be applied: ${postgresComplaint(report)}`
}

/** The engine's report is a stack of its own functions; what Postgres said is one line of it. */
function postgresComplaint(report: string): string {
  return /ERROR: (.+)/.exec(report)?.[1] ?? lineOf(report)
}

function lineOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n')[0] ?? ''
}
