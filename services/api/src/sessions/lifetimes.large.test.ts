import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { insertSessionRows } from '../../test/session-rows.ts'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { createLifetimeService } from './lifetimes.service.ts'
import { createLifetimeStore, SHORTEN } from './lifetimes.store.ts'
import { BEGIN_WALKING } from './small-batch.store.ts'

const SESSIONS = 50_000
const BATCH_SIZE = 1_000
const STATEMENT_TIMEOUT_MS = 1_500

let cluster: TestCluster
let node: TestNode
let hurried: pg.Pool

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
  hurried = new pg.Pool({
    connectionString: cluster.databaseUrl,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  })
})
afterAll(async () => {
  await hurried.end()
  await cluster.close()
})

async function changedTenant(count = SESSIONS): Promise<string> {
  const { tenantId } = await node.tenant()
  // Of a hundred sessions ninety-nine end before the new setting would end them.
  await insertSessionRows(node.database.pool, {
    tenantId,
    count,
    columns: { ends_at: `now() + CASE WHEN n % 100 = 0 THEN interval '30 days' ELSE '1 hour' END` },
  })
  await node.database.pool.query(
    `UPDATE tenants SET settings = '{"idle_ttl_seconds": 86400}' WHERE tenant_id = $1`,
    [tenantId],
  )
  await node.database.pool.query('INSERT INTO lifetime_walks (tenant_id) VALUES ($1)', [tenantId])
  return tenantId
}

const countLate = async (tenantId: string): Promise<number> =>
  (
    await node.database.pool.query(
      `SELECT count(*) AS count FROM sessions
       WHERE tenant_id = $1 AND ends_at > now() + interval '25 hours'`,
      [tenantId],
    )
  ).rows[0].count

it('a shortened lifetime reaches every session, in steps that are short and go on where one stopped', async () => {
  const tenantId = await changedTenant()
  expect(await countLate(tenantId)).toBe(SESSIONS / 100)
  const store = createLifetimeStore(hurried)
  const half = SESSIONS / BATCH_SIZE / 2
  for (let n = 0; n < half; n++) expect(await store.shorten(tenantId, BATCH_SIZE)).toBe('going')
  expect(await countLate(tenantId)).toBe(SESSIONS / 200)
  // Whoever goes on needs no more steps than are left.
  const other = createLifetimeStore(node.database.pool)
  for (let n = 0; n < half; n++) expect(await other.shorten(tenantId, BATCH_SIZE)).toBe('going')
  expect(await countLate(tenantId)).toBe(0)
  expect(await other.shorten(tenantId, BATCH_SIZE)).toBe('over')
})

it('several workers share the way, and a second walk finds who was left out', async () => {
  const tenantId = await changedTenant()
  const { pool } = node.database
  let steps = 0
  const workerOf = () => {
    const store = createLifetimeStore(hurried)
    return createLifetimeService({
      store: {
        ...store,
        async shorten(id, batchSize) {
          const state = await store.shorten(id, batchSize)
          if (state === 'going' && id === tenantId) steps++
          return state
        },
      },
      clock: node.clock,
      onError: error => {
        throw error
      },
    })
  }
  const workers = [workerOf(), workerOf(), workerOf()]
  const walkAll = () => Promise.all(workers.map(worker => worker.followAll(() => false)))
  // A row that somebody holds all the time, as a refresh would for a moment.
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query(
    `SELECT FROM sessions WHERE tenant_id = $1 AND right(id, 6) = '000100' FOR UPDATE`,
    [tenantId],
  )
  try {
    await expect
      .poll(
        async () => {
          await walkAll()
          return countLate(tenantId)
        },
        { timeout: 20_000 },
      )
      .toBe(1)
    await walkAll()
    expect(steps).toBe(SESSIONS / BATCH_SIZE)
  } finally {
    client.release(true)
  }
  await pool.query(
    `UPDATE lifetime_walks SET changed_at = changed_at - interval '2 minutes',
       began_at = began_at - interval '2 minutes' WHERE tenant_id = $1`,
    [tenantId],
  )
  const walks = async () =>
    (await pool.query('SELECT FROM lifetime_walks WHERE tenant_id = $1', [tenantId])).rowCount
  await expect
    .poll(
      async () => {
        await walkAll()
        return walks()
      },
      { timeout: 20_000 },
    )
    .toBe(0)
  expect(await countLate(tenantId)).toBe(0)
})

it('a setting that changes again starts the way again', async () => {
  const tenantId = await changedTenant(12_000)
  const store = createLifetimeStore(hurried)
  for (let n = 0; n < 10; n++) await store.shorten(tenantId, BATCH_SIZE)
  await node.services.tenants.update(tenantId, { settings: { idle_ttl_seconds: 60 } })
  while ((await store.shorten(tenantId, BATCH_SIZE)) !== 'over');
  const { rows } = await node.database.pool.query(
    `SELECT count(*) AS count FROM sessions
     WHERE tenant_id = $1 AND ends_at > now() + interval '2 minutes'`,
    [tenantId],
  )
  expect(rows[0].count).toBe(0)
})

interface Plan {
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  Plans?: Plan[]
}
const flatten = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(flatten)]

it('a step reads the sessions of its page, wherever on the way it is', async () => {
  const tenantId = await changedTenant(12_000)
  const { pool } = node.database
  for (const afterId of ['', 'ses_01AAAAAAAAAAAAAAAAAA009000']) {
    await pool.query('UPDATE lifetime_walks SET after_id = $2 WHERE tenant_id = $1', [
      tenantId,
      afterId,
    ])
    const client = await pool.connect()
    await client.query(BEGIN_WALKING)
    const { rows } = await client.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${SHORTEN}`, [
      tenantId,
      BATCH_SIZE,
    ])
    await client.query('ROLLBACK')
    client.release()
    const read = flatten(rows[0]['QUERY PLAN'][0].Plan)
      .filter(step => step['Relation Name'] === 'sessions')
      .map(
        step =>
          (step['Actual Rows'] + (step['Rows Removed by Filter'] ?? 0)) * step['Actual Loops'],
      )
    expect(Math.max(...read)).toBe(BATCH_SIZE)
    expect(read.reduce((sum, each) => sum + each, 0)).toBeLessThan(BATCH_SIZE * 1.1)
  }
})
