import type { FastifyBaseLogger } from 'fastify'
import type { Redis } from 'ioredis'
import type { Clock } from '../shared/clock.ts'
import { createLeaseSource, type LeaseSource } from './rate-limit.cache.ts'
import {
  createSharedBucket,
  deniedForMs,
  expireLease,
  needLease,
  prefetch,
  remainingOf,
  type SharedBucket,
  spendLease,
} from './shared-bucket.ts'
import { refill, secondsUntilToken } from './token-bucket.ts'
import { createTwoGenerations } from './two-generations.ts'

interface RateLimitRequest {
  tenantId: string
  apiKeyId: string
  /** Of one key; the tenant as a whole has five times as much. */
  ratePerSecond: number
}

export interface Verdict {
  isAllowed: boolean
  /** The `RateLimit-Policy` header. */
  policy: string
  /** The `RateLimit` header. */
  limit: string
  /** 0 when allowed. */
  retryAfterSeconds: number
}

export interface RateLimiter {
  /** Decided on the spot unless tokens must be fetched from Redis first. Never rejects. */
  take(request: RateLimitRequest): Verdict | Promise<Verdict>
  /** How many buckets are remembered. */
  readonly size: number
}

export interface RateLimiterOptions {
  /** Null: this is the only node. */
  redis: Redis | null
  clock: Clock
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
}

const TENANT_FACTOR = 5
const BURST_SECONDS = 2
// A bucket that rests for longer than its burst takes to grow is full: forgetting it changes nothing.
const GENERATION_MS = 10_000
const MAX_BUCKETS = 50_000
const MAX_ATTEMPTS = 8

/**
 * Token buckets for each key and each tenant. With Redis the bound holds over all nodes: what a node
 * spends it has taken out of the shared bucket before, some tokens at a time, so that a request
 * nearly never waits for a round trip.
 */
export function createRateLimiter({ redis, clock, log }: RateLimiterOptions): RateLimiter {
  const leases = redis === null ? null : createLeaseSource({ redis, clock, log })
  const limits = { make: createSharedBucket, generationMs: GENERATION_MS, maxEntries: MAX_BUCKETS }
  const keys = createTwoGenerations(limits)
  const tenants = createTwoGenerations(limits)
  return {
    take({ tenantId, apiKeyId, ratePerSecond }) {
      const nowMs = clock.monotonicMs()
      const keyId = `${tenantId}/${apiKeyId}`
      const pair = { key: keys.get(keyId, nowMs), tenant: tenants.get(tenantId, nowMs) }
      pair.key.name ||= `sesame:rate:${keyId}`
      pair.tenant.name ||= `sesame:rate:${tenantId}`
      grow(pair, ratePerSecond, nowMs)
      return leases?.isUp() ? takeShared(pair, leases, clock, nowMs) : takeLocally(pair)
    },
    get size() {
      return keys.size + tenants.size
    },
  }
}

interface Pair {
  key: SharedBucket
  tenant: SharedBucket
}

function grow({ key, tenant }: Pair, ratePerSecond: number, nowMs: number): void {
  const tenantRate = ratePerSecond * TENANT_FACTOR
  refill(key.local, ratePerSecond, nowMs, ratePerSecond * BURST_SECONDS)
  refill(tenant.local, tenantRate, nowMs, tenantRate * BURST_SECONDS)
}

function takeLocally(pair: Pair): Verdict {
  const { key, tenant } = pair
  const keyLeft = key.local.tokens
  const tenantLeft = tenant.local.tokens
  if (keyLeft >= 1 && tenantLeft >= 1) {
    key.local.tokens = keyLeft - 1
    tenant.local.tokens = tenantLeft - 1
    return verdict(pair, keyLeft - 1, tenantLeft - 1, 0)
  }
  const waitSeconds = Math.max(secondsUntilToken(key.local), secondsUntilToken(tenant.local))
  return verdict(pair, keyLeft, tenantLeft, waitSeconds)
}

function takeShared(
  pair: Pair,
  leases: LeaseSource,
  clock: Clock,
  nowMs: number,
): Verdict | Promise<Verdict> {
  const { key, tenant } = pair
  expireLease(key, nowMs)
  expireLease(tenant, nowMs)
  return decideShared(pair, leases, clock, nowMs) ?? waitForLeases(pair, leases, clock)
}

/** Undefined when it takes tokens that this node does not have yet. */
function decideShared(
  pair: Pair,
  leases: LeaseSource,
  clock: Clock,
  nowMs: number,
): Verdict | undefined {
  const { key, tenant } = pair
  if (key.leased > 0 && tenant.leased > 0) {
    spendLease(key)
    spendLease(tenant)
    prefetch(key, leases, clock)
    prefetch(tenant, leases, clock)
    return sharedVerdict(pair, nowMs, 0)
  }
  const waitMs = Math.max(deniedForMs(key, nowMs), deniedForMs(tenant, nowMs))
  return waitMs > 0 ? sharedVerdict(pair, nowMs, Math.ceil(waitMs / 1_000)) : undefined
}

async function waitForLeases(pair: Pair, leases: LeaseSource, clock: Clock): Promise<Verdict> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const [key, tenant] = [
      needLease(pair.key, leases, clock),
      needLease(pair.tenant, leases, clock),
    ]
    if ((await key) === null || (await tenant) === null) return takeLocally(pair)
    const decided = decideShared(pair, leases, clock, clock.monotonicMs())
    if (decided !== undefined) return decided
  }
  // Others were faster each time, so the limit is near.
  return sharedVerdict(pair, clock.monotonicMs(), 1)
}

const sharedVerdict = (pair: Pair, nowMs: number, retryAfterSeconds: number): Verdict =>
  verdict(pair, remainingOf(pair.key, nowMs), remainingOf(pair.tenant, nowMs), retryAfterSeconds)

/** Headers by draft-ietf-httpapi-ratelimit-headers-11. */
function verdict(
  { key, tenant }: Pair,
  keyLeft: number,
  tenantLeft: number,
  retryAfterSeconds: number,
): Verdict {
  if (key.policyRate !== key.local.ratePerSecond) {
    key.policyRate = key.local.ratePerSecond
    key.policy =
      `"key";q=${key.local.capacity};w=${BURST_SECONDS}, ` +
      `"tenant";q=${tenant.local.capacity};w=${BURST_SECONDS}`
  }
  return {
    isAllowed: retryAfterSeconds === 0,
    policy: key.policy,
    limit:
      `"key";r=${Math.floor(keyLeft)};t=${windowOf(key, keyLeft, retryAfterSeconds)}, ` +
      `"tenant";r=${Math.floor(tenantLeft)};t=${windowOf(tenant, tenantLeft, retryAfterSeconds)}`,
    retryAfterSeconds,
  }
}

/** Seconds until all of the quota is there again; never beyond what `Retry-After` says. */
function windowOf({ local }: SharedBucket, left: number, retryAfterSeconds: number): number {
  if (retryAfterSeconds > 0) return retryAfterSeconds
  return Math.max(1, Math.ceil((local.capacity - left) / local.ratePerSecond))
}
