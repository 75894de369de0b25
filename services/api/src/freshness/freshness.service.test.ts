import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestClock } from '../../test/test-clock.ts'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { createMasterKey } from '../shared/crypto.ts'
import { createFreshness } from './freshness.service.ts'
import type { FreshnessStore } from './freshness.store.ts'
import { createTenantCopies } from './tenant-copies.ts'
import type { TenantChange } from './tenant-copy.ts'

/** A store whose answers the test gives when it wants to. */
function createManualStore() {
  const questions: {
    known: { tenantId: string; seq: number }[]
    answer(c: TenantChange[]): void
  }[] = []
  const store: FreshnessStore = {
    findHead: async () => 0,
    findTenant: async tenantId => ({
      tenantId,
      name: 'Test',
      status: 'active',
      settings: {},
      signingKeys: [],
    }),
    readLogPage: async (_, { upToSeq }) => ({ groups: [], hasOthers: false, next: null, upToSeq }),
    listBulks: async () => [],
    listChanges: known => {
      const { promise, resolve } = Promise.withResolvers<TenantChange[]>()
      questions.push({
        known: known.map(({ tenantId, seq }) => ({ tenantId, seq })),
        answer: resolve,
      })
      return promise
    },
  }
  const clock = createTestClock()
  const masterKey = createMasterKey(Buffer.alloc(32))
  const copies = createTenantCopies({ store, masterKey, clock })
  return { questions, clock, freshness: createFreshness({ store, copies, clock }) }
}

/** A question is sent some turns of the event loop after it was wanted. */
const tick = async () => {
  for (let turn = 0; turn < 4; turn++) await new Promise(resolve => setImmediate(resolve))
}

const revocation = (tenantId: string, seq: number, sessionId: string): TenantChange => ({
  tenantId,
  seq,
  kind: 'session',
  sessionId,
  userId: null,
  orgId: null,
  appId: null,
  exceptSessionId: null,
  generation: null,
  forgetAfter: new Date(Date.now() + 900_000),
})

describe('the freshness question', () => {
  it('is asked once for all who wait, and never serves who came after it was sent', async () => {
    const { questions, freshness } = createManualStore()
    const first = freshness.current('tnt_a')
    await tick()
    expect(questions).toHaveLength(1)
    let lateAnswers = 0
    const late = Array.from({ length: 500 }, async () => {
      await freshness.current('tnt_a')
      lateAnswers++
    })
    await tick()
    expect(questions).toHaveLength(1)
    questions[0]?.answer([])
    await first
    await tick()
    expect(lateAnswers).toBe(0)
    expect(questions).toHaveLength(2)
    questions[1]?.answer([])
    await Promise.all(late)
    expect(freshness.counts).toEqual({ questions: 2, requests: 501 })
  })

  it('costs two questions at most for 64 who come in the same moment', async () => {
    const { questions, freshness } = createManualStore()
    const warm = freshness.current('tnt_a')
    await tick()
    questions[0]?.answer([])
    await warm
    const all = Promise.all(Array.from({ length: 64 }, () => freshness.current('tnt_a')))
    for (const number of [1, 2]) {
      await tick()
      questions[number]?.answer([])
    }
    await all
    expect(questions.length).toBeLessThanOrEqual(1 + 2)
  })

  it('asks for several tenants at once, each from where its copy stands', async () => {
    const { questions, freshness } = createManualStore()
    const warm = freshness.current('tnt_a')
    await tick()
    questions[0]?.answer([revocation('tnt_a', 1, 'ses_1'), revocation('tnt_a', 2, 'ses_2')])
    const copy = await warm
    expect(copy?.seq).toBe(2)
    const both = [freshness.current('tnt_b'), freshness.current('tnt_a')]
    await tick()
    expect(questions.slice(1).flatMap(question => question.known)).toContainEqual({
      tenantId: 'tnt_a',
      seq: 2,
    })
    for (const question of questions.slice(1)) question.answer([])
    await tick()
    for (const question of questions.slice(2)) question.answer([])
    await Promise.all(both)
  })

  it('answers 503 when Postgres does not, and asks anew for the next', async () => {
    const { questions, freshness } = createManualStore()
    await expect(freshness.current('tnt_a')).rejects.toMatchObject({ code: 'service_unavailable' })
    const next = freshness.current('tnt_a')
    await tick()
    expect(questions).toHaveLength(2)
    questions[1]?.answer([])
    expect(await next).toMatchObject({ tenantId: 'tnt_a' })
  })

  it('loads a copy anew after the clock stepped back, lest a forgotten revocation come to life', async () => {
    const { questions, freshness, clock } = createManualStore()
    const warm = freshness.current('tnt_a')
    await tick()
    questions[0]?.answer([revocation('tnt_a', 1, 'ses_1')])
    await warm
    clock.advanceSeconds(-3600)
    const again = freshness.current('tnt_a')
    await tick()
    expect(questions[1]?.known).toEqual([{ tenantId: 'tnt_a', seq: 0 }])
    questions[1]?.answer([])
    await again
  })
})

