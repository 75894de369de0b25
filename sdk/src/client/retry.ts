import { ApiError, ConnectionError } from '../errors.ts'

const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 8_000
/** Who is asked to wait for longer should know, and not hang. */
const MAX_RETRY_AFTER_SECONDS = 60

/**
 * How long to wait before the next attempt, or null where another attempt cannot help. The wait
 * doubles and is random in its whole length, so that clients that failed together do not come back
 * together.
 */
export function retryDelayMs(error: unknown, retries: number, random: () => number): number | null {
  if (!isTransient(error)) return null
  const jitterMs = random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** retries)
  const askedSeconds = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0
  return askedSeconds > MAX_RETRY_AFTER_SECONDS ? null : askedSeconds * 1000 + jitterMs
}

function isTransient(error: unknown): boolean {
  if (!(error instanceof ApiError)) return error instanceof ConnectionError
  const { status, code } = error
  // 501 and 505 say that it will never work.
  if (status >= 500) return status !== 501 && status !== 505
  return status === 408 || status === 429 || code === 'idempotency_in_progress'
}
