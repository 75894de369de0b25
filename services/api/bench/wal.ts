import type { Pool } from 'pg'

/** Where the write-ahead log stands. */
export async function walPosition(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn')
  if (rows[0] === undefined) throw new Error('the log has no position')
  return rows[0].lsn
}

/** What all of Postgres has written since, by anybody. */
export async function walBytesSince(pool: Pool, position: string): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)::float8 AS bytes',
    [position],
  )
  return rows[0]?.bytes ?? 0
}
