/** Tokens that grow with time up to a burst; one is spent for each request. Times are monotonic. */
export interface TokenBucket {
  ratePerSecond: number
  capacity: number
  tokens: number
  updatedAtMs: number
}

/** Full. The rate is set before the first use. */
export const createTokenBucket = (nowMs: number): TokenBucket => ({
  ratePerSecond: 0,
  capacity: 0,
  tokens: Number.POSITIVE_INFINITY,
  updatedAtMs: nowMs,
})

/** @param capacity what may be spent at once after a rest. */
export function refill(
  bucket: TokenBucket,
  ratePerSecond: number,
  nowMs: number,
  capacity: number,
): void {
  bucket.ratePerSecond = ratePerSecond
  bucket.capacity = capacity
  const grown = bucket.tokens + ((nowMs - bucket.updatedAtMs) * ratePerSecond) / 1_000
  bucket.tokens = Math.min(capacity, grown)
  bucket.updatedAtMs = nowMs
}

/** Whole seconds until the bucket has a token; at least one, for `Retry-After`. */
export const secondsUntilToken = ({ tokens, ratePerSecond }: TokenBucket): number =>
  Math.max(1, Math.ceil((1 - tokens) / ratePerSecond))
