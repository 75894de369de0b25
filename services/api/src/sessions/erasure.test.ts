import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { newId } from '../shared/ids.ts'
import { createBulkRevokeStore } from './bulk-revoke.store.ts'
import { createErasureStore, type ErasureStore } from './erasure.store.ts'

const MANY = 30_000
const CHUNK = 10_000

let cluster: TestCluster
let node: TestNode
let store: ErasureStore

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
  store = createErasureStore(node.database.pool)
})
afterAll(() => cluster.close())

/** Sessions of one user in every state, half of them with tokens that are long dead. */
async function fillUser(tenantId: string, userId: string, count: number): Promise<void> {
  const { pool } = node.database
  for (let from = 1; from <= count; from += CHUNK) {
    const values = [tenantId, userId, from, Math.min(from + CHUNK - 1, count)]
    await pool.query(
      `INSERT INTO sessions (tenant_id, id, user_id, state, revoked_at, amr, auth_time, device_type,
         ip_address, generation, created_at, last_active_at, expires_at, ends_at, token_expires_at,
         refresh_family_hash)
       SELECT $1, 'ses_01AAAAAAAAAAAAAAAAAA' || lpad(n::text, 6, '0'), $2,
         (ARRAY['active', 'revoked', 'expired', 'active'])[1 + n % 4],
         CASE WHEN n % 4 = 1 THEN now() END, '{}', now(), 'other', '198.51.100.93', 0, now(), now(),
         now() + interval '1 day', now() + interval '1 day',
         now() + interval '1 hour' * CASE WHEN n % 2 = 0 THEN 1 ELSE -30 END, sha256('x')
       FROM generate_series($3::int, $4::int) AS n`,
      values,
    )
    await pool.query(
      `INSERT INTO events (tenant_id, id, type, session_id, user_id, actor)
       SELECT $1, 'evt_01AAAAAAAAAAAAAAAAAA' || lpad(n::text, 6, '0'), 'session.created',
         'ses_01AAAAAAAAAAAAAAAAAA' || lpad(n::text, 6, '0'), $2, 'key_test'
       FROM generate_series($3::int, $4::int) AS n`,
      values,
    )
  }
}

const namedRows = async (tenantId: string, userId: string): Promise<number> => {
  const { rows } = await node.database.pool.query(
    `SELECT (SELECT count(*) FROM sessions WHERE tenant_id = $1 AND user_id = $2)
       + (SELECT count(*) FROM events WHERE tenant_id = $1 AND user_id = $2)
       + (SELECT count(*) FROM erasures WHERE tenant_id = $1) AS count`,
    [tenantId, userId],
  )
  return rows[0].count
}
const finished = async (tenantId: string, id: string) =>
  (await node.services.events.list(tenantId, { type: 'user.erased' })).data.find(
    event => event.data.erasure_id === id,
  )

it('of thirty thousand sessions goes in batches, counts exactly, and stops nobody else', async () => {
  const { tenantId } = await node.tenant()
  await fillUser(tenantId, 'ada', MANY)
  const by = await node.actor(tenantId)
  let isOver = false
  const waits: number[] = []
  const working = (async () => {
    while (!isOver) {
      const startedAtMs = performance.now()
      await node.services.sessions.create(by, { user_id: 'bob' })
      waits.push(performance.now() - startedAtMs)
    }
  })()
  const { erasures } = node.services
  let erasure = await erasures.erase(by, 'ada')
  const { id } = erasure
  expect(erasure).toMatchObject({ revoked: MANY / 2 })
  // On a slow machine the answer comes before the end; the worker would then go on.
  while (erasure.status === 'running') {
    await erasures.finishAll(() => false)
    if ((await finished(tenantId, id)) !== undefined) erasure = { ...erasure, status: 'completed' }
  }
  isOver = true
  await working
  expect((await finished(tenantId, id))?.data).toEqual({
    erasure_id: id,
    revoked: MANY / 2,
    sessions_erased: MANY,
    events_erased: MANY + 1,
  })
  expect(await namedRows(tenantId, 'ada')).toBe(0)
  const { rows } = await node.database.pool.query(
    `SELECT count(*) AS count FROM sessions
     WHERE tenant_id = $1 AND user_id LIKE 'erased_%' AND (state = 'active' OR ip_address IS NOT NULL)`,
    [tenantId],
  )
  expect(rows[0].count).toBe(0)
  expect(waits.length).toBeGreaterThan(20)
}, 120_000)

