import type { Pool } from 'pg'
import type { Clock } from '../shared/clock.ts'
import {
  better,
  type ClockEstimate,
  type ClockReading,
  estimateFrom,
  tripOf,
} from './clock-estimate.ts'

/**
 * The time of Postgres, which all nodes share: read now and then, and carried on by the machine's
 * monotonic clock in between. So nodes agree on when a token was issued and when it expires however
 * their own clocks differ, and a clock that is set while the node runs changes nothing.
 */
export interface DatabaseClock extends Clock {
  /** By how much it may differ from the time of Postgres when it was read. */
  readonly errorMs: number
  stop(): void
}

const SYNC_INTERVAL_MS = 30_000
/** While it may be wrong by more than people would notice, it is read again soon. */
const SOON_MS = 1_000
const GOOD_ERROR_MS = 25
const MAX_READINGS = 5
/** So quick that another reading would say no more. */
const QUICK_TRIP_MS = 5

/** @param onError told of a reading that failed later; the first one must not. */
export async function createDatabaseClock(
  pool: Pick<Pool, 'query'>,
  onError: (error: unknown) => void,
): Promise<DatabaseClock> {
  const monotonicMs = (): number => performance.now()

  const read = async (): Promise<ClockReading> => {
    const askedAtMs = monotonicMs()
    const { rows } = await pool.query<{ ms: string }>({
      name: 'read_clock',
      text: 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms',
    })
    return { askedAtMs, answeredAtMs: monotonicMs(), databaseMs: Number(rows[0]?.ms) }
  }

  const readSeveral = async (): Promise<ClockEstimate> => {
    const readings: [ClockReading, ...ClockReading[]] = [await read()]
    let latest = readings[0]
    while (readings.length < MAX_READINGS && tripOf(latest) > QUICK_TRIP_MS) {
      latest = await read()
      readings.push(latest)
    }
    return estimateFrom(readings)
  }

  let estimate = await readSeveral()
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  const schedule = (): void => {
    if (isStopped) return
    timer = setTimeout(sync, estimate.errorMs > GOOD_ERROR_MS ? SOON_MS : SYNC_INTERVAL_MS)
    timer.unref()
  }
  const sync = async (): Promise<void> => {
    try {
      estimate = better(estimate, await readSeveral())
    } catch (error) {
      onError(error)
    }
    schedule()
  }
  schedule()
  return {
    nowMs: () => Math.floor(monotonicMs() + estimate.offsetMs),
    monotonicMs,
    get errorMs() {
      return estimate.errorMs
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
