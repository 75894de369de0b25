import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFeed } from '../../test/feed-reader.ts'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let url: string

beforeAll(async () => {
  sesame = await createTestApp()
  url = await sesame.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => sesame.close())

const revoke = (tenant: TestTenant, id: string) => tenant.call('DELETE', `/v1/sessions/${id}`)

/** Lines of the change log as so many revokes of sessions write them. */
async function insertChanges(tenantId: string, sessionId: string, count: number): Promise<void> {
  await sesame.node.database.pool.query(
    `WITH head AS (
       UPDATE tenant_heads SET seq = seq + $3::int WHERE tenant_id = $1 RETURNING seq - $3::int AS seq
     )
     INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, revoked_by, forget_after)
     SELECT $1, head.seq + n, 'session', $2, 'key_test', now() + interval '15 minutes'
     FROM head CROSS JOIN generate_series(1, $3::int) AS n`,
    [tenantId, sessionId, count],
  )
}

const list = async (tenant: TestTenant, query: Record<string, string> = {}) =>
  (await tenant.call('GET', '/v1/revocations', { query })).body

describe('GET /v1/revocations', () => {
  it('tells each revocation once, in order, and where to go on', async () => {
    const tenant = await sesame.tenant()
    const sessions = [await tenant.session(), await tenant.session(), await tenant.session()]
    for (const { session } of sessions) await revoke(tenant, session.id)
    const first = await list(tenant, { limit: '2' })
    expect(first).toMatchObject({ has_more: true, reset: false })
    const rest = await list(tenant, { after: String(first.next_after) })
    const told = [...first.data, ...rest.data]
    expect(told.map(entry => entry.session_id)).toEqual(sessions.map(({ session }) => session.id))
    expect(told[0]).toMatchObject({ type: 'session_revoked', all: false, generation: null })
    expect(await list(tenant, { after: String(rest.next_after) })).toMatchObject({
      data: [],
      has_more: false,
      next_after: rest.next_after,
    })
  })

  it('tells a bulk revoke of any size in one entry, with the generation that it ends', async () => {
    const tenant = await sesame.tenant()
    const { access_token: token } = await tenant.session()
    for (let n = 0; n < 20; n++) await tenant.session()
    await tenant.call('DELETE', '/v1/sessions')
    const { data } = await list(tenant)
    expect(data).toMatchObject([{ type: 'sessions_revoked', all: true, session_id: null }])
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
    expect(claims.gen).toBeLessThan(data[0].generation)
    const later = await tenant.session()
    const laterClaims = later.access_token.split('.')[1]
    const { gen } = JSON.parse(Buffer.from(laterClaims, 'base64url').toString())
    expect(gen).toBeGreaterThanOrEqual(data[0].generation)
  })

  it('tells that a session changed its role or organisation, not to what, and not that it ended', async () => {
    const tenant = await sesame.tenant()
    const { session, access_token: token } = await tenant.session()
    const bodies = [{ role: 'admin' }, { org_id: 'org_2' }, { metadata: { a: 'b' } }]
    for (const body of bodies) await tenant.call('PATCH', `/v1/sessions/${session.id}`, { body })
    const { data } = await list(tenant)
    const told = { type: 'session_changed', session_id: session.id, org_id: null, all: false }
    expect(data).toMatchObject([told, told])
    expect(JSON.stringify(data)).not.toMatch(/admin|org_2/)
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
    for (const { revoked_at: at, forget_after: until } of data) {
      expect(Math.floor(Date.parse(until) / 1000)).toBe(exp)
      expect(Date.parse(at)).toBeGreaterThanOrEqual(Date.parse(session.created_at) - 1_000)
    }
  })

  it('leaves out what no living token can need, and says nothing of keys', async () => {
    const tenant = await sesame.tenant({ settings: { access_token_ttl_seconds: 30 } })
    const { session } = await tenant.session()
    await tenant.withKey({})
    await revoke(tenant, session.id)
    expect((await list(tenant)).data).toHaveLength(1)
    sesame.node.clock.advanceSeconds(60)
    expect((await list(tenant)).data).toEqual([])
  })

  it('says so when the caller is ahead of it, as after a restore', async () => {
    const tenant = await sesame.tenant()
    expect(await list(tenant, { after: '999' })).toMatchObject({ reset: true, next_after: 0 })
  })
})

describe('GET /v1/revocations/stream', () => {
  it('tells what still matters, then each revocation as it happens', async () => {
    const tenant = await sesame.tenant()
    const [before, after] = [await tenant.session(), await tenant.session()]
    await revoke(tenant, before.session.id)
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    await revoke(tenant, after.session.id)
    await stream.until('session_revoked', 2)
    expect(stream.sessionIds()).toEqual([before.session.id, after.session.id])
    stream.close()
  })

  it('tells of a session that changed while it listens, and of one that had when it comes', async () => {
    const tenant = await sesame.tenant()
    const { session } = await tenant.session()
    const early = await openFeed(url, tenant.secret)
    await early.until('synced')
    await tenant.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: 'admin' } })
    await early.until('session_changed')
    const late = await openFeed(url, tenant.secret)
    await late.until('synced')
    for (const stream of [early, late])
      expect(stream.of('session_changed')).toMatchObject([
        { id: '1', data: { seq: 1, session_id: session.id } },
      ])
    early.close()
    late.close()
  })

  it('resumes after the last event, with nothing missing and nothing twice', async () => {
    const tenant = await sesame.tenant()
    const sessions = await Promise.all(Array.from({ length: 30 }, () => tenant.session()))
    const first = await openFeed(url, tenant.secret)
    await first.until('synced')
    for (const { session } of sessions.slice(0, 15)) await revoke(tenant, session.id)
    await first.until('session_revoked', 15)
    first.close()
    for (const { session } of sessions.slice(15)) await revoke(tenant, session.id)
    const second = await openFeed(url, tenant.secret, first.lastId())
    await second.until('session_revoked', 15)
    expect([...first.sessionIds(), ...second.sessionIds()]).toEqual(
      sessions.map(({ session }) => session.id),
    )
    second.close()
  })

  it('ends when an API key of the tenant is revoked, so that the client proves itself anew', async () => {
    const tenant = await sesame.tenant()
    const key = await tenant.withKey({})
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    await tenant.call('DELETE', `/v1/api-keys/${key.id}`)
    await stream.over
  })

  it('tells a tenant nothing of another', async () => {
    const [tenant, other] = [await sesame.tenant(), await sesame.tenant()]
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    const own = await tenant.session()
    const foreign = await other.session()
    await revoke(other, foreign.session.id)
    await revoke(tenant, own.session.id)
    await stream.until('session_revoked')
    expect(JSON.stringify(stream.events)).not.toContain(foreign.session.id)
    stream.close()
  })

  it('ends when the key expires by itself', async () => {
    const tenant = await sesame.tenant()
    const key = await tenant.withKey({ expires_in: 60 })
    const stream = await openFeed(url, key.secret)
    await stream.until('synced')
    sesame.node.clock.advanceSeconds(61)
    await stream.over
  })

  it('drops a reader that does not read, socket and all, and goes on for the others', async () => {
    const tenant = await sesame.tenant()
    const { port } = new URL(url)
    const head = `GET /v1/revocations/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tenant.secret}\r\n\r\n`
    const stuck = connect(Number(port), '127.0.0.1').pause()
    stuck.on('error', () => {})
    stuck.write(head)
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    const { streams, sessions } = sesame.node.services
    await expect.poll(() => streams.size).toBeGreaterThanOrEqual(2)
    const actor = await sesame.node.actor(tenant.id)
    const made = await sessions.create(actor, { user_id: 'u' })
    // As after tens of thousands of revokes: more than the kernel and we together hold back for it.
    const isDropped = new Promise(resolve => stuck.once('close', resolve))
    let revokes = 0
    const openBefore = streams.size
    while (streams.size === openBefore) {
      await insertChanges(tenant.id, made.session.id, 1_000)
      revokes += 1_000
      await stream.until('session_revoked', revokes)
    }
    // What the kernel still holds can be read; then it is over, without an orderly end.
    stuck.resume()
    await isDropped
    await revoke(tenant, made.session.id)
    await stream.until('session_revoked', revokes + 1)
    stream.close()
  })

  it('refuses a Last-Event-ID that is none, and a key without the scope', async () => {
    const tenant = await sesame.tenant()
    const call = { headers: { 'last-event-id': '1e3' } }
    expect((await tenant.call('GET', '/v1/revocations/stream', call)).status).toBe(400)
    const key = await tenant.withKey({ scopes: ['sessions:read'] })
    expect((await key.call('GET', '/v1/revocations/stream')).status).toBe(403)
  })
})
