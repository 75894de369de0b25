import type { VerifierRuntime } from '../src/verifier/runtime.ts'

/** Time that stands still until it is moved. */
export interface TestRuntime extends VerifierRuntime {
  /** Moves both clocks and calls what was due, in order. */
  advance(ms: number): Promise<void>
  /** Somebody sets the clock. */
  stepWallClock(ms: number): void
  timers(): number
}

export function createTestRuntime(): TestRuntime {
  let monotonicMs = 5_000
  let wallLeadMs = 1_790_000_000_000
  const timers = new Set<{ atMs: number; callback: () => void }>()
  const nextBefore = (untilMs: number) =>
    [...timers].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs)[0]
  return {
    nowMs: () => monotonicMs + wallLeadMs,
    monotonicMs: () => monotonicMs,
    random: () => 0.5,
    startTimer(callback, delayMs) {
      const timer = { atMs: monotonicMs + delayMs, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms) {
      const untilMs = monotonicMs + ms
      for (let timer = nextBefore(untilMs); timer !== undefined; timer = nextBefore(untilMs)) {
        monotonicMs = Math.max(monotonicMs, timer.atMs)
        timers.delete(timer)
        timer.callback()
        await settle()
      }
      monotonicMs = untilMs
      await settle()
    },
    stepWallClock(ms) {
      wallLeadMs += ms
    },
    timers: () => timers.size,
  }
}

/** Lets everything happen that needs no more time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}
