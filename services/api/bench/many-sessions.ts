import type { PoolClient } from 'pg'
import type { Form } from './figures.ts'
import { signInOnce } from './sign-ins.ts'
import type { World } from './world.ts'

export interface Copies {
  /** Whose they are; a tenant that has no others with ids of digits alone. */
  tenantId: string
  sessions: number
  /** Every other one is revoked. */
  isHalfEnded: boolean
}

/**
 * Rows as the API writes them: copies of one that it wrote, under ids of digits alone, so that every
 * one of them is older than those that the API makes.
 */
export async function copySessions(world: World, copies: Copies): Promise<void> {
  const { session } = await signInOnce(world, 0)
  const original = { tenantId: world.tenantId, id: session.id }
  const client = await world.pool.connect()
  try {
    await insertCopies(client, original, [copies])
    await settle(client)
  } finally {
    client.release(true)
  }
}

/** Of the world's tenant, half of them ended; as many again belong to another. */
const IN_LARGE_TABLE: Record<Form['name'], number> = { quick: 250_000, full: 5_000_000 }
const NEIGHBOUR = 'tnt_00000000000000000000000009'

/**
 * The table of a service that has grown old, made once for all parts that want it.
 * @returns how many sessions the world's tenant has there.
 */
export async function fillLargeTable(world: World, form: Form): Promise<number> {
  const sessions = IN_LARGE_TABLE[form.name]
  if (await isFilled(world)) return sessions
  const { session } = await signInOnce(world, 0)
  const original = { tenantId: world.tenantId, id: session.id }
  const client = await world.pool.connect()
  try {
    const copies = [world.tenantId, NEIGHBOUR].map(tenantId => ({
      tenantId,
      sessions,
      isHalfEnded: true,
    }))
    await withoutIndexes(client, () => insertCopies(client, original, copies))
    await settle(client)
  } finally {
    client.release(true)
  }
  return sessions
}

async function isFilled({ pool }: World): Promise<boolean> {
  const { rowCount } = await pool.query('SELECT FROM sessions WHERE tenant_id = $1 LIMIT 1', [
    NEIGHBOUR,
  ])
  return rowCount === 1
}

interface Original {
  tenantId: string
  id: string
}

async function insertCopies(client: PoolClient, { tenantId, id }: Original, all: Copies[]) {
  const text = await copyStatement(client)
  for (const copies of all)
    await client.query(text, [tenantId, id, copies.tenantId, copies.sessions, copies.isHalfEnded])
}

/** What differs from copy to copy; a new column needs no word here. */
const OF_A_COPY: Record<string, string> = {
  tenant_id: '$3::text',
  id: "'ses_' || lpad(n::text, 26, '0')",
  user_id: "'usr_' || n",
  state: "CASE WHEN $5 AND n % 2 = 1 THEN 'revoked' ELSE 'active' END",
  revoked_at: `CASE WHEN $5 AND n % 2 = 1 THEN session.created_at - n * interval '1 ms' END`,
  ends_at: "session.ends_at - n * interval '1 ms'",
}

async function copyStatement(client: PoolClient): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = 'sessions'::regclass AND attnum > 0 AND NOT attisdropped`,
  )
  const names = rows.map(({ name }) => name)
  return `
    INSERT INTO sessions (${names.join(', ')})
    SELECT ${names.map(name => OF_A_COPY[name] ?? `session.${name}`).join(', ')}
    FROM sessions AS session, generate_series(1, $4::int) AS n
    WHERE session.tenant_id = $1 AND session.id = $2`
}

/**
 * To build an index at the end takes a third of the time that keeping it up takes. All of it is one
 * transaction: whoever else looks at the table waits, and finds it with its indexes as they were.
 */
async function withoutIndexes(client: PoolClient, fill: () => Promise<void>): Promise<void> {
  const { rows: indexes } = await client.query<{
    name: string
    made: string
    primary: string | null
  }>(
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made,
       (SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conindid = indexrelid AND contype = 'p') AS primary
     FROM pg_index WHERE indrelid = 'sessions'::regclass`,
  )
  await client.query(`BEGIN; SET LOCAL maintenance_work_mem = '1GB'`)
  for (const { name, primary } of indexes)
    await client.query(
      primary === null ? `DROP INDEX ${name}` : `ALTER TABLE sessions DROP CONSTRAINT ${name}`,
    )
  await fill()
  for (const { name, made, primary } of indexes)
    await client.query(
      primary === null ? made : `ALTER TABLE sessions ADD CONSTRAINT ${name} ${primary}`,
    )
  await client.query('COMMIT')
}

/** As autovacuum would leave it, and before anything is measured. */
async function settle(client: PoolClient): Promise<void> {
  await client.query('VACUUM (ANALYZE) sessions')
  await client.query('CHECKPOINT')
}
