/** Embedded Postgres could not start or stop; the message is one line meant for the operator. */
export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError'
}

/** Another live service owns the data folder. */
export class DataFolderInUseError extends EmbeddedPostgresError {
  override name = 'DataFolderInUseError'
  readonly pid: number

  constructor(dataDir: string, pid: number) {
    super(`data folder in use: ${dataDir} belongs to the running process ${pid}`)
    this.pid = pid
  }
}

/** The database does not answer, or refuses us; the message is one line without any secret. */
export class DatabaseUnreachableError extends Error {
  override name = 'DatabaseUnreachableError'
}

/** The schema could not be brought up to date; the message is one line meant for the operator. */
export class MigrationError extends Error {
  override name = 'MigrationError'
}
