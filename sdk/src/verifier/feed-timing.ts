import type { VerifierRuntime } from './runtime.ts'
import { ServiceError } from './service-error.ts'

/** How often the feed looks after itself. */
export const TICK_MS = 250
/** Heartbeats come every five seconds: after three that did not, the connection is dead. */
export const MAX_SILENCE_MS = 15_000
/** For all that still matters, however much it is. */
export const SYNC_LIMIT_MS = 60_000
/** Streams that failed in a row before polling begins. */
export const FALLBACK_FAILURES = 2

const QUICK_MS = 250
const LAST_RETRY_MS = 30_000
const LAST_RETRY_AFTER_SYNC_MS = 2_000
const SUSPENDED_RETRY_MS = 3_000
const REFUSED_RETRY_MS = 30_000
const POLL_MS = 1_000

export interface LostConnection {
  /** Null where the service ended it in good order. */
  error: unknown
  failures: number
  /** What the service asked for. */
  retryMs: number
  wasSynced: boolean
}

/**
 * The service ends streams so that clients prove themselves anew, and when a node goes: then come
 * back at once, but not all in the same millisecond. After failures wait longer each time.
 */
export function reconnectDelayMs(lost: LostConnection, { random }: VerifierRuntime): number {
  const jitter = 0.5 + random() / 2
  if (lost.error instanceof ServiceError) {
    if (lost.error.kind === 'refused') return REFUSED_RETRY_MS * jitter
    if (lost.error.kind === 'suspended') return SUSPENDED_RETRY_MS * jitter
    if (lost.error.retryAfterMs !== null) return lost.error.retryAfterMs * (1 + random() / 4)
  }
  if (lost.failures === 0) return QUICK_MS * random()
  const longestMs = lost.wasSynced ? LAST_RETRY_AFTER_SYNC_MS : LAST_RETRY_MS
  return Math.min(longestMs, lost.retryMs * 2 ** (lost.failures - 1)) * jitter
}

export function pollDelayMs(
  { error, failures }: { error: unknown; failures: number },
  { random }: VerifierRuntime,
): number {
  if (error instanceof ServiceError && error.retryAfterMs !== null)
    return error.retryAfterMs * (1 + random() / 4)
  return Math.min(LAST_RETRY_MS, POLL_MS * 2 ** failures) * (0.8 + 0.4 * random())
}
