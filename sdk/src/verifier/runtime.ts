/** Where the verifier gets time, chance and timers from: the seam that its tests use. */
export interface VerifierRuntime {
  /** Wall-clock time in milliseconds since the epoch: for the times in tokens alone. */
  nowMs(): number
  /** Milliseconds that only grow, whatever is done to the clock: for ages and time-outs. */
  monotonicMs(): number
  /** From 0 to 1, for jitter. */
  random(): number
  /**
   * Calls once, later; a timer that waits does not keep the process alive.
   *
   * @returns to stop it.
   */
  startTimer(callback: () => void, delayMs: number): () => void
}

export const systemRuntime: VerifierRuntime = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  startTimer(callback, delayMs) {
    // An object with `unref` in Node and Bun, a number in browsers and Deno.
    const timer: unknown = setTimeout(callback, delayMs)
    if (typeof timer === 'number') deno()?.unrefTimer(timer)
    else (timer as { unref?(): void }).unref?.()
    return () => clearTimeout(timer as number)
  },
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
