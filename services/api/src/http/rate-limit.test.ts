import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasRedisServer, type RedisFixture, startRedis } from '../../test/redis-fixture.ts'
import { systemClock } from '../shared/clock.ts'
import { createAddressLimiter, networkOf } from './address-limit.ts'
import { createRateLimiter, type RateLimiter, type Verdict } from './rate-limit.ts'

const log = { info: () => {}, warn: () => {} }

function createManualClock() {
  let ms = 1_000
  return {
    nowMs: () => ms,
    monotonicMs: () => ms,
    advanceMs: (by: number) => {
      ms += by
    },
  }
}

const ask = (apiKeyId = 'key_1', ratePerSecond = 10, tenantId = 'tnt_1') => ({
  tenantId,
  apiKeyId,
  ratePerSecond,
})

describe('on one node', () => {
  let clock: ReturnType<typeof createManualClock>
  let limiter: RateLimiter
  beforeEach(() => {
    clock = createManualClock()
    limiter = createRateLimiter({ redis: null, clock, log })
  })

  const take = (...args: Parameters<typeof ask>): Verdict => {
    const verdict = limiter.take(ask(...args))
    if (verdict instanceof Promise) throw new Error('not decided on the spot')
    return verdict
  }
  const allowedOf = (times: number, ...args: Parameters<typeof ask>) =>
    Array.from({ length: times }, () => take(...args)).filter(({ isAllowed }) => isAllowed).length

  test('a key may burst for two seconds and then has its rate', () => {
    expect(allowedOf(100)).toBe(20)
    clock.advanceMs(1_000)
    expect(allowedOf(100)).toBe(10)
    clock.advanceMs(150)
    expect(allowedOf(100)).toBe(1)
    clock.advanceMs(60_000)
    expect(allowedOf(100)).toBe(20)
  })

  test('a tenant has five times what a key has', () => {
    const keys = Array.from({ length: 20 }, (_, i) => `key_${i}`)
    const allowed = keys.map(key => allowedOf(20, key)).reduce((sum, n) => sum + n)
    expect(allowed).toBe(100)
    expect(allowedOf(1, 'key_1', 10, 'tnt_2')).toBe(1)
  })

  test('the same key id in two tenants is two keys', () => {
    expect(allowedOf(100, 'operator', 1, 'tnt_1')).toBe(2)
    expect(allowedOf(100, 'operator', 1, 'tnt_2')).toBe(2)
  })

  test('a refused request costs nothing of either bucket', () => {
    allowedOf(1_000, 'key_1', 1)
    expect(allowedOf(100, 'key_2', 1)).toBe(2)
  })

  test('a new rate counts from now on', () => {
    allowedOf(100, 'key_1', 10)
    clock.advanceMs(1_000)
    expect(allowedOf(100, 'key_1', 50)).toBe(50)
  })

  test('tells the state in the form of the IETF draft', () => {
    expect(take()).toEqual({
      isAllowed: true,
      policy: '"key";q=20;w=2, "tenant";q=100;w=2',
      limit: '"key";r=19;t=1, "tenant";r=99;t=1',
      retryAfterSeconds: 0,
    })
    allowedOf(18)
    expect(take().limit).toBe('"key";r=0;t=2, "tenant";r=80;t=1')
    expect(take()).toMatchObject({
      isAllowed: false,
      limit: '"key";r=0;t=1, "tenant";r=80;t=1',
      retryAfterSeconds: 1,
    })
  })

  test('forgets idle buckets, and a flood of keys cannot make it grow', () => {
    for (let i = 0; i < 400_000; i++) limiter.take(ask(`key_${i}`, 1_000, `tnt_${i % 200_000}`))
    expect(limiter.size).toBeLessThanOrEqual(200_000)
    clock.advanceMs(11_000)
    take()
    clock.advanceMs(11_000)
    take()
    expect(limiter.size).toBeLessThanOrEqual(4)
  })
})

