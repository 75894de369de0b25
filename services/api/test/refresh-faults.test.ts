import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from './test-node.ts'

let cluster: TestCluster
let nodes: [TestNode, TestNode, TestNode]

beforeAll(async () => {
  cluster = await createTestCluster()
  nodes = [cluster.node(), cluster.node(), cluster.node()]
})
afterAll(() => cluster.close())

async function signIn(settings = {}) {
  const [node] = nodes
  const { tenantId } = await node.tenant({ settings })
  const by = await node.actor(tenantId)
  const created = await node.services.sessions.create(by, { user_id: 'u' })
  const refreshAt = (at: TestNode, refresh_token: string) =>
    at.services.refresh.refresh(by.tenant, { refresh_token })
  return { tenantId, by, created, refreshAt }
}

describe('a refresh token', () => {
  it('that two hundred use at once, on three nodes, has one successor and one answer', async () => {
    const { created, refreshAt } = await signIn()
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        refreshAt(nodes[n % 3] as TestNode, created.refresh_token),
      ),
    )
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]?.refresh_token).not.toBe(created.refresh_token)
  })

  const STEPS = 5
  it.each(Array.from({ length: STEPS - 1 }, (_, generation) => generation))(
    'of generation %i of five is theft, at any node and after every node was restarted',
    async generation => {
      const { tenantId, created, refreshAt } = await signIn()
      const line = [created]
      for (let step = 0; step < STEPS; step++) {
        const newest = line.at(-1)
        if (newest !== undefined)
          line.push(await refreshAt(nodes[step % 3] as TestNode, newest.refresh_token))
      }
      const restarted = cluster.node()
      const old = line[generation]?.refresh_token ?? ''
      await expect(refreshAt(restarted, old)).rejects.toMatchObject({ code: 'refresh_token_reuse' })
      for (const node of [...nodes, restarted])
        for (const { access_token, refresh_token } of line) {
          await expect(refreshAt(node, refresh_token)).rejects.toMatchObject({ status: 401 })
          expect(await node.verify(tenantId, access_token)).toMatchObject({ valid: false })
        }
      const { data } = await restarted.services.events.list(tenantId, { type: 'session.revoked' })
      expect(data).toHaveLength(1)
    },
  )

  it('whose old and newest are used at once ends for both, or the newest came first', async () => {
    for (let round = 0; round < 10; round++) {
      const { tenantId, created, refreshAt } = await signIn({ refresh_grace_seconds: 0 })
      const first = await refreshAt(nodes[0], created.refresh_token)
      const [theft, honest] = await Promise.allSettled([
        refreshAt(nodes[1], created.refresh_token),
        refreshAt(nodes[2], first.refresh_token),
      ])
      expect(theft).toMatchObject({ status: 'rejected', reason: { code: 'refresh_token_reuse' } })
      const newest = honest.status === 'fulfilled' ? honest.value : first
      await expect(refreshAt(nodes[0], newest.refresh_token)).rejects.toMatchObject({ status: 401 })
      expect(await nodes[1].verify(tenantId, newest.access_token)).toMatchObject({ valid: false })
    }
  })

  it('that is used as its session expires gives nothing that outlives it', async () => {
    const { tenantId, by, refreshAt } = await signIn()
    for (const secondsLeft of [2, 1, 0, -1]) {
      const [node] = nodes
      const { refresh_token } = await node.services.sessions.create(by, {
        user_id: 'short',
        expires_in: 60,
      })
      const late = cluster.node()
      late.clock.advanceSeconds(60 - secondsLeft)
      const answer = await refreshAt(late, refresh_token).catch(error => error)
      if (secondsLeft <= 0) expect(answer).toMatchObject({ code: 'refresh_token_invalid' })
      else expect(answer.expires_in).toBeLessThanOrEqual(secondsLeft)
      late.clock.advanceSeconds(3)
      await expect(refreshAt(late, refresh_token)).rejects.toMatchObject({ status: 401 })
      if (secondsLeft > 0)
        expect(await late.verify(tenantId, answer.access_token)).toMatchObject({ valid: false })
    }
  })
})

