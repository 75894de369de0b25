import { setTimeout as sleep } from 'node:timers/promises'
import { type Availability, measureAvailability } from './availability.ts'
import { createCalls } from './calls.ts'
import { type Played, runClients } from './clients.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { injectFaults } from './faults.ts'
import type { History } from './history.ts'
import { type Judgement, judgeHistory } from './judge.ts'
import { runProbers } from './probers.ts'
import { createRandom } from './random.ts'
import { createTenant } from './tenants.ts'

export interface ChaosOptions {
  seconds: number
  seed: number
  clients: number
  /** From the end of one fault to the next. */
  pauseMs: { least: number; most: number }
  /** Also faults that take longer than any time-out of the service. */
  hasLongFaults: boolean
  /** Ends the run early, and in order. */
  signal?: AbortSignal
}

export interface ChaosResult {
  history: History
  judgement: Judgement
  availability: Availability
  played: Played
  hasRedis: boolean
  errorLog: readonly string[]
}

/** Starts all it needs, does harm to it under load, judges what was seen, and leaves nothing behind. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const cluster = await startCluster()
  try {
    return await play(cluster, options)
  } finally {
    await cluster.close()
  }
}

async function play(cluster: Cluster, options: ChaosOptions): Promise<ChaosResult> {
  const { seconds, seed, clients, pauseMs, hasLongFaults } = options
  const calls = createCalls(cluster, createRandom(seed))
  try {
    const shared = await patiently(() => createTenant(calls, cluster.operatorKey))
    const probed = shared && (await patiently(() => calls.create(shared.byKey, PROBER)))
    if (!shared || !probed) throw new Error('the service does not work even without faults')
    const time = AbortSignal.timeout(seconds * 1_000)
    const signal = options.signal === undefined ? time : AbortSignal.any([time, options.signal])
    const random = createRandom(seed + 1)
    const [faults, { played, sweep }, probes] = await Promise.all([
      injectFaults({ cluster, random: createRandom(seed + 2), signal, pauseMs, hasLongFaults }),
      runClients({ cluster, calls, random, shared, clients, signal }),
      runProbers(cluster, calls, shared.byKey, probed, signal),
    ])
    options.signal?.throwIfAborted()
    await sleep(SETTLE_MS)
    const { operations } = calls
    const availability = measureAvailability([...operations], probes, faults)
    await sweep()
    const rows = await cluster.postgres.query<{ id: string }>('SELECT id FROM sessions')
    const history = { operations, faults, stored: new Set(rows.map(({ id }) => id)) }
    return {
      history,
      judgement: judgeHistory(history),
      availability,
      played,
      hasRedis: cluster.redis !== null,
      errorLog: cluster.errorLog,
    }
  } finally {
    calls.close()
  }
}

const PROBER = { user_id: 'prober' }
const FIRST_ATTEMPTS = 40
const FIRST_PAUSE_MS = 250

/** Nodes that have just begun, on a machine that is busy with them, may need a moment. */
async function patiently<T>(make: () => Promise<T | null>): Promise<T | null> {
  for (let attempt = 1; ; attempt++) {
    const made = await make()
    if (made !== null || attempt === FIRST_ATTEMPTS) return made
    await sleep(FIRST_PAUSE_MS)
  }
}

/** Longer than the aftermath of a fault: the sweep at the end has no excuse. */
const SETTLE_MS = 2_500
