import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import type { CreateSession } from './sessions.schema.ts'

let cluster: TestCluster
let node: TestNode
let otherNode: TestNode

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
  otherNode = cluster.node()
})
afterAll(() => cluster.close())

async function tenantWith(bodies: CreateSession[]) {
  const { tenantId } = await node.tenant()
  const by = await node.actor(tenantId)
  const created = await Promise.all(bodies.map(body => node.services.sessions.create(by, body)))
  return { tenantId, by, created }
}

const many = (count: number, body: CreateSession): CreateSession[] =>
  Array.from({ length: count }, () => body)

describe('a bulk revoke', () => {
  it('ends exactly what its filters name, and says how many that were', async () => {
    const { tenantId, by, created } = await tenantWith([
      ...many(3, { user_id: 'u1', org_id: 'o1', app_id: 'a1' }),
      ...many(2, { user_id: 'u1', org_id: 'o2' }),
      ...many(4, { user_id: 'u2', org_id: 'o1' }),
    ])
    const { sessions } = node.services
    expect(await sessions.revokeAll(by, { user_id: 'u1', org_id: 'o1', dry_run: true })).toBe(3)
    expect(await sessions.revokeAll(by, { user_id: 'u1', org_id: 'o1' })).toBe(3)
    expect(await sessions.revokeAll(by, { user_id: 'u1', org_id: 'o1' })).toBe(0)
    const verdicts = created.map(({ access_token }) => otherNode.verify(tenantId, access_token))
    const valid = (await Promise.all(verdicts)).map(verdict => verdict.valid)
    expect(valid).toEqual([false, false, false, true, true, true, true, true, true])
    expect(await sessions.revokeAll(by, {})).toBe(6)
  })

  it('spares the session that is excepted, on every node', async () => {
    const { tenantId, by, created } = await tenantWith(many(5, { user_id: 'u1' }))
    const [kept, ended] = created
    const except = kept?.session.id ?? ''
    expect(await node.services.sessions.revokeAll(by, { user_id: 'u1', except })).toBe(4)
    for (const each of [node, otherNode]) {
      expect(await each.verify(tenantId, kept?.access_token ?? '')).toMatchObject({ valid: true })
      expect(await each.verify(tenantId, ended?.access_token ?? '')).toEqual({
        valid: false,
        reason: 'session_revoked',
      })
    }
    const page = await node.services.sessions.list(tenantId, {})
    expect(page.data.map(session => session.id)).toEqual([except])
  })

  it('never counts a session twice, however many run at once', async () => {
    const { by } = await tenantWith([
      ...many(40, { user_id: 'u1' }),
      ...many(40, { user_id: 'u2' }),
    ])
    const counts = await Promise.all(
      [{}, { user_id: 'u1' }, { user_id: 'u2' }, {}, { user_id: 'u1' }, {}].map((query, n) =>
        (n % 2 === 0 ? node : otherNode).services.sessions.revokeAll(by, query),
      ),
    )
    expect(counts.reduce((sum, count) => sum + count)).toBe(80)
  })

  it('leaves each session created meanwhile either ended and counted, or untouched', async () => {
    const { tenantId, by } = await tenantWith(many(20, { user_id: 'u' }))
    const tokens: string[] = []
    let isOver = false
    const creating = Promise.all(
      [node, otherNode].map(async each => {
        while (!isOver)
          tokens.push((await each.services.sessions.create(by, { user_id: 'u' })).access_token)
      }),
    )
    const counts: number[] = []
    for (let n = 0; n < 8; n++) counts.push(await node.services.sessions.revokeAll(by, {}))
    isOver = true
    await creating
    const ended = (
      await Promise.all(tokens.map(token => otherNode.verify(tenantId, token)))
    ).filter(verdict => !verdict.valid).length
    expect(counts.reduce((sum, count) => sum + count)).toBe(20 + ended)
    await node.services.followers.settled()
    const { rows } = await node.database.pool.query(
      `SELECT count(*) AS count FROM sessions WHERE tenant_id = $1 AND state = 'revoked'`,
      [tenantId],
    )
    expect(rows[0].count).toBe(20 + ended)
  })

  it('lets a session that is created after its answer live, with a clock an hour behind', async () => {
    const { tenantId, by } = await tenantWith(many(2, { user_id: 'u' }))
    await node.services.sessions.revokeAll(by, {})
    const lateNode = cluster.node()
    lateNode.clock.advanceSeconds(-3600)
    const late = await lateNode.actor(tenantId)
    const body = { user_id: 'u', expires_in: 86_400 }
    const { access_token } = await lateNode.services.sessions.create(late, body)
    expect(await lateNode.verify(tenantId, access_token)).toMatchObject({ valid: true })
    expect((await node.services.sessions.list(tenantId, {})).data).toHaveLength(1)
  })

  it('shows the sessions as revoked before their rows have followed, and after', async () => {
    const { tenantId, by, created } = await tenantWith(many(30, { user_id: 'u' }))
    const id = created[0]?.session.id ?? ''
    const { sessions, followers } = node.services
    await sessions.revokeAll(by, { reason: 'breach' })
    const read = () => sessions.get(tenantId, id)
    const listed = async (status: 'active' | 'revoked') =>
      (await sessions.list(tenantId, { status, limit: 100 })).data.length
    const early = await read()
    expect(early).toMatchObject({
      status: 'revoked',
      revoke_reason: 'breach',
      revoked_by: by.actor,
    })
    expect([await listed('active'), await listed('revoked')]).toEqual([0, 30])
    await followers.settled()
    expect(await read()).toEqual(early)
    expect([await listed('active'), await listed('revoked')]).toEqual([0, 30])
  })

  it('follows the organisation of today, not the one in the token', async () => {
    const { tenantId, by, created } = await tenantWith([
      { user_id: 'moved-out', org_id: 'o1' },
      { user_id: 'moved-in', org_id: 'o2' },
    ])
    const [out, into] = created
    await node.services.sessions.update(by, out?.session.id ?? '', { org_id: 'o2' })
    await node.services.sessions.update(by, into?.session.id ?? '', { org_id: 'o1' })
    expect(await node.services.sessions.revokeAll(by, { org_id: 'o1' })).toBe(1)
    expect(await otherNode.verify(tenantId, out?.access_token ?? '')).toMatchObject({
      valid: true,
      org_id: 'o2',
    })
    expect(await otherNode.verify(tenantId, into?.access_token ?? '')).toMatchObject({
      valid: false,
    })
  })

  it('counts exactly while sessions change their organisation', async () => {
    const { tenantId, by, created } = await tenantWith(many(24, { user_id: 'u', org_id: 'o1' }))
    const { sessions } = node.services
    const move = async ({ session }: (typeof created)[number], n: number) => {
      const org_id = n % 2 === 0 ? 'o2' : 'o1'
      await otherNode.services.sessions
        .update(by, session.id, { org_id })
        .catch(error => expect(error).toMatchObject({ code: 'session_not_active' }))
    }
    const [counts] = await Promise.all([
      Promise.all(['o1', 'o2', 'o1', 'o2'].map(org_id => sessions.revokeAll(by, { org_id }))),
      ...created.map(move),
    ])
    await node.services.followers.settled()
    const active = (await sessions.list(tenantId, { limit: 100 })).data.length
    const verdicts = await Promise.all(
      created.map(({ access_token }) => otherNode.verify(tenantId, access_token)),
    )
    expect(verdicts.filter(({ valid }) => valid)).toHaveLength(active)
    expect(counts.reduce((sum, count) => sum + count) + active).toBe(24)
  })

  it('is finished by the worker when the node that began it has died', async () => {
    const { tenantId, by } = await tenantWith(many(10, { user_id: 'u' }))
    const { pool } = node.database
    await node.services.sessions.revokeAll(by, {})
    await node.services.followers.settled()
    // As the rows would be had the node died before the first batch.
    await pool.query(
      `UPDATE sessions SET state = 'active', revoked_at = NULL WHERE tenant_id = $1`,
      [tenantId],
    )
    await pool.query(
      `UPDATE tenant_changes SET applied_at = NULL, created_at = created_at - interval '5 seconds'
       WHERE tenant_id = $1 AND kind = 'bulk'`,
      [tenantId],
    )
    const late = cluster.node()
    late.services.worker.start({ sweeps: true })
    await expect
      .poll(
        async () =>
          (
            await pool.query(
              `SELECT count(*) AS count FROM sessions WHERE tenant_id = $1 AND state = 'active'`,
              [tenantId],
            )
          ).rows[0].count,
        { timeout: 15_000 },
      )
      .toBe(0)
  })
})
