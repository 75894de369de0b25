import type { VerifierRuntime } from './runtime.ts'

/** The time to judge tokens by, between a local clock that may be wrong and what the service says. */
export interface ServiceClock {
  /** What the service says that its time is: in a heartbeat, or the date of an answer. */
  note(serviceNowMs: number): void
  /**
   * The later of the two clocks, and never before what was forgotten: a token whose revocation was
   * forgotten has expired, however the local clock is stepped.
   */
  nowMs(): number
  /** Entries up to here may be forgotten: both clocks have passed it. Null while only one is known. */
  forgettableMs(): number | null
}

/** Beyond this one of the two is broken, and the service can't be asked which. */
const MAX_LEAD_MS = 86_400_000

export function createServiceClock(
  runtime: VerifierRuntime,
  elapsedMs: () => number,
): ServiceClock {
  /** Service time less elapsed time. It came a little late, so it is a little low. */
  let offsetMs: number | null = null
  let forgottenMs = 0

  const serviceMs = (): number | null => {
    if (offsetMs === null) return null
    const serviceNowMs = elapsedMs() + offsetMs
    return Math.abs(serviceNowMs - runtime.nowMs()) > MAX_LEAD_MS ? null : serviceNowMs
  }

  return {
    note(serviceNowMs) {
      offsetMs = serviceNowMs - elapsedMs()
    },
    nowMs: () => Math.max(runtime.nowMs(), serviceMs() ?? 0, forgottenMs),
    forgettableMs() {
      const serviceNowMs = serviceMs()
      if (serviceNowMs === null) return null
      const safeMs = Math.min(runtime.nowMs(), serviceNowMs)
      forgottenMs = Math.max(forgottenMs, safeMs)
      return safeMs
    },
  }
}
