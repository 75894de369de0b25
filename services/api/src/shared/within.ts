import { Problem } from './problem.ts'

/**
 * Waits for an answer of Postgres, but not for long: a server that stands still must not make callers
 * hang. The work goes on, and its answer is dropped.
 *
 * @throws Problem service_unavailable
 */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>()
  const late = () =>
    new Problem('service_unavailable', {
      headers: { 'retry-after': '1' },
      internal: 'Postgres gave no answer in time',
    })
  const timer = setTimeout(() => timeout.reject(late()), timeoutMs)
  try {
    return await Promise.race([promise, timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}
