import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'

let cluster: TestCluster
let node: TestNode
let otherNode: TestNode

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
  otherNode = cluster.node()
})
afterAll(() => cluster.close())

async function signIn(settings = {}) {
  const { tenantId } = await node.tenant({ settings })
  const by = await node.actor(tenantId)
  const created = await node.services.sessions.create(by, {
    user_id: 'u',
    ip_address: '203.0.113.7',
  })
  const refresh = (refresh_token: string, at = node) =>
    at.services.refresh.refresh(by.tenant, { refresh_token })
  const status = async () => (await node.services.sessions.get(tenantId, created.session.id)).status
  return { tenantId, by, created, refresh, status }
}

describe('a refresh token', () => {
  it('rotates at each use, and its session goes on', async () => {
    const { tenantId, created, refresh } = await signIn()
    const first = await refresh(created.refresh_token)
    const second = await refresh(first.refresh_token)
    expect(new Set([created, first, second].map(each => each.refresh_token)).size).toBe(3)
    expect(second.session.id).toBe(created.session.id)
    expect(await otherNode.verify(tenantId, second.access_token)).toMatchObject({ valid: true })
  })

  it('that two hundred use at once, on two nodes, has one successor and one answer', async () => {
    const { created, refresh } = await signIn()
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        refresh(created.refresh_token, n % 2 === 0 ? node : otherNode),
      ),
    )
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBe(1)
    const { rows } = await node.database.pool.query(
      'SELECT refresh_generation FROM sessions WHERE id = $1',
      [created.session.id],
    )
    expect(rows).toEqual([{ refresh_generation: 1 }])
  })

  it('one step behind is honoured until its successor is used', async () => {
    const { created, refresh, status } = await signIn()
    const first = await refresh(created.refresh_token)
    expect((await refresh(created.refresh_token)).refresh_token).toBe(first.refresh_token)
    await refresh(first.refresh_token)
    await expect(refresh(created.refresh_token)).rejects.toMatchObject({
      code: 'refresh_token_reuse',
    })
    expect(await status()).toBe('revoked')
  })

  it('one step behind is theft once the grace has passed, and both holders are out', async () => {
    const { tenantId, by, created, refresh } = await signIn({ refresh_grace_seconds: 0 })
    const first = await refresh(created.refresh_token)
    const theft = node.services.refresh.refresh(by.tenant, {
      refresh_token: created.refresh_token,
      ip_address: '198.51.100.9',
    })
    await expect(theft).rejects.toMatchObject({ code: 'refresh_token_reuse' })
    await expect(refresh(first.refresh_token)).rejects.toMatchObject({
      code: 'refresh_token_reuse',
    })
    expect(await otherNode.verify(tenantId, first.access_token)).toEqual({
      valid: false,
      reason: 'session_revoked',
    })
    const { data } = await node.services.events.list(tenantId, { type: 'session.revoked' })
    expect(data).toMatchObject([
      {
        actor: 'system',
        data: {
          reason: 'refresh_token_reuse',
          session_ip_address: '203.0.113.7',
          presented_ip_address: '198.51.100.9',
        },
      },
    ])
  })

  it('of each older generation ends the session', async () => {
    const { created, refresh, status } = await signIn()
    let newest = created.refresh_token
    for (let n = 0; n < 4; n++) newest = (await refresh(newest)).refresh_token
    await expect(refresh(created.refresh_token)).rejects.toMatchObject({ status: 401 })
    expect(await status()).toBe('revoked')
    await expect(refresh(newest)).rejects.toMatchObject({ status: 401 })
  })

  it('that races a revoke has lost, or its tokens are dead', async () => {
    for (let round = 0; round < 30; round++) {
      const { tenantId, by, created, refresh } = await signIn()
      const revoke =
        round % 2 === 0
          ? node.services.sessions.revoke(by, created.session.id)
          : node.services.sessions.revokeAll(by, {})
      const [answer] = await Promise.all([
        refresh(created.refresh_token, otherNode).catch(() => null),
        revoke,
      ])
      if (answer === null) continue
      expect(await otherNode.verify(tenantId, answer.access_token)).toMatchObject({ valid: false })
      await expect(refresh(answer.refresh_token)).rejects.toMatchObject({ status: 401 })
    }
  })

  it('of an ended session, of another tenant, or altered, refreshes nothing', async () => {
    const { created, refresh } = await signIn()
    const other = await signIn()
    await expect(other.refresh(created.refresh_token)).rejects.toMatchObject({
      code: 'refresh_token_invalid',
    })
    const token = created.refresh_token
    for (let at = 0; at < token.length; at += 3) {
      const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      await expect(refresh(altered)).rejects.toMatchObject({ code: 'refresh_token_invalid' })
    }
    expect(await refresh(token)).toMatchObject({ token_type: 'Bearer' })
  })

  it('is refused without a key unless the tenant allows it', async () => {
    const closed = await signIn()
    const open = await signIn({ public_refresh: true })
    const publicly = (refresh_token: string) =>
      node.services.refresh.refresh(null, { refresh_token })
    await expect(publicly(closed.created.refresh_token)).rejects.toMatchObject({
      code: 'api_key_invalid',
    })
    expect(await publicly(open.created.refresh_token)).toMatchObject({ token_type: 'Bearer' })
  })

  it('is nowhere in the database, nor is anything that makes one', async () => {
    const { created } = await signIn()
    const [, , , , family = ''] = created.refresh_token.split(/[_.]/)
    const { rows } = await node.database.pool.query(
      'SELECT row_to_json(s)::text AS row FROM sessions AS s WHERE id = $1',
      [created.session.id],
    )
    expect(rows[0].row).not.toContain(family)
    expect(rows[0].row).not.toContain(Buffer.from(family, 'base64url').toString('hex'))
  })
})
