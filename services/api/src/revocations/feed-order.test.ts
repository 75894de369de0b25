import { openDatabase } from '@sesame/db'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { insertRevocations } from '../../test/change-log.ts'
import { type FeedReader, readFeed } from '../../test/feed-reader.ts'
import { openPostgresLine } from '../../test/postgres-line.ts'
import { createTestClock } from '../../test/test-clock.ts'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { createRevocationStreams } from './revocation-streams.ts'
import { createRevocationStore } from './revocations.store.ts'

let cluster: TestCluster
let nodes: TestNode[]

beforeAll(async () => {
  cluster = await createTestCluster()
  nodes = [cluster.node(), cluster.node(), cluster.node()]
})
afterAll(() => cluster.close())

const nodeAt = (n: number): TestNode => {
  const node = nodes[n % nodes.length]
  if (node === undefined) throw new Error('there is no node')
  return node
}

/** As a request that arrives at the node now. */
async function open(node: TestNode, tenantId: string, after: number | null = null) {
  return readFeed(node.services.streams.open(await node.actor(tenantId), after))
}

async function createSessions(tenantId: string, count: number): Promise<string[]> {
  const by = await nodeAt(0).actor(tenantId)
  const made = await Promise.all(
    Array.from({ length: count }, () => nodeAt(0).services.sessions.create(by, { user_id: 'ada' })),
  )
  return made.map(({ session }) => session.id)
}

async function revoke(node: TestNode, tenantId: string, sessionId: string): Promise<void> {
  await node.services.sessions.revoke(await node.actor(tenantId), sessionId)
}

const seqsOf = (stream: FeedReader): number[] =>
  stream.of('session_revoked').map(({ data }) => data.seq)

describe('the order of the feed', () => {
  it('is one for all streams of all nodes while 64 revoke at once, with no gap and nothing twice', async () => {
    const { tenantId } = await nodeAt(0).tenant()
    const ids = await createSessions(tenantId, 256)
    const early = await Promise.all(Array.from({ length: 10 }, (_, n) => open(nodeAt(n), tenantId)))
    const queue = [...ids.entries()]
    const revoker = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift())
        await revoke(nodeAt(next[0]), tenantId, next[1])
    }
    const revoking = Promise.all(Array.from({ length: 64 }, revoker))
    const late: FeedReader[] = []
    for (let n = 0; n < 10; n++) {
      late.push(await open(nodeAt(n), tenantId))
      await early[n]?.until('session_revoked', n * 10)
    }
    await revoking
    const all = [...early, ...late]
    await Promise.all(all.map(stream => stream.until('session_revoked', ids.length)))
    const [first] = all.map(stream => stream.sessionIds())
    expect(first?.toSorted()).toEqual(ids.toSorted())
    for (const stream of all) {
      expect(stream.sessionIds()).toEqual(first)
      expect(seqsOf(stream)).toEqual(ids.map((_, n) => n + 1))
    }
    for (const stream of all) stream.close()
  })

  it('lets a client go from node to node at any place, with no gap and nothing twice', async () => {
    const { tenantId } = await nodeAt(0).tenant()
    const ids = await createSessions(tenantId, 60)
    const told: string[] = []
    let place: number | null = null
    const revoking = Promise.all(ids.map((id, n) => revoke(nodeAt(n), tenantId, id)))
    for (let n = 0; told.length < ids.length; n++) {
      const stream = await open(nodeAt(n), tenantId, place)
      await stream.until('synced')
      stream.close()
      await stream.over
      told.push(...stream.sessionIds())
      place = Number(stream.lastId())
      if (n === 5) await revoking
    }
    expect(told.toSorted()).toEqual(ids.toSorted())
  })

  it('tells nothing to who is at the head, all to who is at 0, and a reset to who is beyond', async () => {
    const { tenantId } = await nodeAt(0).tenant()
    const ids = await createSessions(tenantId, 5)
    for (const id of ids) await revoke(nodeAt(1), tenantId, id)
    const streams = await Promise.all([
      open(nodeAt(0), tenantId, 5),
      open(nodeAt(1), tenantId, 0),
      open(nodeAt(2), tenantId, 6),
    ])
    for (const stream of streams) await stream.until('synced')
    const events = streams.map(stream => stream.events.map(({ event }) => event))
    const entries = ids.map(() => 'session_revoked')
    expect(events).toEqual([['synced'], [...entries, 'synced'], ['reset', ...entries, 'synced']])
    for (const stream of streams) expect(stream.lastId()).toBe('5')
    for (const stream of streams) stream.close()
  })

  it('is kept while the worker forgets what is over', async () => {
    const { tenantId } = await nodeAt(0).tenant()
    const { pool } = nodeAt(0).database
    const forgotten = await insertRevocations(pool, tenantId, 500, { lifeSeconds: [0, 0] })
    const living = await open(nodeAt(0), tenantId)
    await living.until('synced')
    const ids = await insertRevocations(pool, tenantId, 50)
    // As the sweep of the worker does to lines that ended more than two hours ago.
    const forgetting = pool.query(
      'DELETE FROM tenant_changes WHERE tenant_id = $1 AND session_id = ANY ($2)',
      [tenantId, forgotten],
    )
    ids.push(...(await insertRevocations(pool, tenantId, 50)))
    await forgetting
    await living.until('session_revoked', living.of('session_revoked').length)
    await expect.poll(() => living.sessionIds().slice(-100), { timeout: 10_000 }).toEqual(ids)
    const late = await open(nodeAt(1), tenantId, 3)
    await late.until('synced')
    expect(late.sessionIds()).toEqual(ids)
    living.close()
    late.close()
  })

  it('is forgotten by streams and pages alike when no token can be alive', async () => {
    const node = cluster.node()
    const { tenantId } = await node.tenant()
    await insertRevocations(node.database.pool, tenantId, 1_500)
    node.clock.advanceSeconds(901)
    const stream = await open(node, tenantId)
    await stream.until('synced')
    expect(stream.events).toMatchObject([{ event: 'synced', id: '1500' }])
    const { tenant } = await node.actor(tenantId)
    const page = await node.services.revocations.list(tenant, {})
    expect(page).toMatchObject({ data: [], has_more: false, next_after: 1_500 })
    stream.close()
  })

  it('holds over an outage of Postgres: all is told when it is over', async () => {
    const { tenantId } = await nodeAt(0).tenant()
    const line = await openPostgresLine(cluster.databaseUrl)
    const database = openDatabase({
      databaseUrl: line.url,
      poolSize: 2,
      onConnectionError: () => {},
    })
    const streams = createRevocationStreams({
      store: createRevocationStore(database.pool),
      clock: createTestClock(),
      onError: () => {},
    })
    const open = () => streams.open({ tenantId, proof: { seq: 0, expiresAt: null } }, null)
    const all = Array.from({ length: 5 }, () => readFeed(open()))
    await Promise.all(all.map(stream => stream.until('synced')))
    const ids: string[] = []
    for (const fault of ['stall', 'cut'] as const) {
      line[fault]()
      ids.push(...(await insertRevocations(nodeAt(0).database.pool, tenantId, 20)))
      if (fault === 'stall') line.resume()
      await Promise.all(all.map(stream => stream.until('session_revoked', ids.length)))
    }
    for (const stream of all) expect(stream.sessionIds()).toEqual(ids)
    streams.close()
    await database.close()
    await line.close()
  })
})
