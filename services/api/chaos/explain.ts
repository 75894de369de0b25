import type { Fault, History, Operation } from './history.ts'

const SHOWN = 40

/**
 * A violation with all that tells how it came about: the revoke that it should have obeyed, everything
 * else that concerned the same subjects, and what was done to the service meanwhile; in the order in
 * which it began. Holds no secret, for no operation does.
 */
export function explainViolation(violation: Operation, history: History): string[] {
  const covering = coveringRevoke(violation, history.operations)
  const telling = tellingSubjects(violation, covering)
  const round = history.operations
    .filter(
      operation =>
        operation.startMs <= violation.endMs && intersects(subjectsOf(operation), telling),
    )
    .toSorted((a, b) => a.startMs - b.startMs)
  const sinceMs = Math.min(violation.startMs, ...round.map(({ startMs }) => startMs))
  const faults = history.faults.filter(
    ({ startMs, endMs }) => startMs <= violation.endMs && endMs >= sinceMs,
  )
  const lines = [
    ...round.slice(-SHOWN).map(operation => ({
      startMs: operation.startMs,
      text: `    ${mark(operation, violation, covering)} ${showOperation(operation)}`,
    })),
    ...faults.map(fault => ({ startMs: fault.startMs, text: `      ${showFault(fault)}` })),
  ].toSorted((a, b) => a.startMs - b.startMs)
  return [
    `  ${showOperation(violation)}`,
    `    hangs on ${violation.subjects.join(', ')}`,
    ...(covering === null ? [] : [`    although ${showOperation(covering)}`]),
    `    the round (${telling.join(', ')}), and the faults meanwhile:`,
    ...lines.map(({ text }) => text),
  ]
}

/** Of the acknowledged revokes that the violation came after, the one that was first. */
function coveringRevoke(
  { subjects, startMs }: Operation,
  operations: readonly Operation[],
): Operation | null {
  const covering = operations.filter(
    other =>
      other.kind === 'revoke' &&
      other.outcome === 'accepted' &&
      other.endMs < startMs &&
      intersects(other.subjects, subjects),
  )
  return covering.toSorted((a, b) => a.endMs - b.endMs)[0] ?? null
}

/** What the revoke ended, and the session: a tenant or a key alone may concern everything. */
function tellingSubjects({ subjects }: Operation, covering: Operation | null): string[] {
  const session = subjects.filter(subject => subject.startsWith('session:'))
  const revoked = subjects.filter(subject => covering?.subjects.includes(subject))
  const telling = [...new Set([...session, ...revoked])]
  return telling.length > 0 ? telling : [...subjects]
}

/** Only its answer says which session a create is about. */
const subjectsOf = ({ subjects, created }: Operation): readonly string[] =>
  created === undefined ? subjects : [...subjects, `session:${created}`]

const intersects = (some: readonly string[], others: readonly string[]): boolean =>
  some.some(subject => others.includes(subject))

function mark(operation: Operation, violation: Operation, covering: Operation | null): string {
  if (operation === violation) return '!'
  return operation === covering ? '>' : ' '
}

const times = (startMs: number, endMs: number): string =>
  `${startMs.toFixed(1)} to ${endMs.toFixed(1)} ms`

const showOperation = ({ kind, node, startMs, endMs, request, outcome, detail }: Operation) =>
  `${times(startMs, endMs)}: ${kind} at node ${node} ${outcome} (${request}: ${detail})`

const showFault = ({ kind, node, startMs, endMs }: Fault): string =>
  `${times(startMs, endMs)}: ${kind}${node === null ? '' : ` at node ${node}`}`
