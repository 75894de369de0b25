import type { Cluster } from './cluster.ts'
import { type Fault, type FaultKind, nowMs } from './history.ts'
import { nodeFaults } from './node-faults.ts'
import { longFaults, postgresFaults } from './postgres-faults.ts'
import type { Random } from './random.ts'
import { redisFaults } from './redis-faults.ts'
import { rest } from './rest.ts'

export interface FaultsOptions {
  cluster: Cluster
  random: Random
  /** When nothing new is begun any more. What was begun is mended all the same. */
  signal: AbortSignal
  pauseMs: { least: number; most: number }
  /** Also those that take longer than any time-out of the service. */
  hasLongFaults: boolean
}

/** Strikes, mends, and answers with the node that it struck; null where it struck what all share. */
export type Strike = () => Promise<number | null>
/** Faults that never overlap each other. */
export type Lane = readonly (readonly [FaultKind, Strike])[]

/**
 * Does harm until told to stop, each kind as often as the others of its lane. Lanes know nothing of
 * each other: a node may be paused while Postgres is slow and Redis is away. Resolves when all is
 * mended.
 */
export async function injectFaults(options: FaultsOptions): Promise<Fault[]> {
  const faults: Fault[] = []
  const ofPostgres = postgresFaults(options)
  const lanes = [
    options.hasLongFaults ? [...ofPostgres, ...longFaults(options)] : ofPostgres,
    nodeFaults(options),
    redisFaults(options),
  ]
  await Promise.all(lanes.map(lane => runLane(lane, options, faults)))
  return faults.toSorted((a, b) => a.startMs - b.startMs)
}

async function runLane(
  lane: Lane,
  { random, signal, pauseMs }: FaultsOptions,
  faults: Fault[],
): Promise<void> {
  while (lane.length > 0 && !signal.aborted) {
    for (const [kind, strike] of random.shuffle(lane)) {
      await rest(random.between(pauseMs.least, pauseMs.most), signal)
      if (signal.aborted) return
      const startMs = nowMs()
      const node = await strike()
      faults.push({ kind, node, startMs, endMs: nowMs() })
    }
  }
}
