import { join } from 'node:path'
import { PrismaPg } from '@prisma/adapter-pg'
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlResultSet,
} from '@prisma/driver-adapter-utils'
import { type MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm'
import type { SchemaFiles } from './migrations-folder.ts'

// This module loads five megabytes of WebAssembly: import it only when there is work for it.

const CATALOG_CHARS = new Set(['constraint_type', 'confdeltype', 'confupdtype'])

const NO_FILTERS = { externalTables: [], externalEnums: [] }

// Runs in the migration's own transaction, so a kill -9 can never come between the two: a record
// without an end means that nothing of the migration is there.
const RECORD_END = `
;UPDATE "_prisma_migrations" SET "finished_at" = now()
WHERE "finished_at" IS NULL AND "rolled_back_at" IS NULL`

/** Applies, in order, the migrations that the database does not have. */
export async function applyMigrations(databaseUrl: string, files: SchemaFiles): Promise<void> {
  await withEngine(databaseUrl, files, engine =>
    engine.applyMigrations({ migrationsList: toMigrationList(files), filters: NO_FILTERS }),
  )
}

/** The SQL that would lead from the database to schema.prisma; empty when they agree. */
export async function diffToSchema(databaseUrl: string, files: SchemaFiles): Promise<string> {
  const schemaFiles = [{ path: join(files.dir, 'schema.prisma'), content: files.schema }]
  const { stdout } = await withEngine(databaseUrl, files, engine =>
    engine.diff({
      from: { tag: 'schemaDatasource', files: schemaFiles, configDir: files.dir },
      to: { tag: 'schemaDatamodel', files: schemaFiles },
      script: true,
      exitCode: null,
      filters: NO_FILTERS,
    }),
  )
  const sql = stdout?.trim() ?? ''
  return sql === '-- This is an empty migration.' ? '' : sql
}

async function withEngine<T>(
  databaseUrl: string,
  files: SchemaFiles,
  use: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const datamodels: [string, string][] = [[join(files.dir, 'schema.prisma'), files.schema]]
  const adapters = atomicAdapterFactory(databaseUrl, files)
  const boundAdapters = bindMigrationAwareSqlAdapterFactory(adapters)
  const engine = await SchemaEngine.new({ datamodels }, () => {}, boundAdapters)
  try {
    return await use(engine)
  } finally {
    engine.free()
    await adapters.disposeAll()
  }
}

/**
 * Prisma's adapter cuts a script at every semicolon, also inside a function body or a string, and
 * runs the pieces one by one. Ours sends it whole: Postgres parses it and applies all or nothing.
 */
function atomicAdapterFactory(databaseUrl: string, files: SchemaFiles) {
  const factory = new PrismaPg({ connectionString: databaseUrl, max: 1 })
  const scripts = new Set(files.migrations.map(migration => migration.sql))
  const disposals: (() => Promise<void>)[] = []
  return {
    provider: 'postgres' as const,
    adapterName: factory.adapterName,
    connect: async () => {
      const adapter = await factory.connect()
      disposals.push(() => adapter.dispose())
      adapter.executeScript = async script => {
        const sql = scripts.has(script) ? script + RECORD_END : script
        await adapter.executeRaw({ sql, args: [], argTypes: [] })
      }
      const queryRaw = adapter.queryRaw.bind(adapter)
      adapter.queryRaw = async query =>
        markCatalogChars(await queryRaw({ ...query, sql: castCatalogChars(query.sql) }))
      return adapter
    },
    connectToShadowDb: () => factory.connectToShadowDb(),
    disposeAll: () => Promise.all(disposals.map(dispose => dispose())),
  }
}

/**
 * The engine asks the catalogue for columns of the type "char", which Prisma's adapter refuses to
 * read: they travel as text and arrive as what the engine expects.
 */
function castCatalogChars(sql: string): string {
  return sql
    .replace('constr.contype AS', 'constr.contype::text AS')
    .replace(/\bcon\.(confdeltype|confupdtype),/g, 'con.$1::text,')
}

function markCatalogChars(result: SqlResultSet): SqlResultSet {
  const isChar = (name: string | undefined) => name !== undefined && CATALOG_CHARS.has(name)
  const columnTypes = result.columnTypes.map((type, index) =>
    isChar(result.columnNames[index]) ? ColumnTypeEnum.Character : type,
  )
  return { ...result, columnTypes }
}

function toMigrationList({ dir, lockfile, migrations }: SchemaFiles): MigrationList {
  return {
    baseDir: join(dir, 'migrations'),
    lockfile: { path: 'migration_lock.toml', content: lockfile },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  }
}
