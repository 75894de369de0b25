import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Migration {
  name: string
  sql: string
  /** As Prisma computes it. */
  checksum: string
}

/** What the schema is made from: `schema.prisma` and `migrations/` in one folder. */
export interface SchemaFiles {
  dir: string
  schema: string
  lockfile: string | null
  migrations: Migration[]
}

/** The folder of this package. */
export const SCHEMA_DIR = join(import.meta.dirname, '..')

/** Reads the schema and its migrations, oldest first. */
export function readSchemaFiles(dir: string): SchemaFiles {
  const migrationsDir = join(dir, 'migrations')
  const lockfile = join(migrationsDir, 'migration_lock.toml')
  const names = existsSync(migrationsDir) ? readdirSync(migrationsDir).toSorted() : []
  return {
    dir,
    schema: readFileSync(join(dir, 'schema.prisma'), 'utf8'),
    lockfile: existsSync(lockfile) ? readFileSync(lockfile, 'utf8') : null,
    migrations: names
      .filter(name => existsSync(join(migrationsDir, name, 'migration.sql')))
      .map(name => readMigration(migrationsDir, name)),
  }
}

function readMigration(migrationsDir: string, name: string): Migration {
  const sql = readFileSync(join(migrationsDir, name, 'migration.sql'), 'utf8')
  return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
}