describe('a limit of sessions for each user', () => {
  it.each(['refuse', 'revoke_oldest'] as const)(
    'holds for a hundred who sign in at once on three nodes (%s)',
    async on_limit => {
      const ROOM = 4
      const { tenantId, by } = await signIn({ max_sessions_per_user: ROOM, on_limit })
      const made = await Promise.allSettled(
        Array.from({ length: 100 }, (_, n) =>
          (nodes[n % 3] as TestNode).services.sessions.create(by, { user_id: 'crowd' }),
        ),
      )
      const created = made.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
      expect(created).toHaveLength(on_limit === 'refuse' ? ROOM : 100)
      for (const node of nodes) {
        const verdicts = await Promise.all(
          created.map(({ access_token }) => node.verify(tenantId, access_token)),
        )
        expect(verdicts.filter(({ valid }) => valid)).toHaveLength(ROOM)
      }
    },
  )
})

describe('nodes whose clocks differ', () => {
  const SKEWS = [-3_600, -30, 30, 3_600]

  it.each(SKEWS)('by %i s refuse what any of them has revoked', async skew => {
    const skewed = cluster.node()
    skewed.clock.advanceSeconds(skew)
    const [node] = nodes
    for (const [by, at] of [
      [node, skewed],
      [skewed, node],
    ] as const) {
      const { tenantId, created } = await signIn()
      const actor = await by.actor(tenantId)
      const bulk = await node.services.sessions.create(actor, { user_id: 'bulk' })
      await at.verify(tenantId, created.access_token)
      await by.services.sessions.revoke(actor, created.session.id)
      await by.services.sessions.revokeAll(actor, { user_id: 'bulk' })
      for (const each of [created, bulk]) {
        expect(await at.verify(tenantId, each.access_token)).toMatchObject({ valid: false })
        const { tenant } = await at.actor(tenantId)
        const { refresh_token } = each
        await expect(at.services.refresh.refresh(tenant, { refresh_token })).rejects.toMatchObject({
          status: 401,
        })
      }
    }
  })

  it.each([-30, 30])('by %i s accept what nobody has revoked', async skew => {
    const skewed = cluster.node()
    skewed.clock.advanceSeconds(skew)
    const { tenantId, by, created, refreshAt } = await signIn()
    const there = await skewed.services.sessions.create(by, { user_id: 'u' })
    for (const [node, token] of [
      [skewed, created.access_token],
      [nodes[0], there.access_token],
    ] as const)
      expect(await node.verify(tenantId, token)).toMatchObject({ valid: true })
    const fresh = await refreshAt(skewed, created.refresh_token)
    expect(await nodes[1].verify(tenantId, fresh.access_token)).toMatchObject({ valid: true })
  })

  it.each([-3_600, 3_600])(
    'or step by %i s while they run know every revocation before and after',
    async step => {
      const stepping = cluster.node()
      const { tenantId, by, created } = await signIn()
      const [before, after, spared] = await Promise.all(
        Array.from({ length: 3 }, () => nodes[0].services.sessions.create(by, { user_id: 'u' })),
      )
      if (!before || !after || !spared) throw new Error('a session is missing')
      expect(await stepping.verify(tenantId, created.access_token)).toMatchObject({ valid: true })
      await nodes[0].services.sessions.revoke(by, before.session.id)
      await stepping.verify(tenantId, before.access_token)
      stepping.clock.advanceSeconds(step)
      await nodes[0].services.sessions.revoke(by, after.session.id)
      for (const round of [0, 1]) {
        for (const { access_token } of [before, after])
          expect(await stepping.verify(tenantId, access_token)).toMatchObject({ valid: false })
        if (round === 0) stepping.clock.advanceSeconds(-step)
      }
      expect(await stepping.verify(tenantId, spared.access_token)).toMatchObject({ valid: true })
    },
  )
})
