import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { DatabaseUnreachableError, MigrationError } from './errors.ts'
import { describeDrift, migrate } from './migrator.ts'

const TIMEOUT_MS = 60_000
vi.setConfig({ testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS })

const MODEL = 'model books {\n  id String @id\n}\n'
const CREATE_BOOKS = 'CREATE TABLE books (id text PRIMARY KEY);\n'
const MIGRATE = `
const { migrate } = await import(process.argv[1])
await migrate({ databaseUrl: process.argv[2], schemaDir: process.argv[3] })
`

let server: EmbeddedPostgres
let folder = ''
let schemaDir = ''
let databaseUrl = ''
let databases = 0

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sesame-migrator-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'data') })
})

beforeEach(async () => {
  databases += 1
  schemaDir = join(folder, `schema-${databases}`)
  mkdirSync(schemaDir)
  writeFileSync(
    join(schemaDir, 'schema.prisma'),
    `datasource db {\n  provider = "postgresql"\n}\n${MODEL}`,
  )
  await query(server.url, `CREATE DATABASE migrated_${databases}`)
  const url = new URL(server.url)
  url.pathname = `/migrated_${databases}`
  databaseUrl = url.href
})

afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

describe('migrate', () => {
  test('applies what is missing, in order, and records it as Prisma does', async () => {
    addMigration('1_books', CREATE_BOOKS)
    await migrate({ databaseUrl, schemaDir })
    addMigration('2_titles', 'ALTER TABLE books ADD COLUMN title text;')
    await migrate({ databaseUrl, schemaDir })
    const rows = await history()
    expect(rows.map(row => row.migration_name)).toEqual(['1_books', '2_titles'])
    expect(rows.every(row => row.finished_at !== null && row.checksum.length === 64)).toBe(true)
    expect(await query(databaseUrl, 'SELECT id, title FROM books')).toEqual([])
  })

  test('takes a script whole, semicolons in functions and strings included', async () => {
    addMigration(
      '1_function',
      `${CREATE_BOOKS} INSERT INTO books VALUES ('a;b');
       CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 2; END $$
       -- the end`,
    )
    await migrate({ databaseUrl, schemaDir })
    expect(await query(databaseUrl, 'SELECT id, two() FROM books')).toEqual([{ id: 'a;b', two: 2 }])
  })

  test('runs each migration once when many nodes start at the same moment', async () => {
    addMigration('1_books', `${CREATE_BOOKS} SELECT pg_sleep(0.2);`)
    const nodes = Array.from({ length: 8 }, () => migrate({ databaseUrl, schemaDir }))
    await Promise.all(nodes)
    expect(await history()).toHaveLength(1)
  })

  test('tells which migration failed and what Postgres said, and leaves nothing of it', async () => {
    addMigration('1_books', `${CREATE_BOOKS} SELECT 1/0;`)
    const attempt = migrate({ databaseUrl, schemaDir })
    await expect(attempt).rejects.toThrow(
      new MigrationError('migration 1_books failed: division by zero'),
    )
    expect(await query(databaseUrl, `SELECT to_regclass('books') AS books`)).toEqual([
      { books: null },
    ])
  })

  test('refuses to go on after a migration that failed at an earlier start', async () => {
    addMigration('1_books', `${CREATE_BOOKS} SELECT 1/0;`)
    await expect(migrate({ databaseUrl, schemaDir })).rejects.toThrow(MigrationError)
    await expect(migrate({ databaseUrl, schemaDir })).rejects.toThrow(
      /^migration 1_books failed at an earlier start: division by zero; correct the cause.*1_books$/,
    )
  })

  test('runs a migration again whose process was killed in the middle', async () => {
    addMigration('1_books', `${CREATE_BOOKS} SELECT pg_sleep(60);`)
    const node = spawnNode()
    await untilSleeping()
    await kill(node)
    await query(server.url, `SELECT pg_terminate_backend(pid) FROM (${sleepers()})`)
    addMigration('1_books', CREATE_BOOKS)
    await migrate({ databaseUrl, schemaDir })
    const ends = (await history()).map(row => [
      row.finished_at !== null,
      row.rolled_back_at !== null,
    ])
    expect(ends).toEqual([
      [false, true],
      [true, false],
    ])
  })

  test('refuses a migration that was changed after it had been applied', async () => {
    addMigration('1_books', CREATE_BOOKS)
    await migrate({ databaseUrl, schemaDir })
    addMigration('1_books', `${CREATE_BOOKS}-- changed`)
    await expect(migrate({ databaseUrl, schemaDir })).rejects.toThrow('1_books was changed')
  })

  test('leaves a database alone that is ahead of this version', async () => {
    addMigration('1_books', CREATE_BOOKS)
    addMigration('2_titles', 'ALTER TABLE books ADD COLUMN title text;')
    await migrate({ databaseUrl, schemaDir })
    rmSync(join(schemaDir, 'migrations', '2_titles'), { recursive: true })
    await migrate({ databaseUrl, schemaDir })
    expect(await history()).toHaveLength(2)
  })

  test('does not load the engine when there is nothing to do', async () => {
    addMigration('1_books', CREATE_BOOKS)
    await migrate({ databaseUrl, schemaDir })
    vi.doMock('./schema-engine.ts', () => {
      throw new Error('the engine was loaded')
    })
    await migrate({ databaseUrl, schemaDir })
    vi.doUnmock('./schema-engine.ts')
  })

  test('says in one line that the database is out of reach, without the password', async () => {
    const attempt = migrate({ databaseUrl: 'postgresql://me:hush@localhost:1/books', schemaDir })
    await expect(attempt).rejects.toThrow(DatabaseUnreachableError)
    await expect(attempt).rejects.toThrow(
      /^database unreachable: connect ECONNREFUSED [^\n]+ \(database books at localhost:1\)$/,
    )
  })
})

describe('describeDrift', () => {
  test('finds none between our schema and our migrations', async () => {
    await migrate({ databaseUrl })
    expect(await describeDrift({ databaseUrl })).toBe('')
  })

  test('answers with the SQL that is missing', async () => {
    addMigration('1_books', `${CREATE_BOOKS} ALTER TABLE books ADD COLUMN stray int;`)
    await migrate({ databaseUrl, schemaDir })
    expect(await describeDrift({ databaseUrl, schemaDir })).toContain('DROP COLUMN "stray"')
  })
})

interface HistoryRow {
  migration_name: string
  checksum: string
  finished_at: Date | null
  rolled_back_at: Date | null
}

function addMigration(name: string, sql: string): void {
  const dir = join(schemaDir, 'migrations', name)
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'migration.sql'), sql)
}

function history(): Promise<HistoryRow[]> {
  return query(databaseUrl, 'SELECT * FROM _prisma_migrations ORDER BY started_at')
}

function spawnNode(): ChildProcess {
  const module = new URL('./migrator.ts', import.meta.url).href
  const args = ['--input-type=module', '-e', MIGRATE, module, databaseUrl, schemaDir]
  return spawn(process.execPath, args, { stdio: 'ignore' })
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

function sleepers(): string {
  return `SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'`
}

async function untilSleeping(): Promise<void> {
  while ((await query(server.url, sleepers())).length === 0) await sleep(20)
}

async function query<Row>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
