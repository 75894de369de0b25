import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSecret } from '../src/api-keys/api-key-secret.ts'
import { openPostgresLine } from './postgres-line.ts'
import { hasRedisServer, startRedis } from './redis-fixture.ts'
import { createWorld } from './revoked-meanwhile.ts'
import { TEST_OPERATOR_KEY } from './test-app.ts'
import {
  goodOf,
  joined,
  Line,
  openWarm,
  openWay,
  openWays,
  verifyOf,
  type Way,
  type Ways,
} from './verify-ways.ts'

// Limits, faults, and clients that leave: verify past the framework is as verify through it.

let ways: Ways
let cluster: Ways['cluster']
let node: Ways['node']
let short: Ways['short']
let other: Ways['other']
let world: Ways['world']

beforeAll(async () => {
  ways = await openWays()
  ;({ cluster, node, short, other, world } = ways)
})
afterAll(() => ways.close())

describe.each(['long', 'short'])('the %s way', name => {
  const isLong = name === 'long'

  /** How many of 40 on two connections are let in, where the burst is 20 and four are spent. */
  async function countAllowed(way: Way): Promise<number> {
    const own = await createWorld(other)
    const settings = { rate_limit_per_second: 10 }
    await other.call(TEST_OPERATOR_KEY, 'PATCH', `/v1/tenants/${own.tenantId}`, {
      body: { settings },
    })
    const lines = [await openWarm(way.port, own), await openWarm(way.port, own)]
    const others = ['{}', '{"token":"\\u0041"}', '{', '{"token":"x"}', '[]']
    const bodies = others.map(body => verifyOf(own, body))
    const mixed = joined(...bodies.flatMap(body => [goodOf(own), body]))
    for (const { socket } of lines) socket.write(joined(mixed, mixed))
    await Promise.all(lines.map(line => line.until(20)))
    const answers = lines.flatMap(line => line.answers)
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers).toHaveLength(40)
    for (const { head, body } of refused) {
      expect(body.code).toBe('rate_limit_exceeded')
      expect(head).toContain('retry-after: 1')
      expect(head).toContain('ratelimit-policy: "key";q=20;w=2, "tenant";q=100;w=2')
    }
    for (const { socket } of lines) socket.destroy()
    return 40 - refused.length
  }

  it('allows as many as the limit says, whatever is in the bodies', async () => {
    const way = await openWay(node, { isFrozen: true, isLong })
    expect(await countAllowed(way)).toBe(16)
    await way.app.close()
  })

  it.runIf(hasRedisServer)('and as many where all nodes share it', async () => {
    const redis = await startRedis()
    const way = await openWay(node, { redis: await redis.connect(), isLong })
    const begunMs = performance.now()
    const allowed = await countAllowed(way)
    expect(allowed).toBeGreaterThanOrEqual(16)
    expect(allowed).toBeLessThanOrEqual(17 + (performance.now() - begunMs) / 100)
    await way.app.close()
    await redis.close()
  })

  it('lets a key that it knows in, though somebody at its address guesses keys', async () => {
    const own = await createWorld(other)
    const way = await openWay(node, { isFrozen: true, isLong })
    const line = await openWarm(way.port, own)
    const guesser = new Line(way.port)
    for (let i = 0; i < 150; i++)
      guesser.socket.write(goodOf(own, createSecret(own.tenantId, 'live').secret))
    await guesser.until(150)
    expect(guesser.answers.at(-1)?.status).toBe(429)
    // Of all keys of the tenant this node now asks anew.
    const path = `/v1/api-keys/${own.key.id}`
    expect(
      (await other.call(own.adminKey, 'POST', `${path}/rotate`, { body: { overlap_seconds: 60 } }))
        .status,
    ).toBe(200)
    expect(await line.ask(goodOf(own))).toMatchObject({ status: 200, body: { valid: true } })
    for (const { socket } of [guesser, line]) socket.destroy()
    await way.app.close()
  })

  it('says within about a second that Postgres stands still, and goes on after', async () => {
    const postgres = await openPostgresLine(cluster.databaseUrl)
    const far = cluster.node({ databaseUrl: postgres.url, onError: () => {} })
    const way = await openWay(far, { isLong })
    const good = goodOf(world)
    const kinds = [
      [good],
      [verifyOf(world, '{}')],
      [good.subarray(0, -9), good.subarray(-9)],
      [good, good],
    ]
    const lines = await Promise.all(kinds.map(() => openWarm(way.port, world)))
    postgres.stall()
    const begunMs = performance.now()
    const whileStalled = async (line: Line, packets: Buffer[] = []) => {
      for (const packet of packets) {
        line.socket.write(packet)
        await sleep(100)
      }
      await line.until(packets[1] === good ? 2 : 1)
      expect(line.answers.length).toBeGreaterThan(0)
      for (const { status, head, body } of line.answers)
        expect([status, body.code, head.includes('retry-after: 1')]).toEqual([
          503,
          'service_unavailable',
          true,
        ])
      expect(performance.now() - begunMs).toBeLessThan(1_700)
    }
    await Promise.all(lines.map((line, i) => whileStalled(line, kinds[i])))
    postgres.resume()
    const isServed = async () =>
      (await Promise.all(lines.map(line => line.ask(good)))).every(({ body }) => body.valid)
    await expect.poll(isServed, { timeout: 5_000 }).toBe(true)
    const cut = lines.map(line => line.ask(good))
    postgres.cut()
    for (const { status } of await Promise.all(cut)) expect([200, 503]).toContain(status)
    await expect.poll(isServed, { timeout: 5_000 }).toBe(true)
    for (const { socket } of lines) socket.destroy()
    await way.app.close()
    await postgres.close()
  })
})

