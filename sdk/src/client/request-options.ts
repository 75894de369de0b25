/** What any call takes as its last argument. */
export interface RequestOptions {
  /** Ends the call, its retries and their waits; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** For each attempt, in milliseconds, instead of the client's. */
  timeoutMs?: number | undefined
  /** Instead of the client's. 0 for none. */
  maxRetries?: number | undefined
  /** The tenant to act in, instead of the client's: for an operator key. */
  tenantId?: string | undefined
}

/** For a call that makes something, or ends many sessions: doing it twice would matter. */
export interface CreateOptions extends RequestOptions {
  /**
   * Calls with the same key do the work once and get the same answer, for 24 hours. Without it each
   * call makes up a key for itself and its retries.
   */
  idempotencyKey?: string | undefined
}

/** A timer holds no more, and would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const MAX_RETRIES = 10

const TENANT_ID = /^tnt_[0-7][0-9A-HJKMNP-TV-Z]{25}$/
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

/** @throws TypeError that says which option is wrong. */
export function checkOptions({ timeoutMs, maxRetries, ...others }: CreateOptions): void {
  if (timeoutMs !== undefined && !isBetween(timeoutMs, 1, MAX_TIMEOUT_MS))
    throw new TypeError(`timeoutMs is from 1 to ${MAX_TIMEOUT_MS} milliseconds`)
  if (maxRetries !== undefined && !isBetween(maxRetries, 0, MAX_RETRIES))
    throw new TypeError(`maxRetries is from 0 to ${MAX_RETRIES}`)
  const { tenantId, idempotencyKey } = others
  if (tenantId !== undefined && !(typeof tenantId === 'string' && TENANT_ID.test(tenantId)))
    throw new TypeError('tenantId is tnt_ and 26 characters')
  if (
    idempotencyKey !== undefined &&
    !(typeof idempotencyKey === 'string' && IDEMPOTENCY_KEY.test(idempotencyKey))
  )
    throw new TypeError('idempotencyKey is 1 to 255 visible ASCII characters, such as a UUID')
}

const isBetween = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most
