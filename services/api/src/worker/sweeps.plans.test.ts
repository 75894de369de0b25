import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { insertSessionRows } from '../../test/session-rows.ts'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { BEGIN_WALKING } from '../sessions/small-batch.store.ts'
import { batchText, listDueText } from './sweeps.store.ts'
import { PURGES, SWEEPS, type Sweep } from './sweeps.ts'

let cluster: TestCluster
let node: TestNode
let tenantId: string
const ROWS = 20_000
const BATCH_SIZE = 50

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
  tenantId = (await node.tenant()).tenantId
  const { pool } = node.database
  const old = `now() - make_interval(days => 400 - n / 100)`
  // Much is due, and much more is not: the newer half.
  await insertSessionRows(pool, {
    tenantId,
    count: ROWS,
    columns: {
      state: `(ARRAY['active', 'revoked', 'expired'])[1 + n % 3]`,
      revoked_at: `CASE WHEN n % 3 = 1 THEN ${old} END`,
      ends_at: `CASE WHEN n % 3 = 0 AND n % 30 > 0 THEN now() + interval '1 day' ELSE ${old} END`,
      token_expires_at: old,
    },
  })
  await pool.query(`UPDATE sessions SET erased_at = now() WHERE right(id, 2) = '51'`)
  await pool.query(
    `INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, created_at)
     SELECT $1, 'evt_' || n, 'session.created', 'ses_' || n, 'u', 'a',
       now() - make_interval(days => 600 - n / 40)
     FROM generate_series(1, $2::int) AS n`,
    [tenantId, ROWS],
  )
  await pool.query(
    `INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, forget_after)
     SELECT $1, n, 'session', 'ses_' || n, now() - make_interval(hours => 100 - n / 100)
     FROM generate_series(1, $2::int) AS n`,
    [tenantId, ROWS],
  )
  await pool.query(
    `INSERT INTO idempotency_keys (tenant_id, idempotency_key, fingerprint, owner, locked_until, expires_at)
     SELECT $1, 'key' || n, '', '', now(), now() - make_interval(hours => 100 - n / 100)
     FROM generate_series(1, $2::int) AS n`,
    [tenantId, ROWS],
  )
})
afterAll(() => cluster.close())

interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  'Rows Removed by Filter'?: number
  Plans?: Plan[]
}

/** The plan of a statement as it runs, undone again. */
async function explain(text: string, values: unknown[]): Promise<Plan> {
  const client = await node.database.pool.connect()
  try {
    await client.query(BEGIN_WALKING)
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values)
    await client.query('ROLLBACK')
    return rows[0]['QUERY PLAN'][0].Plan
  } finally {
    client.release()
  }
}

const flatten = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(flatten)]

async function expectShort(sweep: Sweep): Promise<void> {
  const scansOf = (plan: Plan): Plan[] =>
    flatten(plan).filter(
      step => step['Relation Name'] === sweep.table && step['Node Type'].includes('Scan'),
    )
  for (const look of scansOf(await explain(listDueText(sweep), []))) {
    expect(look['Node Type']).not.toBe('Seq Scan')
    expect(look['Actual Rows']).toBeLessThanOrEqual(1)
    expect(look['Rows Removed by Filter'] ?? 0).toBeLessThan(10)
  }
  const scans = scansOf(await explain(batchText(sweep), [tenantId, BATCH_SIZE]))
  // Once to find what is due, once to do it by primary key.
  expect(scans.length).toBe(2)
  for (const scan of scans) {
    expect(scan['Node Type']).not.toBe('Seq Scan')
    expect(scan['Actual Rows'] * scan['Actual Loops']).toBe(BATCH_SIZE)
    expect(scan['Rows Removed by Filter'] ?? 0).toBeLessThan(10)
  }
}

const large = new Set(['sessions', 'events', 'tenant_changes', 'idempotency_keys'])

describe.each(['without statistics', 'with statistics'])('%s', kind => {
  beforeAll(async () => {
    if (kind === 'with statistics') await node.database.pool.query('VACUUM ANALYZE')
  })

  it.each(SWEEPS.filter(({ table }) => large.has(table)))(
    '$name reads the rows of its batch and no others',
    async sweep => {
      await expectShort(sweep)
    },
  )

  it.each(PURGES.filter(({ table }) => large.has(table)))(
    '$name reads the rows of its batch and no others',
    async sweep => {
      const { pool } = node.database
      await pool.query(`UPDATE tenants SET deleted_at = now() - interval '1 hour'`)
      await expectShort(sweep)
      await pool.query('UPDATE tenants SET deleted_at = NULL')
    },
  )
})
