import type { Fault, FaultKind, Operation } from './history.ts'

export interface Availability {
  verifies: number
  /** From 0 to 1: answered by a verdict, right or wrong. */
  answered: number
  outages: Map<FaultKind, Outage>
}

export interface Outage {
  times: number
  /** The longest that a node, other than one that was itself struck, gave no verdict to its prober. */
  longestMs: number
  /** The same of the node that was struck; null where none is. */
  longestOfStruckMs: number | null
}

/** An outage that began in a fault may end after it was mended. */
const AFTERMATH_MS = 2_000

export function measureAvailability(
  operations: readonly Operation[],
  probes: readonly Operation[],
  faults: readonly Fault[],
): Availability {
  const verifies = operations.filter(({ kind }) => kind === 'verify')
  const answered = verifies.filter(({ outcome }) => outcome !== 'failed')
  const outages = new Map<FaultKind, Outage>()
  const gaps = listGaps(probes).map(gap => ({ ...gap, cause: causeOf(gap, faults) }))
  for (const fault of faults) {
    const { times, longestMs, longestOfStruckMs } = outages.get(fault.kind) ?? NONE
    const during = gaps.filter(({ cause }) => cause === fault)
    const others = longest(during.filter(({ node }) => node !== fault.node))
    const struck = longest(during.filter(({ node }) => node === fault.node))
    outages.set(fault.kind, {
      times: times + 1,
      longestMs: Math.max(longestMs, others),
      longestOfStruckMs:
        fault.node === null ? longestOfStruckMs : Math.max(longestOfStruckMs ?? 0, struck),
    })
  }
  return { verifies: verifies.length, answered: answered.length / verifies.length, outages }
}

const NONE: Outage = { times: 0, longestMs: 0, longestOfStruckMs: null }

interface Gap {
  node: number
  startMs: number
  endMs: number
}

/** From one answered probe of a node to its next. */
function listGaps(probes: readonly Operation[]): Gap[] {
  const answered = probes.filter(({ outcome }) => outcome !== 'failed')
  return [...Map.groupBy(answered, ({ node }) => node)].flatMap(([node, ofNode]) =>
    ofNode
      .toSorted((a, b) => a.endMs - b.endMs)
      .map((probe, n, all) => ({
        node,
        startMs: all[n - 1]?.endMs ?? probe.startMs,
        endMs: probe.endMs,
      })),
  )
}

/** Faults may overlap: a gap is put down to the one that covers most of it. */
function causeOf(gap: Gap, faults: readonly Fault[]): Fault | undefined {
  const coverOf = ({ node, startMs, endMs }: Fault, graceMs: number): number => {
    const covered = Math.min(gap.endMs, endMs + graceMs) - Math.max(gap.startMs, startMs)
    // Of two that cover it alike, the one that struck this very node.
    return node === gap.node ? covered + 1 : covered
  }
  const most = (graceMs: number) =>
    faults
      .filter(fault => coverOf(fault, graceMs) > 0)
      .toSorted((a, b) => coverOf(b, graceMs) - coverOf(a, graceMs))[0]
  return most(0) ?? most(AFTERMATH_MS)
}

const longest = (gaps: readonly Gap[]): number =>
  Math.max(0, ...gaps.map(({ startMs, endMs }) => endMs - startMs))
