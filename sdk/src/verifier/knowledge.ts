import { createDenySet, type DenySet } from './deny-set.ts'
import type { FeedEvent } from './feed-event.ts'
import type { VerifierRuntime } from './runtime.ts'
import { createServiceClock, type ServiceClock } from './service-clock.ts'

/** What this process knows of revocations, and as of when. */
export interface Knowledge {
  readonly denySet: DenySet
  readonly clock: ServiceClock
  /** The number of the newest entry that is known, with all before it; null for nothing yet. */
  readonly position: number | null
  /** Counts the resets: what was read before the last one is no continuation of what came after. */
  readonly epoch: number
  /** Elapsed milliseconds; null before the first time that all was known. */
  readonly freshAsOfMs: number | null
  /** Whether the tenant is suspended or gone: then every token is refused. */
  readonly isTenantRefused: boolean
  apply(event: FeedEvent): void
  advanceTo(position: number): void
  /** All up to this moment is known now. */
  markFresh(asOfMs: number): void
  refuseTenant(): void
  forget(): void
}

export interface KnowledgeDeps {
  runtime: VerifierRuntime
  elapsedMs: () => number
  /** Called for each event of the feed, after it is known. */
  onEvent(event: FeedEvent): void
  onTenantRefused(): void
  /** This process was blind for so long that an entry can have come and been forgotten unseen. */
  onGap(): void
}

/** The shortest life of a token, and thus of an entry, is thirty seconds. */
const GAP_MS = 25_000

export function createKnowledge(deps: KnowledgeDeps): Knowledge {
  const clock = createServiceClock(deps.runtime, deps.elapsedMs)
  let denySet = createDenySet()
  /** What is learned anew after a reset. Until it is whole the old set goes on refusing. */
  let successor: DenySet | null = null
  let position: number | null = null
  let epoch = 0
  let freshAsOfMs: number | null = null
  let isTenantRefused = false

  const learn = (event: FeedEvent, set: DenySet): void => {
    if (event.type === 'session_revoked') set.addSession(event.sessionId, event.forgetAfterMs)
    else if (event.type === 'session_changed') set.addChange(event.sessionId, event.forgetAfterMs)
    else if (event.type === 'sessions_revoked') set.addBulk(event.revoke)
    else if (event.type === 'snapshot')
      for (const id of event.sessionIds) set.addSession(id, event.forgetAfterMs)
  }

  return {
    get denySet() {
      return denySet
    },
    clock,
    get position() {
      return position
    },
    get epoch() {
      return epoch
    },
    get freshAsOfMs() {
      return freshAsOfMs
    },
    get isTenantRefused() {
      return isTenantRefused
    },
    apply(event) {
      if (event.type === 'reset') {
        successor = createDenySet()
        position = null
        epoch++
        deps.onEvent(event)
        return
      }
      learn(event, denySet)
      if (successor !== null) learn(event, successor)
      deps.onEvent(event)
    },
    advanceTo(next) {
      position = position === null ? next : Math.max(position, next)
    },
    markFresh(asOfMs) {
      if (successor !== null) denySet = successor
      successor = null
      isTenantRefused = false
      const gapMs = freshAsOfMs === null ? 0 : asOfMs - freshAsOfMs
      freshAsOfMs = Math.max(asOfMs, freshAsOfMs ?? asOfMs)
      if (gapMs > GAP_MS) deps.onGap()
    },
    refuseTenant() {
      if (isTenantRefused) return
      isTenantRefused = true
      deps.onTenantRefused()
    },
    forget() {
      const safeMs = clock.forgettableMs()
      if (safeMs === null) return
      denySet.forget(safeMs)
      successor?.forget(safeMs)
    },
  }
}
