import type { Clock } from '../shared/clock.ts'
import type { Lease, LeaseSource } from './rate-limit.cache.ts'
import { createTokenBucket, type TokenBucket } from './token-bucket.ts'

/** A node's view of a bucket that lives in Redis, and its own bucket for when Redis is away. */
export interface SharedBucket {
  /** Its key in Redis. */
  name: string
  local: TokenBucket
  /** Tokens that were taken out of the shared bucket and not spent yet. */
  leased: number
  leasedAtMs: number
  /** How many to take at a time. */
  chunk: number
  /** Callers that wait for the request under way, or for the next. */
  waiting: number
  pending: Promise<Lease | null> | null
  /** What the shared bucket held when it was last asked. */
  remaining: number
  deniedUntilMs: number
  policyRate: number
  policy: string
}

/** Unspent tokens are given up after this long: they would let a burst through later. */
const LEASE_MS = 1_000
const MAX_CHUNK_OF_RATE = 0.04
/** Tokens that are used up this fast call for more at a time. */
const FAST_MS = 100

export const createSharedBucket = (nowMs: number): SharedBucket => ({
  name: '',
  local: createTokenBucket(nowMs),
  leased: 0,
  leasedAtMs: 0,
  chunk: 1,
  waiting: 0,
  pending: null,
  remaining: 0,
  deniedUntilMs: 0,
  policyRate: 0,
  policy: '',
})

export function expireLease(bucket: SharedBucket, nowMs: number): void {
  if (bucket.leased === 0 || nowMs - bucket.leasedAtMs < LEASE_MS) return
  bucket.leased = 0
  // What went to waste here was missing elsewhere.
  bucket.chunk = Math.max(1, bucket.chunk >> 1)
}

export function spendLease(bucket: SharedBucket): void {
  bucket.leased--
  // So that this node's own bucket is not a fresh one at the moment Redis goes away.
  bucket.local.tokens = Math.max(0, bucket.local.tokens - 1)
}

export const deniedForMs = (bucket: SharedBucket, nowMs: number): number =>
  bucket.leased > 0 ? 0 : bucket.deniedUntilMs - nowMs

/** What the callers of all nodes have left, as far as this node knows. */
export function remainingOf({ remaining, leased, leasedAtMs, local }: SharedBucket, nowMs: number) {
  const grown = ((nowMs - leasedAtMs) * local.ratePerSecond) / 1_000
  return Math.min(local.capacity, remaining + leased + grown)
}

/** Asks for more in good time, so that nobody has to wait. Not for tiny limits: there one is all. */
export function prefetch(bucket: SharedBucket, leases: LeaseSource, clock: Clock): void {
  if (bucket.chunk > 1 && bucket.leased <= bucket.chunk >> 1) fetchLease(bucket, leases, clock)
}

/** Resolves when there is a lease to share, or at once when there is one; null without Redis. */
export async function needLease(
  bucket: SharedBucket,
  leases: LeaseSource,
  clock: Clock,
): Promise<Lease | null | undefined> {
  if (bucket.leased > 0) return undefined
  bucket.waiting++
  try {
    return await fetchLease(bucket, leases, clock)
  } finally {
    bucket.waiting--
  }
}

function fetchLease(bucket: SharedBucket, leases: LeaseSource, clock: Clock) {
  bucket.pending ??= startLease(bucket, leases, clock).finally(() => {
    bucket.pending = null
  })
  return bucket.pending
}

async function startLease(
  bucket: SharedBucket,
  leases: LeaseSource,
  clock: Clock,
): Promise<Lease | null> {
  const { ratePerSecond, capacity } = bucket.local
  if (clock.monotonicMs() - bucket.leasedAtMs < FAST_MS)
    bucket.chunk = Math.min(bucket.chunk * 2, Math.ceil(ratePerSecond * MAX_CHUNK_OF_RATE))
  let wanted = 0
  const lease = await leases.lease({
    bucket: bucket.name,
    ratePerSecond,
    capacity,
    wanted: () => {
      wanted = Math.max(bucket.chunk, bucket.waiting)
      return wanted
    },
  })
  if (lease !== null) noteLease(bucket, lease, wanted, clock.monotonicMs())
  return lease
}

function noteLease(bucket: SharedBucket, lease: Lease, wanted: number, nowMs: number): void {
  bucket.leased += lease.granted
  bucket.leasedAtMs = nowMs
  bucket.remaining = lease.remaining
  // Until then asking again is a round trip for a certain no.
  if (lease.granted < wanted) bucket.deniedUntilMs = nowMs + lease.waitMs
}
