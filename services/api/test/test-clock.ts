import type { Clock } from '../src/shared/clock.ts'

export interface TestClock extends Clock {
  advanceSeconds(seconds: number): void
}

/** Follows the real time, and can be moved. */
export function createTestClock(): TestClock {
  let offsetMs = 0
  return {
    nowMs: () => Date.now() + offsetMs,
    monotonicMs: () => performance.now(),
    advanceSeconds(seconds) {
      offsetMs += seconds * 1000
    },
  }
}
