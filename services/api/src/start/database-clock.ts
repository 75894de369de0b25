import type { Pool } from 'pg'
import type { Clock } from '../shared/clock.ts'

/**
 * The time of Postgres, which all nodes share: read now and then, and carried on by the machine's
 * monotonic clock in between. So nodes agree on when a token was issued and when it expires however
 * their own clocks differ, and a clock that is set while the node runs changes nothing.
 */
export interface DatabaseClock extends Clock {
  stop(): void
}

const SYNC_INTERVAL_MS = 30_000
/** An answer that was longer under way says too little about when it was given. */
const MAX_ROUND_TRIP_MS = 500
/** Below this the difference is more likely the network's than the clock's. */
const MIN_CORRECTION_MS = 20
const FIRST_ATTEMPTS = 5

export async function createDatabaseClock(
  pool: Pool,
  onError: (error: unknown) => void,
): Promise<DatabaseClock> {
  const monotonicMs = (): number => performance.now()
  let offsetMs = Date.now() - monotonicMs()

  /** False when the answer was too slow to be of use. */
  const sync = async (): Promise<boolean> => {
    const askedAtMs = monotonicMs()
    const { rows } = await pool.query<{ ms: string }>({
      name: 'read_clock',
      text: 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms',
    })
    const answeredAtMs = monotonicMs()
    if (answeredAtMs - askedAtMs > MAX_ROUND_TRIP_MS) return false
    const seenOffsetMs = Number(rows[0]?.ms) - (askedAtMs + answeredAtMs) / 2
    if (Math.abs(seenOffsetMs - offsetMs) > MIN_CORRECTION_MS) offsetMs = seenOffsetMs
    return true
  }

  for (let attempt = 0; attempt < FIRST_ATTEMPTS; attempt++) if (await sync()) break
  const timer = setInterval(() => {
    sync().catch(onError)
  }, SYNC_INTERVAL_MS)
  timer.unref()
  return {
    nowMs: () => Math.floor(monotonicMs() + offsetMs),
    monotonicMs,
    stop: () => clearInterval(timer),
  }
}
