import type { Fault, History, Operation } from './history.ts'

export interface Judgement {
  /** Began after a revoke of what it hangs on had been acknowledged, and was accepted. */
  staleAccepts: Operation[]
  /** Refused, though nothing that it hangs on was ever revoked. Not excused by any fault. */
  wrongRefusals: Operation[]
  /** Revokes that were answered with a refusal. */
  refusedRevokes: Operation[]
  /** Sessions whose create was acknowledged and that the database does not hold. */
  lostCreates: string[]
  /**
   * Calls without an answer, or with a 5xx: in the window of a fault of a node or of Postgres, and in
   * none. What is done to Redis excuses nothing.
   */
  failures: { inFaults: number; outside: Operation[] }
  /** How many calls were made in no fault's window. */
  callsOutside: number
  isSound: boolean
}

/** What a fault did may show for this long after it was mended. */
const AFTERMATH_MS = 1_000

/** Whether the service kept its promises in this history. Knows nothing but the history. */
export function judgeHistory({ operations, faults, stored }: History): Judgement {
  const revokes = operations.filter(({ kind }) => kind === 'revoke')
  const uses = operations.filter(({ kind }) => kind !== 'revoke')
  const begunAt = earliest(revokes, ({ startMs }) => startMs)
  const acknowledgedAt = earliest(
    revokes.filter(({ outcome }) => outcome === 'accepted'),
    ({ endMs }) => endMs,
  )
  const staleAccepts = uses.filter(
    ({ outcome, subjects, startMs }) =>
      outcome === 'accepted' && earliestOf(acknowledgedAt, subjects) < startMs,
  )
  const wrongRefusals = uses.filter(
    ({ outcome, subjects, endMs }) =>
      outcome === 'refused' && earliestOf(begunAt, subjects) >= endMs,
  )
  const refusedRevokes = revokes.filter(({ outcome }) => outcome === 'refused')
  const lostCreates = listLostCreates(uses, begunAt, stored)
  const excuses = faults.filter(({ kind }) => !kind.startsWith('redis'))
  const isExcused = (operation: Operation) => excuses.some(fault => isWithin(operation, fault))
  const callsOutside = operations.filter(operation => !isExcused(operation))
  const failed = operations.filter(({ outcome }) => outcome === 'failed')
  const outside = callsOutside.filter(({ outcome }) => outcome === 'failed')
  const violations = [staleAccepts, wrongRefusals, refusedRevokes, lostCreates]
  return {
    staleAccepts,
    wrongRefusals,
    refusedRevokes,
    lostCreates,
    failures: { inFaults: failed.length - outside.length, outside },
    callsOutside: callsOutside.length,
    isSound: violations.every(({ length }) => length === 0),
  }
}

/** The rows of a tenant that was deleted may go, so they are not asked for. */
function listLostCreates(
  uses: readonly Operation[],
  revokeBegunAt: ReadonlyMap<string, number>,
  stored: ReadonlySet<string>,
): string[] {
  return uses.flatMap(({ outcome, created, subjects }) => {
    if (outcome !== 'accepted' || created === undefined || stored.has(created)) return []
    const tenants = subjects.filter(subject => subject.startsWith('tenant:'))
    return earliestOf(revokeBegunAt, tenants) === Number.POSITIVE_INFINITY ? [created] : []
  })
}

function earliest(
  revokes: readonly Operation[],
  timeOf: (revoke: Operation) => number,
): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  for (const revoke of revokes)
    for (const subject of revoke.subjects)
      times.set(subject, Math.min(times.get(subject) ?? Number.POSITIVE_INFINITY, timeOf(revoke)))
  return times
}

const earliestOf = (times: ReadonlyMap<string, number>, subjects: readonly string[]): number =>
  Math.min(...subjects.map(subject => times.get(subject) ?? Number.POSITIVE_INFINITY))

const isWithin = ({ startMs, endMs }: Operation, fault: Fault): boolean =>
  startMs <= fault.endMs + AFTERMATH_MS && endMs >= fault.startMs
