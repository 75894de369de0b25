import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { type Fault, type FaultKind, nowMs } from './history.ts'
import type { NodeProcess } from './node-process.ts'
import type { Random } from './random.ts'

export interface FaultsOptions {
  cluster: Cluster
  random: Random
  /** When nothing new is begun any more. What was begun is mended all the same. */
  signal: AbortSignal
  pauseMs: { least: number; most: number }
}

/**
 * Does harm until told to stop, each kind as often as the others. What strikes Redis may overlap
 * with what strikes nodes or Postgres. Resolves when all is mended.
 */
export async function injectFaults(options: FaultsOptions): Promise<Fault[]> {
  const faults: Fault[] = []
  const lanes = [mainFaults(options), redisFaults(options)]
  await Promise.all(lanes.map(lane => runLane(lane, options, faults)))
  return faults.toSorted((a, b) => a.startMs - b.startMs)
}

/** Strikes, mends, and answers with the node that it struck. */
type Strike = () => Promise<number | null>
type Lane = readonly (readonly [FaultKind, Strike])[]

const POSTGRES_PAUSE_MS = 3_000
// Still answers in time, for the most part.
const SLOWEST_MS = 200

function mainFaults({ cluster, random, signal }: FaultsOptions): Lane {
  const { nodes, lines, postgres } = cluster
  const someNode = (): NodeProcess => random.pick(nodes)
  return [
    [
      'node paused',
      async () => {
        const node = someNode()
        node.pause()
        await rest(random.between(1_000, 3_000), signal)
        node.resume()
        return node.index
      },
    ],
    [
      'postgres connections cut',
      async () => {
        await cutConnections(cluster, random.pick(['1', '0.5']))
        return null
      },
    ],
    [
      'postgres slow',
      async () => {
        for (const line of lines) line.delayMs = random.between(0, SLOWEST_MS)
        await rest(random.between(1_000, 3_000), signal)
        for (const line of lines) line.delayMs = 0
        return null
      },
    ],
    [
      'node killed',
      async () => {
        const node = someNode()
        await node.kill()
        await rest(random.between(0, 1_000), signal)
        await node.start()
        return node.index
      },
    ],
    [
      'postgres paused',
      async () => {
        postgres.pause()
        await rest(POSTGRES_PAUSE_MS, signal)
        postgres.resume()
        return null
      },
    ],
    [
      'postgres killed',
      async () => {
        await postgres.killAndWait()
        return null
      },
    ],
  ]
}

function redisFaults({ cluster: { redis }, random, signal }: FaultsOptions): Lane {
  if (redis === null) return []
  const strike = (work: () => Promise<unknown>): Strike => {
    return async () => {
      await work()
      return null
    }
  }
  return [
    ['redis flushed', strike(redis.flush)],
    [
      'redis paused',
      strike(async () => {
        redis.pause()
        await rest(random.between(1_000, 3_000), signal)
        redis.resume()
      }),
    ],
    [
      'redis killed',
      strike(async () => {
        await redis.kill()
        await rest(random.between(200, 2_000), signal)
        await redis.start()
      }),
    ],
  ]
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

/** Closes the connections of the nodes, all or about half of them, in the middle of their work. */
async function cutConnections({ postgres }: Cluster, share: '1' | '0.5'): Promise<void> {
  await postgres.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE usename = current_user AND pid <> pg_backend_pid() AND random() < ${share}`,
  )
}

/** Cut short, never failed, by the end of the run: what was struck must still be mended. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