/** Runs on each way: what comes of it, what is logged and what is counted must be the same. */
async function expectAlike(run: (way: Way) => Promise<unknown>): Promise<void> {
  const records = []
  for (const isLong of [true, false]) {
    const way = await openWay(node, { isLong })
    const result = await run(way)
    await way.app.close()
    const logged = way.lines.map(line => {
      const { time, duration_ms, request_id, err, ...rest } = JSON.parse(line)
      return { ...rest, kinds: [time, duration_ms, request_id, err].map(each => typeof each) }
    })
    records.push({ result, logged, counted: way.counted.sort() })
  }
  expect(records[1]).toEqual(records[0])
}

describe('nobody can tell the two ways apart', () => {
  it('by what is logged and counted: each request once, with the same in it', () =>
    expectAlike(async way => {
      const line = await openWarm(way.port, world)
      for (const body of ['{"token":"x"}', '{}', '{"token":"\\u0041"}', '{', '{"token":"x"}'])
        await line.ask(verifyOf(world, body))
      await line.ask(verifyOf(world, '{}', { 'x-tenant-id': 'x' }))
      await sleep(20)
      expect(way.lines).toHaveLength(8)
      line.socket.destroy()
    }))

  it('by a fault inside: a 500, and the line of an error', () =>
    expectAlike(async way => {
      const line = await openWarm(way.port, world)
      way.isFaulty = true
      // Vitest counts what nobody caught as an error of its own.
      const listeners = process.listeners('unhandledRejection')
      let uncaught = 0
      process.removeAllListeners('unhandledRejection').on('unhandledRejection', () => uncaught++)
      line.socket.write(goodOf(world))
      await line.until(1, 500)
      process.removeAllListeners('unhandledRejection')
      for (const each of listeners) process.on('unhandledRejection', each)
      line.socket.destroy()
      return { uncaught, answers: line.answers }
    }))

  it.each<[moment: string, leave: (socket: Socket, bytes: Buffer) => unknown]>([
    [
      'after the headers',
      (socket, bytes) => socket.write(bytes.subarray(0, -99), () => socket.destroy()),
    ],
    ['before the answer', (socket, bytes) => socket.write(bytes, () => socket.destroy())],
    ['by half', (socket, bytes) => socket.end(bytes)],
  ])('when the client leaves %s', (_, leave) =>
    expectAlike(async way => {
      const line = await openWarm(way.port, world)
      way.delayMs = 60
      leave(line.socket, goodOf(world))
      await sleep(200)
      return { answers: line.answers, isClosed: line.isClosed }
    }),
  )

  it('by a stop: what was accepted is answered, and what comes later told that it closes', () =>
    expectAlike(async way => {
      const good = goodOf(world)
      const lines = await Promise.all(Array.from({ length: 20 }, () => openWarm(way.port, world)))
      way.delayMs = 100
      for (const { socket } of lines) socket.write(good)
      await sleep(40)
      way.isStopping = true
      for (const { socket } of lines.slice(0, 5)) socket.write(good)
      await sleep(10)
      const closed = way.app.close()
      for (const { socket } of lines.slice(0, 10)) socket.write(good)
      const sweep = setInterval(() => way.app.server.closeIdleConnections(), 50)
      await closed
      clearInterval(sweep)
      await Promise.all(lines.map(line => line.until(99)))
      const counts = lines.map((_, i) => (i < 5 ? 3 : i < 10 ? 2 : 1))
      expect(lines.map(({ answers }) => answers.length)).toEqual(counts)
      return lines.map(({ answers }) => answers)
    }))
})

it('clients that leave at any moment leave nothing behind', async () => {
  const good = goodOf(world)
  const leave = async (i: number) => {
    const line = await openWarm(short.port, world)
    line.socket.write(joined(good, good.subarray(0, [80, -10, good.length][i % 3])))
    if (i % 2 === 0) await new Promise(setImmediate)
    if (i % 5 === 0) line.socket.resetAndDestroy()
    else line.socket.destroy()
  }
  for (let round = 0; round < 20; round++)
    await Promise.all(Array.from({ length: 50 }, (_, i) => leave(i)))
  const { server } = short.app
  const open = () => new Promise(resolve => server.getConnections((_, count) => resolve(count)))
  await expect.poll(open, { timeout: 3_000 }).toBe(0)
})
