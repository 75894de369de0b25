/** The only place that reads the time. Tests pass a clock of their own and move it. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. */
  nowMs(): number
  /** Milliseconds that only ever grow: for ages and time-outs, never for instants. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}
