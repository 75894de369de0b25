import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'

const SESSIONS = 100_000
const CHUNK = 10_000

let cluster: TestCluster
let node: TestNode
let tenantId: string

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
  tenantId = (await node.tenant()).tenantId
  for (let from = 1; from <= SESSIONS; from += CHUNK)
    await node.database.pool.query(
      `INSERT INTO sessions (tenant_id, id, user_id, amr, auth_time, device_type, generation,
         created_at, last_active_at, expires_at, ends_at, token_expires_at, refresh_family_hash)
       SELECT $1, 'ses_01AAAAAAAAAAAAAAAAAA' || lpad(n::text, 6, '0'), 'user' || n % 100, '{}',
         now(), 'other', 0, now(), now(), now() + interval '1 day', now() + interval '1 day',
         now() + interval '15 minutes', sha256('x')
       FROM generate_series($2::int, $3::int) AS n`,
      [tenantId, from, from + CHUNK - 1],
    )
})
afterAll(() => cluster.close())

it('ends a hundred thousand sessions by one row, and stops nobody else', async () => {
  const other = cluster.node()
  const { tenantId: bystander } = await other.tenant()
  const by = await node.actor(tenantId)
  let isOver = false
  const living: string[] = []
  const working = (async () => {
    while (!isOver) {
      const actor = await other.actor(bystander)
      const { access_token } = await other.services.sessions.create(actor, { user_id: 'u' })
      living.push(access_token)
      expect(await other.verify(bystander, access_token)).toMatchObject({ valid: true })
    }
  })()
  const { sessions, followers } = node.services
  const counts = await Promise.all([
    sessions.revokeAll(by, {}),
    other.services.sessions.revokeAll(by, {}),
  ])
  expect(counts.toSorted((a, b) => a - b)).toEqual([0, SESSIONS])
  // Right from the moment of the answer, long before the rows have followed.
  expect((await sessions.list(tenantId, {})).data).toEqual([])
  expect((await sessions.list(tenantId, { status: 'revoked' })).data).toHaveLength(20)
  expect(await sessions.revokeAll(by, { dry_run: true })).toBe(0)
  await Promise.all([followers.settled(), other.services.followers.settled()])
  isOver = true
  await working
  expect(living.length).toBeGreaterThan(10)
  const { rows } = await node.database.pool.query(
    `SELECT state, count(*) AS count FROM sessions WHERE tenant_id = $1 GROUP BY state`,
    [tenantId],
  )
  expect(rows).toEqual([{ state: 'revoked', count: SESSIONS }])
})
