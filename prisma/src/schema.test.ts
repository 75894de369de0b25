import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../services/api/test/test-database.ts'
import { describeDrift } from './migrator.ts'

let url: string
let drop: () => Promise<void>
let client: pg.Client

beforeAll(async () => {
  ;({ url, drop } = await createTestDatabase())
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await drop()
})

const OURS = `table_schema = 'public' AND table_name <> '_prisma_migrations'`

async function column<T>(query: string): Promise<T[]> {
  const { rows } = await client.query({ text: query, rowMode: 'array' })
  return rows.map(([value]) => value)
}

describe('the database', () => {
  it('is what schema.prisma says once all migrations are applied', async () => {
    expect(await describeDrift({ databaseUrl: url })).toBe('')
  })

  it('has no primary key and no index that does not begin with the tenant', async () => {
    const strangers = await column<string>(`
      SELECT indexrelid::regclass::text FROM pg_index
      JOIN pg_class ON pg_class.oid = indrelid AND relnamespace = 'public'::regnamespace
      JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
      WHERE attname <> 'tenant_id' AND relname <> '_prisma_migrations'`)
    expect(strangers).toEqual([])
    const tables = await column<string>(
      `SELECT table_name FROM information_schema.tables WHERE ${OURS}`,
    )
    const keyed = await column<string>(`
      SELECT indrelid::regclass::text FROM pg_index WHERE indisprimary
        AND indrelid::regclass::text = ANY ('{${tables.join(',')}}')`)
    expect(keyed.toSorted()).toEqual(tables.toSorted())
  })

  it('has no instant without a time zone, no bounded varchar, no json but jsonb', async () => {
    const types = await column<string>(
      `SELECT DISTINCT data_type FROM information_schema.columns WHERE ${OURS}`,
    )
    expect(types.toSorted()).toEqual([
      'ARRAY',
      'bigint',
      'boolean',
      'bytea',
      'inet',
      'integer',
      'jsonb',
      'text',
      'timestamp with time zone',
    ])
  })

  it.each([
    ['tenants', `('usr_1', 'n')`, '(tenant_id, name)'],
    ['tenant_heads', `('x')`, '(tenant_id)'],
  ])('refuses an id of another kind in %s', async (table, values, columns) => {
    await expect(
      client.query(`INSERT INTO ${table} ${columns} VALUES ${values}`),
    ).rejects.toMatchObject({
      code: '23514',
    })
  })

  it('refuses documents that are too large', async () => {
    const insert = client.query(
      `INSERT INTO tenants (tenant_id, name, settings)
       VALUES ('tnt_x', 'n', jsonb_build_object('x', repeat('x', 70000)))`,
    )
    await expect(insert).rejects.toMatchObject({ code: '23514' })
  })
})
