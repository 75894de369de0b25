import { describe, expect, it } from 'vitest'
import { createTestKey, type TestKey } from '../../test/feed-service.ts'
import { createTestRuntime, settle } from '../../test/test-runtime.ts'
import type { ExchangeAnswer, ExchangeRequest } from './exchange.ts'
import { createJwksCache } from './jwks-cache.ts'
import { createElapsedClock } from './runtime.ts'

interface Answer {
  status?: number
  headers?: Record<string, string>
  text?: string
}

const setOf = (...keys: TestKey[]): string => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })

/** A cache whose requests wait until they are answered. */
function prepare() {
  const runtime = createTestRuntime()
  const requests: ExchangeRequest[] = []
  const waiting: ((answer: Answer | Error) => void)[] = []
  const cache = createJwksCache({
    url: 'https://sesame.test/jwks.json',
    runtime,
    elapsedMs: createElapsedClock(runtime),
    exchange: request =>
      new Promise<ExchangeAnswer>((resolve, reject) => {
        requests.push(request)
        waiting.push(answer => {
          if (answer instanceof Error) return reject(answer)
          const { status = 200, headers = {}, text = '' } = answer
          resolve({ status, headers: new Headers(headers), text })
        })
      }),
  })
  const answer = async (given: Answer | Error): Promise<void> => {
    waiting.shift()?.(given)
    await settle()
  }
  return { cache, runtime, requests, answer, waiting: () => waiting.length }
}

const five = { 'cache-control': 'public, max-age=300' }

