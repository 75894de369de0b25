/** When work is given up, and how. */
export interface Deadline {
  timeoutMs: number
  /** The error for when the time is over. */
  onTimeout: () => Error
  /** The work ends with its reason. */
  signal?: AbortSignal | undefined
}

/**
 * Runs work that takes a signal, and does not wait for it beyond the deadline even if it ignores the
 * signal. Leaves no timer and no listener behind.
 */
export async function withDeadline<T>(
  { timeoutMs, onTimeout, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const over = Promise.withResolvers<never>()
  const giveUp = (reason: unknown): void => {
    over.reject(reason)
    controller.abort(reason)
  }
  const onAbort = (): void => giveUp(signal?.reason)
  const timer = setTimeout(() => giveUp(onTimeout()), timeoutMs)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([over.promise, work(controller.signal)])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Waits, and rejects at once with the signal's reason when it aborts. */
export async function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => reject(signal?.reason)
  const timer = setTimeout(resolve, delayMs)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
