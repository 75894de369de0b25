export { Prisma, type PrismaClient } from '../generated/client.ts'
export { createDataFolder } from './cluster.ts'
export { type Database, type DatabaseOptions, openDatabase } from './database.ts'
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './embedded-postgres.ts'
export {
  DatabaseUnreachableError,
  DataFolderInUseError,
  EmbeddedPostgresError,
  MigrationError,
} from './errors.ts'
export { describeDrift, type MigrateOptions, migrate } from './migrator.ts'
