import { lifetimeOf } from './cache-lifetime.ts'
import type { Exchange } from './exchange.ts'
import { type KeySet, readJwkSet } from './jwk-set.ts'
import type { VerifierRuntime } from './runtime.ts'
import { describeFailure, errorOfAnswer, ServiceError } from './service-error.ts'

/** The tenant's JWK set, kept and kept current. */
export interface JwksCache {
  /** What is known now; null before the first answer and when it is too old to be believed. */
  current(): KeySet | null
  /**
   * The same, after waiting for an answer where there is none yet or the last one has had its time.
   * Null where no set can be had now.
   */
  get(): Promise<KeySet | null>
  /** Whether `get` would only say what `current` says. */
  isCurrent(): boolean
  /** The set after a look for a key that it does not hold: one look in 30 s, whoever asks. */
  getForUnknownKey(): Promise<KeySet | null>
  /** The feed says that the keys changed: until they are fetched, they are outdated. */
  noteChanged(): void
  /** Since when the keys are known to have changed and could not be fetched; null when they are not. */
  outdatedSinceMs(): number | null
  lastError(): string | null
  close(): void
}

export interface JwksCacheDeps {
  url: string
  exchange: Exchange
  runtime: VerifierRuntime
  elapsedMs: () => number
}

const MAX_BODY_BYTES = 256 * 1024
/** How long a set is used that could not be fetched again: who verifies locally outlives an outage. */
const MAX_AGE_MS = 86_400_000
const UNKNOWN_KEY_COOL_DOWN_MS = 30_000
/**
 * A Worker's request that ends takes its calls with it, and nobody hears of them again; the same goes
 * for a machine that slept.
 */
const LOST_MS = 60_000
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60_000

export function createJwksCache({ url, exchange, runtime, elapsedMs }: JwksCacheDeps): JwksCache {
  let keySet: KeySet | null = null
  let fetchedAtMs = 0
  let lifetimeMs = 0
  let etag: string | null = null
  let pending: Promise<void> | null = null
  let pendingSinceMs = 0
  let failures = 0
  let retryAtMs = 0
  let changedAtMs: number | null = null
  let unknownKeyLookAtMs = Number.NEGATIVE_INFINITY
  let lastError: string | null = null
  let isClosed = false
  let stopTimer = (): void => {}

  const load = async (): Promise<void> => {
    const answer = await exchange({
      what: 'the JWK set',
      url,
      maxBytes: MAX_BODY_BYTES,
      headers: {
        accept: 'application/jwk-set+json, application/json',
        ...(etag !== null && { 'if-none-match': etag }),
        // What changed must not be answered from a cache on the way.
        ...(changedAtMs !== null && { 'cache-control': 'no-cache' }),
      },
    })
    const isKnown = answer.status === 304 && etag !== null
    if (answer.status !== 200 && !isKnown)
      throw errorOfAnswer('the JWK set', answer.status, answer.headers, answer.text)
    if (!isKnown) {
      keySet = await readJwkSet(answer.text, keySet)
      etag = answer.headers.get('etag')
    }
    lifetimeMs = lifetimeOf(answer.headers)
  }

  const refresh = async (): Promise<void> => {
    const startedAtMs = elapsedMs()
    try {
      await load()
      fetchedAtMs = startedAtMs
      failures = 0
      lastError = null
      // An answer that was under way when the keys changed may be the old one.
      if (changedAtMs !== null && startedAtMs >= changedAtMs) changedAtMs = null
    } catch (error) {
      lastError = describeFailure('the JWK set', error)
      failures++
      const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
      const asked = error instanceof ServiceError ? (error.retryAfterMs ?? 0) : 0
      retryAtMs = elapsedMs() + Math.max(asked, delayMs * (0.5 + runtime.random() / 2))
    }
  }

  /** One at a time: who comes while it runs waits for the same. */
  const refreshOnce = (): Promise<void> => {
    if (isClosed) return Promise.resolve()
    if (pending !== null && elapsedMs() - pendingSinceMs < LOST_MS) return pending
    pendingSinceMs = elapsedMs()
    const attempt = refresh().finally(() => {
      if (pending !== attempt) return
      pending = null
      schedule()
    })
    pending = attempt
    return attempt
  }

  const schedule = (): void => {
    stopTimer()
    if (isClosed) return
    stopTimer = runtime.startTimer(() => void refreshOnce(), nextRefreshInMs())
  }

  /** Before the set has had its time, so that no request waits for it. */
  const nextRefreshInMs = (): number => {
    if (failures > 0) return Math.max(0, retryAtMs - elapsedMs())
    if (changedAtMs !== null) return 0
    return lifetimeMs * (0.7 + 0.2 * runtime.random())
  }

  const current = (): KeySet | null => (elapsedMs() - fetchedAtMs < MAX_AGE_MS ? keySet : null)
  const isCurrent = (): boolean => keySet !== null && elapsedMs() - fetchedAtMs < lifetimeMs

  return {
    current,
    isCurrent,
    async get() {
      if (isCurrent()) return keySet
      // After a failure the old set does until the next attempt is due, and so does having none.
      if (failures === 0 || pending !== null || elapsedMs() >= retryAtMs) {
        const attempt = refreshOnce()
        if (failures === 0 || current() === null) await attempt
      }
      return current()
    },
    async getForUnknownKey() {
      const nowMs = elapsedMs()
      if (nowMs - unknownKeyLookAtMs >= UNKNOWN_KEY_COOL_DOWN_MS) {
        unknownKeyLookAtMs = nowMs
        await refreshOnce()
      } else if (pending !== null) {
        await pending
      }
      return current()
    },
    noteChanged() {
      changedAtMs = elapsedMs()
      failures = 0
      if (pending === null) void refreshOnce()
    },
    outdatedSinceMs: () => changedAtMs,
    lastError: () => lastError,
    close() {
      isClosed = true
      stopTimer()
    },
  }
}
