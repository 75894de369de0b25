import { join } from 'node:path'
import { startEmbeddedPostgres } from '@sesame/db'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FeedConnection, openFeed } from '../test/feed-reader.ts'
import { createStage, freePort, type Service, type Stage } from './service.ts'

const OPERATOR_KEY = `ok_${'f'.repeat(40)}`
const STREAMS = 1_000
const AT_ONCE = 50

let stage: Stage
let a: Service
let b: Service
let metricsPort: number

beforeAll(async () => {
  stage = createStage()
  const postgres = await startEmbeddedPostgres({ dataDir: join(stage.folder, 'postgres') })
  stage.onEnd(() => postgres.stop())
  metricsPort = await freePort()
  const settings = {
    DATABASE_URL: postgres.url,
    SESAME_MASTER_KEY: Buffer.alloc(32, 5).toString('base64url'),
    SESAME_OPERATOR_KEY: OPERATOR_KEY,
    SESAME_DEMO_TENANT: 'false',
  }
  a = await stage.start({ ...settings, METRICS_PORT: String(metricsPort) })
  b = await stage.start(settings)
})
afterAll(() => stage.end())

async function createTenant(): Promise<string> {
  const body = { name: 'feed', settings: { rate_limit_per_second: 1_000_000 } }
  const made = await b.request('/v1/tenants', { method: 'POST', key: OPERATOR_KEY, body })
  return made.body.api_key.secret
}

async function createSessions(key: string, count: number): Promise<string[]> {
  const ids: string[] = []
  const create = async () => {
    const call = { method: 'POST', key, body: { user_id: 'usr_1' } }
    const { status, body } = await b.request('/v1/sessions', call)
    expect([status, body.code]).toEqual([201, undefined])
    ids.push(body.session.id)
  }
  while (ids.length < count)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - ids.length) }, create))
  return ids
}

const revoke = (key: string, id: string) =>
  b.request(`/v1/sessions/${id}`, { method: 'DELETE', key })

async function openMany(node: Service, key: string, count: number): Promise<FeedConnection[]> {
  const streams: FeedConnection[] = []
  while (streams.length < count) {
    const next = Math.min(AT_ONCE, count - streams.length)
    const opened = Array.from({ length: next }, () => openFeed(node.url, key))
    streams.push(...(await Promise.all(opened)))
  }
  await Promise.all(streams.map(stream => stream.until('synced')))
  return streams
}

async function residentBytes(): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1])
}

describe('the feed of one process', () => {
  it('carries a thousand streams: each hears each revoke once, and a heartbeat', {
    timeout: 90_000,
  }, async () => {
    const key = await createTenant()
    const ids = await createSessions(key, 20)
    const before = await residentBytes()
    const streams = await openMany(a, key, STREAMS)
    for (const id of ids) expect((await revoke(key, id)).status).toBe(204)
    await Promise.all(streams.map(stream => stream.until('session_revoked', ids.length)))
    await Promise.all(streams.map(stream => stream.until('heartbeat')))
    for (const stream of streams) expect(stream.sessionIds()).toEqual(ids)
    const grown = (await residentBytes()) - before
    // A socket and its request, some 50 KB, and what a garbage collector leaves lying about.
    expect(grown).toBeLessThan(STREAMS * 200 * 1024)
    expect((await a.request('/readyz')).status).toBe(200)
    for (const stream of streams) stream.close()
  })

  it('tells a bulk revoke of many sessions in one entry', async () => {
    const key = await createTenant()
    const [stream] = await openMany(a, key, 1)
    await createSessions(key, 300)
    const { body } = await b.request('/v1/sessions', { method: 'DELETE', key })
    expect(body).toEqual({ revoked: 300 })
    await stream?.until('sessions_revoked')
    await revoke(key, (await createSessions(key, 1))[0] ?? '')
    await stream?.until('session_revoked')
    expect(stream?.events.map(({ event }) => event).filter(e => e !== 'heartbeat')).toEqual([
      'synced',
      'sessions_revoked',
      'session_revoked',
    ])
    stream?.close()
  })

  it('goes on at another node when its process is killed: in order, no gap, nothing twice', async () => {
    const key = await createTenant()
    const ids = await createSessions(key, 120)
    const first = await openMany(a, key, 40)
    const revoking = (async () => {
      for (const id of ids) await revoke(key, id)
    })()
    await Promise.all(first.map((stream, n) => stream.until('session_revoked', 1 + n)))
    await a.kill('SIGKILL')
    await Promise.all(first.map(stream => stream.over))
    const second = await Promise.all(first.map(each => openFeed(b.url, key, each.lastId())))
    await revoking
    for (const [n, stream] of second.entries()) {
      const before = first[n]?.sessionIds() ?? []
      await stream.until('session_revoked', ids.length - before.length)
      expect([...before, ...stream.sessionIds()]).toEqual(ids)
      stream.close()
    }
  })
})