describe('the JWK set', () => {
  it('is fetched once for all who wait, and again before it has had its time', async () => {
    const { cache, runtime, requests, answer } = prepare()
    const key = await createTestKey()
    const waiters = Promise.all(Array.from({ length: 100 }, () => cache.get()))
    await answer({ text: setOf(key), headers: { ...five, etag: '"1"' } })
    expect((await waiters).every(set => set?.kids.has(key.kid))).toBe(true)
    expect(requests).toHaveLength(1)
    const before = cache.current()
    await runtime.advance(200_000)
    expect(requests).toHaveLength(1)
    await runtime.advance(90_000)
    expect(requests).toHaveLength(2)
    expect(requests[1]?.headers).toMatchObject({ 'if-none-match': '"1"' })
    await answer({ status: 304, headers: five })
    await runtime.advance(100_000)
    expect(cache.isCurrent()).toBe(true)
    expect(cache.current()).toBe(before)
  })

  it('is looked for once in thirty seconds, however many unknown keys are named', async () => {
    const { cache, runtime, requests, answer } = prepare()
    const key = await createTestKey()
    const first = cache.get()
    await answer({ text: setOf(key), headers: five })
    await first
    const flood = () => Promise.all(Array.from({ length: 10_000 }, () => cache.getForUnknownKey()))
    for (let second = 0; second < 29; second++) {
      const done = flood()
      await answer({ text: setOf(key), headers: five })
      await done
      await runtime.advance(1_000)
    }
    expect(requests).toHaveLength(2)
    await runtime.advance(1_000)
    void flood()
    expect(requests).toHaveLength(3)
  })

  it('keeps the keys that stay as they are, and drops the one that left', async () => {
    const { cache, answer } = prepare()
    const [stays, leaves, comes] = await Promise.all([
      createTestKey(),
      createTestKey(),
      createTestKey(),
    ])
    const first = cache.get()
    await answer({ text: setOf(stays, leaves) })
    await first
    const before = cache.current()
    const known = before?.kids.get(stays.kid)
    const gone = before?.kids.get(leaves.kid)
    cache.noteChanged()
    await answer({ text: setOf(comes, stays) })
    await expect.poll(() => cache.outdatedSinceMs()).toBeNull()
    const after = cache.current()
    if (known === undefined || gone === undefined) throw new Error('both were in the set')
    expect([after?.has(known), after?.has(gone), after?.kids.has(comes.kid)]).toEqual([
      true,
      false,
      true,
    ])
  })

  it('is outdated from the news of a change until an answer that was asked for after it', async () => {
    const { cache, runtime, requests, answer } = prepare()
    const key = await createTestKey()
    const first = cache.get()
    await runtime.advance(10)
    cache.noteChanged()
    await answer({ text: setOf(key) })
    await first
    expect(cache.outdatedSinceMs()).not.toBeNull()
    await runtime.advance(1)
    expect(requests).toHaveLength(2)
    expect(requests[1]?.headers).toMatchObject({ 'cache-control': 'no-cache' })
    await answer(new Error('cut off'))
    expect(cache.outdatedSinceMs()).not.toBeNull()
    await runtime.advance(1_000)
    expect(requests).toHaveLength(3)
    await answer({ text: setOf(key) })
    await expect.poll(() => cache.outdatedSinceMs()).toBeNull()
  })

  it('that cannot be fetched again is used for a day, and asked for ever more rarely', async () => {
    const { cache, runtime, requests, answer, waiting } = prepare()
    const key = await createTestKey()
    const first = cache.get()
    await answer({ text: setOf(key), headers: five })
    await first
    for (let minute = 0; minute < 23 * 60; minute++) {
      await runtime.advance(60_000)
      while (waiting() > 0) await answer({ status: 500 })
    }
    expect(requests.length).toBeLessThan(2 * 23 * 60)
    expect((await cache.get())?.kids.has(key.kid)).toBe(true)
    expect(cache.lastError()).toBe('the JWK set answered 500')
    await runtime.advance(3_600_000)
    expect(cache.current()).toBeNull()
  })

  it('that was never there makes nobody wait for more than the attempt under way', async () => {
    const { cache, requests, answer } = prepare()
    const first = cache.get()
    await answer(new Error('refused'))
    expect(await first).toBeNull()
    expect(await Promise.all(Array.from({ length: 1_000 }, () => cache.get()))).toEqual(
      Array.from({ length: 1_000 }, () => null),
    )
    expect(requests).toHaveLength(1)
  })

  it('in a form that is none leaves the old one in its place', async () => {
    const { cache, answer } = prepare()
    const key = await createTestKey()
    const first = cache.get()
    await answer({ text: setOf(key) })
    await first
    const lies = {
      '<html>': 'is not JSON',
      null: 'holds no list of keys',
      '[]': 'holds no list of keys',
      [`${'['.repeat(100_000)}`]: 'is not JSON',
      '{"keys":{}}': 'holds no list of keys',
      '{"keys":[]}': 'holds no key that can be used',
      [setOf(key, key)]: 'holds a key twice',
      [JSON.stringify({ keys: Array(65).fill(key.jwk) })]: 'holds more than 64 keys',
    }
    for (const [text, error] of Object.entries(lies)) {
      cache.noteChanged()
      await answer({ text })
      await expect.poll(() => cache.lastError()).toBe(`the JWK set ${error}`)
      expect(cache.current()?.kids.has(key.kid)).toBe(true)
      expect(cache.outdatedSinceMs()).not.toBeNull()
    }
    for (const status of [301, 302, 307, 204, 304, 404]) {
      cache.noteChanged()
      await answer({ status, headers: { location: 'https://evil.test/' }, text: setOf(key) })
      expect(cache.lastError()).toBe(`the JWK set answered ${status}`)
    }
  })

  it.each([
    ['max-age=60', 60],
    ['public, max-age=300, must-revalidate', 300],
    ['max-age=0', 30],
    ['max-age=99999999', 86_400],
    ['no-store', 30],
    ['s-maxage=10', 300],
    ['', 300],
  ])('with "%s" is current for %i s', async (control, seconds) => {
    const { cache, runtime, answer } = prepare()
    const first = cache.get()
    await answer({ text: setOf(await createTestKey()), headers: { 'cache-control': control } })
    await first
    cache.close()
    await runtime.advance(seconds * 1000 - 1)
    expect(cache.isCurrent()).toBe(true)
    await runtime.advance(1)
    expect(cache.isCurrent()).toBe(false)
  })
})
