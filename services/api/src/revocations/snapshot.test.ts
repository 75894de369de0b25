import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { insertRevocations } from '../../test/change-log.ts'
import { type FeedReader, openFeed } from '../../test/feed-reader.ts'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let url: string

beforeAll(async () => {
  sesame = await createTestApp()
  url = await sesame.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => sesame.close())

const insert = (tenant: TestTenant, count: number) =>
  insertRevocations(sesame.node.database.pool, tenant.id, count)

const snapshotIds = (stream: FeedReader): string[] =>
  stream.of('snapshot').flatMap(({ data }) => data.session_ids)

const sorted = (ids: string[]) => ids.toSorted()

describe('the snapshot', () => {
  it('tells 10,000 revoked sessions in at most 400 KB on the wire', async () => {
    const tenant = await sesame.tenant()
    const ids = await insert(tenant, 10_000)
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    expect(sorted(snapshotIds(stream))).toEqual(sorted(ids))
    expect(stream.of('session_revoked')).toEqual([])
    expect(stream.bytesOnWire()).toBeLessThan(400_000)
    for (const { id, data } of stream.of('snapshot')) {
      expect(id).toBeUndefined()
      expect(data.session_ids.length).toBeLessThanOrEqual(1_000)
    }
    expect(stream.events.at(-1)).toMatchObject({ event: 'synced', id: '10000' })
    stream.close()
  })

  it('lets nothing be forgotten early, nor a minute too late', async () => {
    const tenant = await sesame.tenant()
    await insert(tenant, 1_200)
    const { rows } = await sesame.node.database.pool.query(
      'SELECT session_id AS id, forget_after AS at FROM tenant_changes WHERE tenant_id = $1',
      [tenant.id],
    )
    const forgetAfter = new Map(rows.map(({ id, at }) => [id, at.getTime()]))
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    for (const { data } of stream.of('snapshot'))
      for (const id of data.session_ids) {
        const laterMs = Date.parse(data.forget_after) - forgetAfter.get(id)
        expect(laterMs).toBeGreaterThanOrEqual(0)
        expect(laterMs).toBeLessThan(60_000)
      }
    stream.close()
  })

  it('is for more than 1,000: up to that, each is an entry of its own', async () => {
    const tenant = await sesame.tenant()
    const ids = await insert(tenant, 1_000)
    const few = await openFeed(url, tenant.secret)
    await few.until('synced')
    expect(few.sessionIds()).toEqual(ids)
    ids.push(...(await insert(tenant, 1)))
    const many = await openFeed(url, tenant.secret)
    await many.until('synced')
    expect([many.sessionIds(), sorted(snapshotIds(many))]).toEqual([[], sorted(ids)])
    few.close()
    many.close()
  })

  it('counts what matters: much that is forgotten makes no snapshot', async () => {
    const tenant = await sesame.tenant()
    await insertRevocations(sesame.node.database.pool, tenant.id, 25_000, {
      lifeSeconds: [-60, -1],
    })
    const ids = await insert(tenant, 5)
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    expect(stream.events.map(({ event }) => event)).not.toContain('snapshot')
    expect(stream.sessionIds()).toEqual(ids)
    stream.close()
  })

  it('tells changed sessions, bulk revokes and new signing keys one by one, after every session before them', async () => {
    const tenant = await sesame.tenant()
    const before = await insert(tenant, 3_000)
    await tenant.session({ user_id: 'ada' })
    await tenant.call('DELETE', '/v1/sessions', { query: { user_id: 'ada' } })
    await tenant.call('POST', '/v1/signing-keys/rotate')
    const { session } = await tenant.session()
    await tenant.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: 'admin' } })
    const after = await insert(tenant, 3_000)
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    const bulk = stream.events.findIndex(({ event }) => event === 'sessions_revoked')
    expect(stream.events[bulk]).toMatchObject({ id: '3001', data: { user_id: 'ada', seq: 3001 } })
    const told = new Set(stream.events.slice(0, bulk).flatMap(({ data }) => data.session_ids ?? []))
    expect(before.filter(id => !told.has(id))).toEqual([])
    expect(sorted(snapshotIds(stream))).toEqual(sorted([...before, ...after]))
    expect(stream.of('signing_keys_changed')).toHaveLength(1)
    expect(stream.of('session_changed')).toMatchObject([{ data: { session_id: session.id } }])
    stream.close()
  })

  it('tells changed sessions also where there is nothing else, and never that they are revoked', async () => {
    const tenant = await sesame.tenant()
    const ids = await insert(tenant, 1_200)
    await sesame.node.database.pool.query(
      'UPDATE tenant_changes SET revoked_by = NULL WHERE tenant_id = $1',
      [tenant.id],
    )
    const stream = await openFeed(url, tenant.secret)
    await stream.until('synced')
    expect(stream.of('session_changed').map(({ data }) => data.session_id)).toEqual(ids)
    expect([stream.of('snapshot'), stream.of('session_revoked')]).toEqual([[], []])
    stream.close()
  })

  it('leaves no gap to what commits meanwhile', async () => {
    const tenant = await sesame.tenant()
    const ids = await insert(tenant, 30_000)
    const stream = await openFeed(url, tenant.secret)
    const later: string[] = []
    while (stream.of('synced').length === 0) later.push(...(await insert(tenant, 10)))
    later.push(...(await insert(tenant, 10)))
    await expect.poll(() => stream.sessionIds().at(-1), { timeout: 10_000 }).toBe(later.at(-1))
    expect(sorted([...snapshotIds(stream), ...stream.sessionIds()])).toEqual(
      sorted([...ids, ...later]),
    )
    expect(stream.sessionIds()).toEqual(later.slice(-stream.sessionIds().length))
    stream.close()
  })

  it('gives a client that was cut off in the middle all that it lacks', async () => {
    const tenant = await sesame.tenant()
    const known = await insert(tenant, 10)
    const before = await openFeed(url, tenant.secret)
    await before.until('synced')
    before.close()
    const ids = await insert(tenant, 40_000)
    const cut = await openFeed(url, tenant.secret, before.lastId())
    await cut.until('snapshot')
    cut.close()
    await cut.over
    expect(cut.of('synced')).toEqual([])
    const stream = await openFeed(url, tenant.secret, cut.lastId() ?? before.lastId())
    await stream.until('synced')
    expect(sorted(snapshotIds(stream))).toEqual(sorted(ids))
    expect(snapshotIds(stream)).not.toContain(known[0])
    stream.close()
  })
})
