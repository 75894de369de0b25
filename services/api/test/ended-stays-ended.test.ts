import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createActivities } from '../src/sessions/activity.ts'
import { createTestClock } from './test-clock.ts'
import { createTestCluster, type TestCluster, type TestNode } from './test-node.ts'

let cluster: TestCluster
let node: TestNode
let otherNode: TestNode

beforeAll(async () => {
  cluster = await createTestCluster()
})
afterAll(() => cluster.close())

const IDLE_SECONDS = 300

/** A session that was used a moment before it ended by being idle, which no database knows yet. */
async function idleSession() {
  node = cluster.node()
  otherNode = cluster.node()
  const settings = { idle_ttl_seconds: IDLE_SECONDS }
  const { tenantId } = await node.tenant({ settings })
  const by = await node.actor(tenantId)
  const created = await node.services.sessions.create(by, { user_id: 'u' })
  const verify = (at = node) => at.verify(tenantId, created.access_token)
  const refresh = (at = node) =>
    at.services.refresh.refresh(by.tenant, { refresh_token: created.refresh_token })
  const bothAdvance = (seconds: number) => {
    for (const each of [node, otherNode]) each.clock.advanceSeconds(seconds)
  }
  bothAdvance(IDLE_SECONDS - 1)
  expect(await verify()).toMatchObject({ valid: true })
  // Writes what is in memory, and the session's last activity with it.
  const writeActivity = () => node.services.worker.stop()
  return { tenantId, by, created, verify, refresh, bothAdvance, writeActivity }
}

describe('a session that has ended by being idle', () => {
  it('is used again in time when its activity is written before', async () => {
    const { verify, bothAdvance, writeActivity } = await idleSession()
    await writeActivity()
    bothAdvance(2)
    expect(await verify()).toMatchObject({ valid: true })
  })

  it('stays ended when activity from before its end is written late', async () => {
    const { verify, refresh, bothAdvance, writeActivity } = await idleSession()
    bothAdvance(2)
    expect(await verify()).toEqual({ valid: false, reason: 'session_expired' })
    await writeActivity()
    expect(await verify()).toEqual({ valid: false, reason: 'session_expired' })
    await expect(refresh()).rejects.toMatchObject({ code: 'refresh_token_invalid' })
  })

  it.each(['one', 'bulk'] as const)(
    'and is revoked then (%s) is never good again, whatever is written late',
    async way => {
      const { by, created, verify, refresh, bothAdvance, writeActivity } = await idleSession()
      bothAdvance(2)
      if (way === 'one') await otherNode.services.sessions.revoke(by, created.session.id)
      else await otherNode.services.sessions.revokeAll(by, {})
      await writeActivity()
      for (const at of [node, otherNode]) {
        expect(await verify(at)).toMatchObject({ valid: false })
        await expect(refresh(at)).rejects.toMatchObject({ status: 401 })
      }
    },
  )

  it('and is revoked then is good at no node, also where its clock says it lives', async () => {
    const { tenantId, by, created, verify, refresh } = await idleSession()
    // To one node the session has ended; to the other it has a second left.
    otherNode.clock.advanceSeconds(2)
    expect(await verify(node)).toMatchObject({ valid: true })
    await otherNode.services.sessions.revoke(by, created.session.id)
    expect(await verify(node)).toEqual({ valid: false, reason: 'session_expired' })
    await expect(refresh(node)).rejects.toMatchObject({ code: 'refresh_token_invalid' })
    // It had ended by itself: nobody is told that somebody ended it.
    const session = await node.services.sessions.get(tenantId, created.session.id)
    expect(session).toMatchObject({ status: 'expired', revoked_at: null, revoked_by: null })
    const { data } = await node.services.events.list(tenantId, { type: 'session.revoked' })
    expect(data).toEqual([])
  })
})

describe('activity in memory', () => {
  it('is written once a minute, and more often where a session would end before', async () => {
    const clock = createTestClock()
    const written: string[] = []
    const activities = createActivities(
      async uses => void written.push(...uses.map(({ sessionId }) => sessionId)),
      clock,
    )
    const issuedAtMs = clock.nowMs()
    for (let seconds = 0; seconds < 60; seconds += 5) {
      clock.advanceSeconds(5)
      for (const [sessionId, idleTtlSeconds] of [['soon', 60] as const, ['never', null] as const])
        activities.note({ tenantId: 'tnt_a', sessionId, idleTtlSeconds }, issuedAtMs)
      await activities.flush()
    }
    const timesOf = (id: string) => written.filter(sessionId => sessionId === id).length
    expect([timesOf('soon'), timesOf('never')]).toEqual([4, 1])
  })
})
