import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import type { TenantSettings } from '../tenants/tenants.schema.ts'
import type { CreateSession } from './sessions.schema.ts'

let cluster: TestCluster
let node: TestNode
let otherNode: TestNode

beforeAll(async () => {
  cluster = await createTestCluster()
})
afterAll(() => cluster.close())

async function tenantWith(settings: Partial<TenantSettings>) {
  node = cluster.node()
  otherNode = cluster.node()
  const { tenantId } = await node.tenant({ settings })
  const signIn = async (body: Partial<CreateSession> = {}, at = node) =>
    at.services.sessions.create(await at.actor(tenantId), { user_id: 'u', ...body })
  const list = async (status: 'active' | 'expired' | 'revoked') =>
    (await node.services.sessions.list(tenantId, { status, limit: 100 })).data
  return { tenantId, signIn, list }
}

describe('a limit of sessions for each user', () => {
  it('holds exactly under a hundred sign-ins at once on two nodes, ending the oldest', async () => {
    const { signIn, list } = await tenantWith({ max_sessions_per_user: 3 })
    const made = await Promise.all(
      Array.from({ length: 100 }, (_, n) => signIn({}, n % 2 === 0 ? node : otherNode)),
    )
    expect(await list('active')).toHaveLength(3)
    const revoked = await list('revoked')
    expect(revoked).toHaveLength(97)
    expect(revoked[0]).toMatchObject({ revoked_by: 'system', revoke_reason: 'session_limit' })
    expect(new Set(made.map(({ session }) => session.id)).size).toBe(100)
  })

  it('refuses what is beyond it where the tenant says so, and counts each user apart', async () => {
    const { signIn, list } = await tenantWith({ max_sessions_per_user: 2, on_limit: 'refuse' })
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => signIn({}, n % 2 === 0 ? node : otherNode)),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    await expect(signIn()).rejects.toMatchObject({ code: 'session_limit_reached' })
    await signIn({ user_id: 'other' })
    expect(await list('active')).toHaveLength(3)
  })

  it('that was lowered ends as many as it takes', async () => {
    const { tenantId, signIn, list } = await tenantWith({})
    for (let n = 0; n < 5; n++) await signIn()
    await node.services.tenants.update(tenantId, { settings: { max_sessions_per_user: 2 } })
    const newest = await signIn()
    expect((await list('active')).map(({ id }) => id)).toContain(newest.session.id)
    expect(await list('active')).toHaveLength(2)
  })

  it('goes together with bulk revokes at the same time', async () => {
    const { tenantId, signIn } = await tenantWith({ max_sessions_per_user: 2 })
    const by = await node.actor(tenantId)
    await Promise.all([
      ...Array.from({ length: 40 }, (_, n) => signIn({}, n % 2 === 0 ? node : otherNode)),
      ...Array.from({ length: 6 }, () => otherNode.services.sessions.revokeAll(by, {})),
    ])
  })
})

describe('a session', () => {
  it('ends when it was idle for too long, and not while it is used', async () => {
    const { tenantId, signIn, list } = await tenantWith({
      idle_ttl_seconds: 300,
      access_token_ttl_seconds: 900,
    })
    const idle = await signIn()
    const used = await signIn()
    node.clock.advanceSeconds(200)
    expect(await node.verify(tenantId, used.access_token)).toMatchObject({ valid: true })
    await node.services.worker.stop()
    node.clock.advanceSeconds(150)
    expect(await node.verify(tenantId, idle.access_token)).toEqual({
      valid: false,
      reason: 'session_expired',
    })
    expect(await node.verify(tenantId, used.access_token)).toMatchObject({ valid: true })
    expect((await list('active')).map(({ id }) => id)).toEqual([used.session.id])
    expect((await list('expired')).map(({ id }) => id)).toEqual([idle.session.id])
  })

  it('lives on by being refreshed, but never past its end', async () => {
    const { tenantId, signIn } = await tenantWith({
      idle_ttl_seconds: 300,
      session_ttl_seconds: 700,
    })
    let tokens = await signIn()
    const refresh = async () => {
      const { tenant } = await node.actor(tenantId)
      const { refresh_token } = tokens
      tokens = await node.services.refresh.refresh(tenant, { refresh_token })
    }
    for (let n = 0; n < 3; n++) {
      node.clock.advanceSeconds(200)
      await refresh()
    }
    expect(tokens.expires_in).toBeLessThanOrEqual(100)
    node.clock.advanceSeconds(150)
    await expect(refresh()).rejects.toMatchObject({ code: 'refresh_token_invalid' })
  })

  it('has the lifetimes of its app where the app has its own', async () => {
    const { tenantId, signIn, list } = await tenantWith({
      idle_ttl_seconds: null,
      apps: { kiosk: { session_ttl_seconds: 120, access_token_ttl_seconds: 60 } },
    })
    const kiosk = await signIn({ app_id: 'kiosk' })
    const web = await signIn({ app_id: 'web' })
    expect([kiosk.expires_in, web.expires_in]).toEqual([60, 900])
    node.clock.advanceSeconds(130)
    expect((await list('active')).map(({ id }) => id)).toEqual([web.session.id])
    expect(await node.verify(tenantId, web.access_token)).toMatchObject({ valid: true })
  })

  it('ends at once when the setting is shortened below its age, unless it was given its own', async () => {
    const { tenantId, signIn, list } = await tenantWith({ access_token_ttl_seconds: 86_400 })
    const old = await signIn()
    const given = await signIn({ expires_in: 86_400 })
    node.clock.advanceSeconds(3_600)
    otherNode.clock.advanceSeconds(3_600)
    const young = await signIn()
    await node.services.tenants.update(tenantId, { settings: { session_ttl_seconds: 1_800 } })
    expect(await otherNode.verify(tenantId, old.access_token)).toEqual({
      valid: false,
      reason: 'session_expired',
    })
    for (const { access_token } of [given, young])
      expect(await otherNode.verify(tenantId, access_token)).toMatchObject({ valid: true })
    expect((await list('active')).map(({ id }) => id).toSorted()).toEqual(
      [given.session.id, young.session.id].toSorted(),
    )
    expect(await list('expired')).toMatchObject([{ id: old.session.id, status: 'expired' }])
  })

  it('shows when it was last verified, written off the path and kept by a graceful stop', async () => {
    const { tenantId, signIn } = await tenantWith({})
    const { session, access_token } = await signIn()
    node.clock.advanceSeconds(120)
    await node.verify(tenantId, access_token)
    await node.services.worker.stop()
    const read = await otherNode.services.sessions.get(tenantId, session.id)
    expect(Date.parse(read.last_active_at) - Date.parse(session.last_active_at)).toBeGreaterThan(
      119_000,
    )
  })
})
