import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { WatchedPool } from './metrics.ts'
import type { createRequestDurations } from './request-durations.ts'

export interface Counted {
  durations: Pick<ReturnType<typeof createRequestDurations>, 'name' | 'read'>
  /** How often each verdict was given. */
  verdicts: ReadonlyMap<string, number>
  pools: Readonly<Record<string, WatchedPool>>
}

/** Makes of what is counted, and of what the process says of itself, what Prometheus reads. */
export function createRegistry({ durations, verdicts, pools }: Counted): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  new Counter({
    name: 'sesame_verify_verdicts_total',
    help: 'Verdicts of verify, by reason.',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [reason, times] of verdicts) this.inc({ reason }, times)
    },
  })
  watchPools(registry, pools)
  // Its types know only its own classes; it asks a metric for no more than this.
  registry.registerMetric({ name: durations.name, get: async () => durations.read() } as never)
  return registry
}

function watchPools(registry: Registry, pools: Counted['pools']): void {
  new Gauge({
    name: 'sesame_pg_pool_connections',
    help: 'Connections to Postgres, and callers that wait for one.',
    labelNames: ['pool', 'state'],
    registers: [registry],
    collect() {
      for (const [pool, { totalCount, idleCount, waitingCount }] of Object.entries(pools)) {
        this.set({ pool, state: 'busy' }, totalCount - idleCount)
        this.set({ pool, state: 'idle' }, idleCount)
        this.set({ pool, state: 'waiting' }, waitingCount)
      }
    },
  })
}
