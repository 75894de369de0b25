/** Where the verifier gets time, chance and timers from: the seam that its tests use. */
export interface VerifierRuntime {
  /** Wall-clock time in milliseconds since the epoch: for the times in tokens alone. */
  nowMs(): number
  /** Milliseconds that only grow, whatever is done to the clock: for ages and time-outs. */
  monotonicMs(): number
  /** From 0 to 1, for jitter. */
  random(): number
  /**
   * Calls once, later. A timer keeps the process alive only where somebody waits for it.
   *
   * @returns to stop it.
   */
  startTimer(callback: () => void, delayMs: number, options?: { isAwaited: boolean }): () => void
}

export const systemRuntime: VerifierRuntime = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  startTimer(callback, delayMs, options) {
    const timer: unknown = setTimeout(callback, delayMs)
    if (options?.isAwaited !== true) unref(timer)
    return () => clearTimeout(timer as number)
  },
}

/** A timer is an object with `unref` in Node and Bun, a number in browsers and Deno. */
function unref(timer: unknown): void {
  if (typeof timer === 'number') deno()?.unrefTimer(timer)
  else (timer as { unref?(): void }).unref?.()
}

const deno = (): { unrefTimer(id: number): void } | undefined =>
  (globalThis as { Deno?: { unrefTimer(id: number): void } }).Deno

/**
 * Milliseconds that grow also while the machine sleeps. The monotonic clock of some systems stands
 * still then, and nothing that was known before the sleep may count as fresh after it: a step of the
 * wall clock forwards counts as time that passed. If it was only somebody setting the clock, one
 * needless round trip is all it costs; a step backwards changes nothing.
 */
export function createElapsedClock(runtime: VerifierRuntime): () => number {
  let sleptMs = 0
  let lead = runtime.nowMs() - runtime.monotonicMs()
  return () => {
    const monotonicMs = runtime.monotonicMs()
    const leadNow = runtime.nowMs() - monotonicMs
    if (leadNow - lead > SLEEP_MS) sleptMs += leadNow - lead
    lead = leadNow
    return monotonicMs + sleptMs
  }
}

/** Clocks that are slewed drift by much less between two looks. */
const SLEEP_MS = 1_000