describe('an erasure whose node died', () => {
  /** As it is when the sessions are ended and the process is killed at that moment. */
  const abandon = async (tenantId: string, userId: string) => {
    const { actor } = await node.actor(tenantId)
    const id = newId('ers')
    const { pool } = node.database
    await createBulkRevokeStore(pool).revoke(
      tenantId,
      { userId },
      { revokedBy: actor, reason: null, at: new Date(node.clock.nowMs()) },
      (client, ended) => store.insert(client, tenantId, { id, userId, actor }, ended),
    )
    await forget(id)
    return id
  }
  const forget = (id: string) =>
    node.database.pool.query(
      `UPDATE erasures SET progressed_at = now() - interval '1 minute' WHERE id = $1`,
      [id],
    )

  it('leaves those alone who signed in since, whatever became of their sessions', async () => {
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const { sessions, erasures, events } = node.services
    const signIn = () => sessions.create(by, { user_id: 'ada', user_agent: 'agent' })
    const old = await signIn()
    const id = await abandon(tenantId, 'ada')
    const [living, ended] = [await signIn(), await signIn()]
    await sessions.revoke(by, ended.session.id)
    await erasures.finishAll(() => false)
    expect((await finished(tenantId, id))?.data).toMatchObject({ revoked: 1, sessions_erased: 1 })
    expect(await node.verify(tenantId, old.access_token)).toMatchObject({ valid: false })
    expect(await node.verify(tenantId, living.access_token)).toMatchObject({ valid: true })
    const { data } = await sessions.list(tenantId, { user_id: 'ada', status: 'all' })
    expect(data.map(({ id, user_agent }) => [id, user_agent])).toEqual([
      [ended.session.id, 'agent'],
      [living.session.id, 'agent'],
    ])
    const trail = await events.list(tenantId, { user_id: 'ada' })
    expect(trail.data.map(({ type, session_id }) => [type, session_id])).toEqual([
      ['session.revoked', ended.session.id],
      ['session.created', ended.session.id],
      ['session.created', living.session.id],
    ])
  })

  it('is finished by any number of workers, and each row counts once', async () => {
    const { tenantId } = await node.tenant()
    await fillUser(tenantId, 'ada', 5_000)
    const id = await abandon(tenantId, 'ada')
    const workers = [node, cluster.node(), cluster.node()]
    await Promise.all(workers.map(({ services }) => services.erasures.finishAll(() => false)))
    expect((await finished(tenantId, id))?.data).toEqual({
      erasure_id: id,
      revoked: 2_500,
      sessions_erased: 5_000,
      events_erased: 5_001,
    })
    expect(await namedRows(tenantId, 'ada')).toBe(0)
  })

  it('stops between two batches when the process stops, and loses no count', async () => {
    const { tenantId } = await node.tenant()
    await fillUser(tenantId, 'ada', 2_500)
    const id = await abandon(tenantId, 'ada')
    await node.services.erasures.finishAll(() => true)
    expect(await finished(tenantId, id)).toBeUndefined()
    await forget(id)
    await node.services.erasures.finishAll(() => false)
    expect((await finished(tenantId, id))?.data).toMatchObject({ sessions_erased: 2_500 })
  })
})

it('ends a session that a bulk revoke has ended and whose row does not say so, and one that lapsed', async () => {
  const { tenantId } = await node.tenant()
  const by = await node.actor(tenantId)
  const { sessions, erasures, followers } = node.services
  const make = (body = {}) => sessions.create(by, { user_id: 'ada', ...body })
  const [covered, lapsed] = [await make({ org_id: 'acme' }), await make()]
  const { pool } = node.database
  await sessions.revokeAll(by, { org_id: 'acme' })
  await followers.settled()
  await pool.query(
    `UPDATE sessions SET state = 'active', revoked_at = NULL WHERE tenant_id = $1 AND id = $2`,
    [tenantId, covered.session.id],
  )
  await pool.query(
    `UPDATE tenant_changes SET applied_at = NULL WHERE tenant_id = $1 AND kind = 'bulk'`,
    [tenantId],
  )
  await pool.query(
    `UPDATE sessions SET ends_at = now() - interval '1 second' WHERE tenant_id = $1 AND id = $2`,
    [tenantId, lapsed.session.id],
  )
  expect(await erasures.erase(by, 'ada')).toMatchObject({ revoked: 0, sessions_erased: 2 })
  expect(await node.verify(tenantId, covered.access_token)).toEqual({
    valid: false,
    reason: 'session_revoked',
  })
  const { rows } = await pool.query(
    `SELECT id, state, org_id FROM sessions WHERE tenant_id = $1 ORDER BY id`,
    [tenantId],
  )
  expect(rows).toEqual([
    { id: covered.session.id, state: 'revoked', org_id: null },
    { id: lapsed.session.id, state: 'expired', org_id: null },
  ])
})

it('waits for a row that somebody holds, and reads what they wrote', async () => {
  const { tenantId } = await node.tenant()
  const by = await node.actor(tenantId)
  const { session } = await node.services.sessions.create(by, { user_id: 'ada' })
  const client = await node.database.pool.connect()
  await client.query('BEGIN')
  await client.query(
    `UPDATE sessions SET metadata = '{"late": "ada"}' WHERE tenant_id = $1 AND id = $2`,
    [tenantId, session.id],
  )
  const erasing = node.services.erasures.erase(by, 'ada')
  await expect
    .poll(async () => (await node.services.sessions.get(tenantId, session.id)).status)
    .toBe('revoked')
  await client.query('COMMIT')
  client.release()
  expect(await erasing).toMatchObject({ status: 'completed', sessions_erased: 1 })
  const { rows } = await node.database.pool.query(
    'SELECT metadata FROM sessions WHERE tenant_id = $1',
    [tenantId],
  )
  expect(rows).toEqual([{ metadata: {} }])
})
