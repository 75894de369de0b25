import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let url: string

beforeAll(async () => {
  sesame = await createTestApp()
  url = await sesame.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => sesame.close())

interface StreamEvent {
  event: string
  id: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what came over the wire as it is
  data: any
}

/** Reads a stream of the feed until it is closed. */
function openStream(tenant: TestTenant, lastEventId?: string) {
  const events: StreamEvent[] = []
  const abort = new AbortController()
  const read = async () => {
    const answer = await fetch(`${url}/v1/revocations/stream`, {
      signal: abort.signal,
      headers: {
        authorization: `Bearer ${tenant.secret}`,
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      },
    })
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) events.push(parse(block))
    }
  }
  const over = read().catch(() => {})
  return {
    events,
    over,
    until: (event: string, count = 1) =>
      expect
        .poll(() => events.filter(each => each.event === event).length, { timeout: 10_000 })
        .toBeGreaterThanOrEqual(count),
    close: () => abort.abort(),
  }
}

function parse(block: string): StreamEvent {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
  return {
    event: field('event') ?? '',
    id: field('id'),
    data: JSON.parse(field('data') ?? 'null'),
  }
}

const revoke = (tenant: TestTenant, id: string) => tenant.call('DELETE', `/v1/sessions/${id}`)
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

  it('leaves out what no living token can need, and says nothing of keys and roles', async () => {
    const tenant = await sesame.tenant({ settings: { access_token_ttl_seconds: 30 } })
    const { session } = await tenant.session()
    await tenant.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: 'admin' } })
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
    const stream = openStream(tenant)
    await stream.until('synced')
    await revoke(tenant, after.session.id)
    await stream.until('session_revoked', 2)
    const told = stream.events.filter(({ event }) => event === 'session_revoked')
    expect(told.map(({ data }) => data.session_id)).toEqual([before.session.id, after.session.id])
    stream.close()
  })

  it('resumes after the last event, with nothing missing and nothing twice', async () => {
    const tenant = await sesame.tenant()
    const sessions = await Promise.all(Array.from({ length: 30 }, () => tenant.session()))
    const first = openStream(tenant)
    await first.until('synced')
    for (const { session } of sessions.slice(0, 15)) await revoke(tenant, session.id)
    await first.until('session_revoked', 15)
    first.close()
    for (const { session } of sessions.slice(15)) await revoke(tenant, session.id)
    const second = openStream(tenant, first.events.findLast(({ id }) => id !== undefined)?.id)
    await second.until('session_revoked', 15)
    const told = [...first.events, ...second.events].filter(e => e.event === 'session_revoked')
    expect(told.map(({ data }) => data.session_id)).toEqual(
      sessions.map(({ session }) => session.id),
    )
    second.close()
  })

  it('ends when an API key of the tenant is revoked, so that the client proves itself anew', async () => {
    const tenant = await sesame.tenant()
    const key = await tenant.withKey({})
    const stream = openStream(tenant)
    await stream.until('synced')
    await tenant.call('DELETE', `/v1/api-keys/${key.id}`)
    await stream.over
  })

  it('tells a tenant nothing of another', async () => {
    const [tenant, other] = [await sesame.tenant(), await sesame.tenant()]
    const stream = openStream(tenant)
    await stream.until('synced')
    const own = await tenant.session()
    const foreign = await other.session()
    await revoke(other, foreign.session.id)
    await revoke(tenant, own.session.id)
    await stream.until('session_revoked')
    expect(JSON.stringify(stream.events)).not.toContain(foreign.session.id)
    stream.close()
  })

  it('drops a reader that does not read, and keeps feeding the others', async () => {
    const tenant = await sesame.tenant()
    const { streams } = sesame.node.services
    const stuck = streams.open(tenant.id, null)
    const stream = openStream(tenant)
    await stream.until('synced')
    stuck.push('x'.repeat(2 * 1024 * 1024))
    const { session } = await tenant.session()
    await revoke(tenant, session.id)
    await stream.until('session_revoked')
    await expect.poll(() => stuck.destroyed).toBe(true)
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
