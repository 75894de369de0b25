import { createHash } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Redis } from 'ioredis'
import type { Clock } from '../shared/clock.ts'

/** Tokens taken out of a bucket that all nodes share, for this node to spend. */
export interface Lease {
  granted: number
  /** What is left in the bucket. */
  remaining: number
  /** When it has a token again; 0 when it has one. */
  waitMs: number
}

interface LeaseRequest {
  bucket: string
  ratePerSecond: number
  capacity: number
  /** Asked when the request leaves, so that callers who joined in the meantime are counted. */
  wanted(): number
}

export interface LeaseSource {
  /** Whether Redis answered the last time. While it is away, it is asked again behind the scenes. */
  isUp(): boolean
  /** Null when Redis does not answer in time. Never rejects. */
  lease(request: LeaseRequest): Promise<Lease | null>
}

export interface LeaseSourceOptions {
  redis: Redis
  clock: Clock
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
}

const TIMEOUT_MS = 50
const RETRY_MS = 1_000

/** All requests of one turn of the event loop travel together, in one pipeline. */
export function createLeaseSource({ redis, clock, log }: LeaseSourceOptions): LeaseSource {
  let queue: Waiting[] = []
  let downSinceMs: number | null = null
  let probedAtMs = 0

  const setUp = (isUp: boolean): void => {
    if (isUp === (downSinceMs === null)) return
    downSinceMs = isUp ? null : clock.monotonicMs()
    probedAtMs = clock.monotonicMs()
    if (isUp) log.info('rate limits are shared through Redis again')
    else log.warn('Redis does not answer: rate limits are kept by each node for itself')
  }
  const ask = async (waiting: Waiting[]): Promise<void> => {
    const answers = await withTimeout(runScripts(redis, waiting))
    setUp(answers !== null)
    for (const [i, { resolve }] of waiting.entries()) resolve(answers?.[i] ?? null)
  }
  const flush = (): void => {
    const waiting = queue
    queue = []
    ask(waiting)
  }
  const probe = async (): Promise<void> => {
    probedAtMs = clock.monotonicMs()
    if (redis.status === 'ready' && (await withTimeout(redis.ping())) !== null) setUp(true)
  }
  return {
    isUp() {
      if (downSinceMs === null && redis.status === 'ready') return true
      setUp(false)
      if (clock.monotonicMs() - probedAtMs > RETRY_MS) probe()
      return false
    },
    lease: request =>
      new Promise(resolve => {
        if (queue.push({ request, resolve }) === 1) setImmediate(flush)
      }),
  }
}

interface Waiting {
  request: LeaseRequest
  resolve(lease: Lease | null): void
}

/** Null when it fails or takes too long. */
function withTimeout<T>(promise: Promise<T>): Promise<T | null> {
  return new Promise(resolve => {
    // When it is our own loop that was late, the answer may be waiting to be read: one more turn.
    const timer = setTimeout(() => setImmediate(resolve, null), TIMEOUT_MS)
    const settle = (value: T | null): void => {
      clearTimeout(timer)
      resolve(value)
    }
    promise.then(settle, () => settle(null))
  })
}

// By the clock of Redis, which all nodes share. A bucket that has been left alone until it is full
// again is the same as none, so it expires.
const SCRIPT = `
local rate, capacity, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(bucket[1]) or capacity, tonumber(bucket[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate / 1000)
local granted = math.min(wanted, math.floor(tokens))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000) + 1000)
local wait = 0
if tokens < 1 then wait = math.ceil((1 - tokens) * 1000 / rate) end
return {granted, math.floor(tokens), wait}
`
const SCRIPT_HASH = createHash('sha1').update(SCRIPT).digest('hex')

async function runScripts(redis: Redis, waiting: readonly Waiting[]): Promise<Lease[] | null> {
  const requests = waiting.map(({ request }) => ({ ...request, wanted: request.wanted() }))
  const answers = await runPipeline(redis, requests, 'evalsha', SCRIPT_HASH)
  // A Redis that was restarted or flushed has forgotten the script.
  return answers ?? runPipeline(redis, requests, 'eval', SCRIPT)
}

async function runPipeline(
  redis: Redis,
  requests: readonly (Omit<LeaseRequest, 'wanted'> & { wanted: number })[],
  command: 'eval' | 'evalsha',
  script: string,
): Promise<Lease[] | null> {
  const pipeline = redis.pipeline()
  for (const { bucket, ratePerSecond, capacity, wanted } of requests)
    pipeline[command](script, 1, bucket, ratePerSecond, capacity, wanted)
  const answers = (await pipeline.exec()) ?? []
  const failed = answers.find(([error]) => error !== null)?.[0]
  if (failed?.message.startsWith('NOSCRIPT')) return null
  if (failed) throw failed
  return answers.map(([, answer]) => toLease(answer))
}

function toLease(answer: unknown): Lease {
  const [granted, remaining, waitMs] = Array.isArray(answer) ? answer.map(Number) : []
  return { granted: granted ?? 0, remaining: remaining ?? 0, waitMs: waitMs ?? 0 }
}
