import type { Pool } from 'pg'

/** Every row of every table as text, by table: what somebody finds who has the database. */
export async function dumpDatabase(pool: Pool): Promise<Map<string, string[]>> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`,
  )
  const dump = new Map<string, string[]>()
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: string }>(
      `SELECT to_jsonb(item)::text AS row FROM "${name}" AS item`,
    )
    dump.set(
      name,
      rows.map(({ row }) => row),
    )
  }
  return dump
}