describe('on real nodes', () => {
  let cluster: TestCluster
  let node: TestNode
  let other: TestNode
  beforeAll(async () => {
    cluster = await createTestCluster()
    node = cluster.node()
    other = cluster.node()
  })
  afterAll(() => cluster.close())

  it('a revoke that has answered is refused by every node, every time', async () => {
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const { sessions } = node.services
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const { session, access_token } = await sessions.create(by, { user_id: `u${n}` })
        expect(await other.verify(tenantId, access_token)).toMatchObject({ valid: true })
        if (n % 2 === 0) await sessions.revoke(by, session.id)
        else await sessions.revokeAll(by, { user_id: `u${n}` })
        expect(await other.verify(tenantId, access_token)).toEqual({
          valid: false,
          reason: 'session_revoked',
        })
      }),
    )
    const { questions, requests } = other.services.freshness.counts
    expect(questions).toBeLessThan(requests)
  })

  it('a revoked API key is unknown to every node at once', async () => {
    const { tenantId, secret } = await node.tenant()
    const { apiKey } = await other.services.apiKeys.authenticate(secret)
    await node.services.apiKeys.revoke(tenantId, apiKey.id, 'operator')
    await expect(other.services.apiKeys.authenticate(secret)).rejects.toMatchObject({
      code: 'api_key_invalid',
    })
  })

  it('a rotated secret is refused at once by a node whose clock is behind', async () => {
    const { tenantId, secret } = await node.tenant()
    const late = cluster.node()
    late.clock.advanceSeconds(-30)
    const { apiKey } = await late.services.apiKeys.authenticate(secret)
    const by = { actor: 'operator', scopes: new Set(apiKey.scopes) }
    const { secret: next } = await node.services.apiKeys.rotate(tenantId, apiKey.id, {}, by)
    await expect(late.services.apiKeys.authenticate(secret)).rejects.toMatchObject({
      code: 'api_key_invalid',
    })
    expect((await late.services.apiKeys.authenticate(next)).apiKey.id).toBe(apiKey.id)
  })

  it('a suspended tenant, and a deleted one, are known to every node at once', async () => {
    const { tenantId, secret } = await node.tenant()
    const by = await node.actor(tenantId)
    const { access_token } = await node.services.sessions.create(by, { user_id: 'u' })
    await other.verify(tenantId, access_token)
    await node.services.tenants.update(tenantId, { status: 'suspended' })
    expect(await other.verify(tenantId, access_token)).toMatchObject({ valid: false })
    await node.services.tenants.update(tenantId, { status: 'active' })
    expect(await other.verify(tenantId, access_token)).toMatchObject({ valid: true })
    await node.services.tenants.delete(tenantId)
    expect(await other.services.freshness.current(tenantId)).toBeNull()
    await expect(other.services.apiKeys.authenticate(secret)).rejects.toThrow('api_key_invalid')
  })

  it('a database that lost commits is noticed, and nothing learnt from it is built on', async () => {
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const make = () => node.services.sessions.create(by, { user_id: 'u' })
    const [lost, later] = [await make(), await make()]
    await node.services.sessions.revoke(by, lost.session.id)
    expect(await other.verify(tenantId, later.access_token)).toMatchObject({ valid: true })
    // As after a failover to a replica that had not got the newest commits.
    const { pool } = node.database
    await pool.query('DELETE FROM tenant_changes WHERE tenant_id = $1', [tenantId])
    await pool.query('UPDATE tenant_heads SET seq = seq - 1 WHERE tenant_id = $1', [tenantId])
    expect(await other.verify(tenantId, later.access_token)).toMatchObject({ valid: true })
    await node.services.sessions.revoke(by, later.session.id)
    expect(await other.verify(tenantId, later.access_token)).toMatchObject({ valid: false })
  })

  it('forgets all when its connection is a new one', async () => {
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const { access_token } = await node.services.sessions.create(by, { user_id: 'u' })
    const before = await other.services.freshness.current(tenantId)
    await node.database.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'sesame-freshness' AND datname = current_database()`,
    )
    await expect
      .poll(() => other.verify(tenantId, access_token).catch(() => null), { timeout: 5_000 })
      .toMatchObject({ valid: true })
    expect(await other.services.freshness.current(tenantId)).not.toBe(before)
  })

  it('a node that starts late knows of all that was revoked before', async () => {
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const { session, access_token } = await node.services.sessions.create(by, { user_id: 'u' })
    await node.services.sessions.revoke(by, session.id)
    expect(await cluster.node().verify(tenantId, access_token)).toMatchObject({ valid: false })
  })

  it('two revokes of one tenant at once get numbers in the order of their commits', async () => {
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const made = await Promise.all(
      Array.from({ length: 60 }, () => node.services.sessions.create(by, { user_id: 'u' })),
    )
    await Promise.all(
      made.map(({ session }, n) =>
        (n % 2 === 0 ? node : other).services.sessions.revoke(by, session.id),
      ),
    )
    const { rows } = await node.database.pool.query(
      'SELECT seq FROM tenant_changes WHERE tenant_id = $1 ORDER BY seq',
      [tenantId],
    )
    expect(rows.map(row => row.seq)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1))
  })
})
