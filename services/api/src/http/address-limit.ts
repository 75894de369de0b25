import { isIPv6 } from 'node:net'
import type { Clock } from '../shared/clock.ts'
import { createTokenBucket, refill, secondsUntilToken } from './token-bucket.ts'
import { createTwoGenerations } from './two-generations.ts'

/**
 * Slows down those who guess keys. Only failures count and only failures are refused: a tenant whose
 * backend shares an address with an attacker notices nothing.
 */
export interface AddressLimiter {
  /** Whether so many attempts failed of late that looking up one more unknown key is not worth it. */
  isExhausted(address: string, tenantId?: string): boolean
  /** Counts a failure. Returns 0, or the seconds to wait when there were too many. */
  noteFailure(address: string, tenantId?: string): number
  /** How many addresses are remembered. */
  readonly size: number
}

const FAILURES_PER_SECOND = 20
const FAILURES_AT_ONCE = 100
const GENERATION_MS = 60_000
const MAX_ADDRESSES = 20_000

export function createAddressLimiter({ clock }: { clock: Clock }): AddressLimiter {
  const buckets = createTwoGenerations({
    make: createTokenBucket,
    generationMs: GENERATION_MS,
    maxEntries: MAX_ADDRESSES,
  })
  const bucketOf = (address: string, tenantId = '') => {
    const nowMs = clock.monotonicMs()
    const bucket = buckets.get(networkOf(address) + tenantId, nowMs)
    refill(bucket, FAILURES_PER_SECOND, nowMs, FAILURES_AT_ONCE)
    return bucket
  }
  return {
    isExhausted: (address, tenantId) => bucketOf(address, tenantId).tokens < 1,
    noteFailure(address, tenantId) {
      const bucket = bucketOf(address, tenantId)
      if (bucket.tokens < 1) return secondsUntilToken(bucket)
      bucket.tokens--
      return 0
    },
    get size() {
      return buckets.size
    },
  }
}

/** An IPv4 address, or the /64 of an IPv6 one: whoever has one address there has all of them. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const lastColon = address.lastIndexOf(':')
  if (address.includes('.')) return address.slice(lastColon + 1)
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? []
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const groups = tail === undefined ? before : [...before, ...zeros, ...after]
  return groups
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')
}
