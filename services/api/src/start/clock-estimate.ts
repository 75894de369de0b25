/** The time of Postgres, between asking for it and having the answer. By the machine's monotonic clock. */
export interface ClockReading {
  askedAtMs: number
  answeredAtMs: number
  /** Wall-clock time of the database, at some moment in between. */
  databaseMs: number
}

/** What to add to the monotonic clock, and by how much that may be wrong. */
export interface ClockEstimate {
  offsetMs: number
  errorMs: number
  /** When it was read. Since then it may have drifted. */
  asOfMs: number
}

/** Two quartz clocks drift apart by less than this: 0.2 ms a second. */
const MAX_DRIFT = 0.0002

/**
 * The middle of the round trip is off by at most half of it, wherever on the way the time was lost
 * (Cristian's algorithm). So of several readings the quickest says most.
 */
export function estimateFrom(readings: readonly [ClockReading, ...ClockReading[]]): ClockEstimate {
  const [first, ...others] = readings
  const quickest = others.reduce((best, each) => (tripOf(each) < tripOf(best) ? each : best), first)
  const { askedAtMs, answeredAtMs, databaseMs } = quickest
  return {
    offsetMs: databaseMs - (askedAtMs + answeredAtMs) / 2,
    errorMs: tripOf(quickest) / 2,
    asOfMs: answeredAtMs,
  }
}

export const tripOf = ({ askedAtMs, answeredAtMs }: ClockReading): number =>
  answeredAtMs - askedAtMs

/**
 * The better of what was believed and what was read just now: the one that can be wrong by less. Where
 * they cannot both be right, one of the clocks was set, and the newer one counts.
 */
export function better(believed: ClockEstimate, read: ClockEstimate): ClockEstimate {
  const errorMs = believed.errorMs + Math.max(0, read.asOfMs - believed.asOfMs) * MAX_DRIFT
  const isContradicted = Math.abs(read.offsetMs - believed.offsetMs) > errorMs + read.errorMs
  return isContradicted || read.errorMs <= errorMs ? read : believed
}