describe.runIf(hasRedisServer)('on several nodes with Redis', () => {
  let redis: RedisFixture
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(() => redis.close())

  const createNode = (connection: Redis) =>
    createRateLimiter({ redis: connection, clock: systemClock, log })
  const createNodes = async (count: number) =>
    Promise.all(Array.from({ length: count }, async () => createNode(await redis.connect())))

  /** As many requests as fit, for a while, from all nodes at once. */
  async function flood(nodes: RateLimiter[], ratePerSecond: number, forMs: number) {
    const startedAt = performance.now()
    let allowed = 0
    let waited = 0
    while (performance.now() - startedAt < forMs) {
      for (const node of nodes)
        for (let i = 0; i < 10; i++) {
          const verdict = node.take(ask('key_1', ratePerSecond))
          if (verdict instanceof Promise) waited++
          if ((await verdict).isAllowed) allowed++
        }
      await sleep(1)
    }
    return { allowed, waited, seconds: (performance.now() - startedAt) / 1_000 }
  }

  test.each([5, 100, 1_000, 5_000])(
    'together they never allow more than %i a second and the burst',
    async ratePerSecond => {
      const { allowed, seconds } = await flood(await createNodes(3), ratePerSecond, 1_500)
      expect(allowed).toBeLessThanOrEqual(Math.floor(ratePerSecond * (seconds + 2)))
      expect(allowed).toBeGreaterThan(Math.min(ratePerSecond * 2, 3_000) * 0.8)
    },
  )

  test('a request nearly never waits for a round trip', async () => {
    const [node] = await createNodes(1)
    if (node === undefined) throw new Error('no node')
    const { allowed, waited } = await flood([node], 100_000, 500)
    expect(waited).toBeLessThan(allowed / 20)
  })

  test('a thousand at once are all decided, by the limit', async () => {
    const nodes = await createNodes(2)
    const verdicts = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => nodes[i % 2]?.take(ask('key_1', 200))),
    )
    const allowed = verdicts.filter(verdict => verdict?.isAllowed === true).length
    expect(allowed).toBeGreaterThanOrEqual(390)
    expect(allowed).toBeLessThanOrEqual(440)
  })

  test('a Redis that hangs or dies stalls nobody, and is used again when it is back', async () => {
    const [node] = await createNodes(1)
    if (node === undefined) throw new Error('no node')
    expect(await node.take(ask())).toMatchObject({ isAllowed: true })
    redis.pause()
    await sleep(1_100)
    const started = performance.now()
    expect(await node.take(ask())).toMatchObject({ isAllowed: true })
    expect(performance.now() - started).toBeLessThan(150)
    for (let i = 0; i < 50; i++) expect(node.take(ask('key_2'))).not.toBeInstanceOf(Promise)
    redis.resume()
    await untilShared(node)
    await redis.restart()
    await untilShared(node)
  })

  /** Only a node that shares its limits has to wait for the first token of a new key. */
  async function untilShared(node: RateLimiter): Promise<void> {
    for (let i = 0; i < 60; i++) {
      const verdict = node.take(ask(`key_new_${Math.random()}`))
      if (verdict instanceof Promise && (await verdict).isAllowed) return
      await sleep(50)
    }
    throw new Error('the limits are not shared again')
  }
})

describe('guessing keys', () => {
  test('a thousand failures from one address are cut off, and others are not', () => {
    const clock = createManualClock()
    const addresses = createAddressLimiter({ clock })
    const fail = (address: string) => addresses.noteFailure(address) > 0
    const refused = Array.from({ length: 1_000 }, () => fail('192.0.2.1')).filter(Boolean).length
    expect(refused).toBe(900)
    expect(addresses.isExhausted('192.0.2.1')).toBe(true)
    expect(addresses.isExhausted('::ffff:192.0.2.1')).toBe(true)
    expect(addresses.isExhausted('192.0.2.2')).toBe(false)
    clock.advanceMs(1_000)
    expect(addresses.isExhausted('192.0.2.1')).toBe(false)
    expect(Array.from({ length: 100 }, () => fail('192.0.2.1')).filter(x => !x)).toHaveLength(20)
  })

  test('all addresses of an IPv6 network are one', () => {
    expect(networkOf('2001:db8:0:1::1')).toBe('2001:db8:0:1')
    expect(networkOf('2001:0db8:0:1:ffff:ffff:ffff:ffff')).toBe('2001:db8:0:1')
    expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0')
    expect(networkOf('::1')).toBe('0:0:0:0')
    expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0')
    expect(networkOf('::ffff:10.0.0.1')).toBe('10.0.0.1')
    expect(networkOf('junk')).toBe('junk')
  })

  test('is remembered for a bounded number of addresses', () => {
    const addresses = createAddressLimiter({ clock: createManualClock() })
    for (let i = 0; i < 100_000; i++)
      addresses.noteFailure(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
    expect(addresses.size).toBeLessThanOrEqual(40_000)
  })
})
