import type { LastUsed } from '../api-keys/last-used.ts'
import type { Activities } from '../sessions/activity.ts'
import type { BulkFollowers } from '../sessions/bulk-followers.ts'
import type { LifetimeService } from '../sessions/lifetimes.service.ts'
import type { SweepStore } from './sweeps.store.ts'

/** The work that no request waits for. Any number of workers may run: each thing is done once. */
export interface Worker {
  start(): void
  /** Stops after the sweep under way, and writes what is still in memory. */
  stop(): Promise<void>
}

export interface WorkerDeps {
  sweeps: SweepStore
  followers: BulkFollowers
  lastUsed: LastUsed
  activities: Pick<Activities, 'flush'>
  lifetimes: Pick<LifetimeService, 'followAll'>
  onError(error: unknown, task: string): void
}

const BATCH_SIZE = 1_000

export function createWorker(deps: WorkerDeps): Worker {
  const { sweeps, followers, lastUsed, activities, lifetimes, onError } = deps
  const untilDone = (sweep: (batchSize: number) => Promise<number>) => async (): Promise<void> => {
    while (!isStopping && (await sweep(BATCH_SIZE)) >= BATCH_SIZE) await pause(BREATH_MS)
  }
  const tasks: Task[] = [
    { name: 'last_used', everyMs: 1_000, run: () => lastUsed.flush() },
    { name: 'activity', everyMs: 5_000, run: () => activities.flush() },
    { name: 'lifetimes', everyMs: 30_000, run: lifetimes.followAll },
    { name: 'expire_sessions', everyMs: 2_000, run: untilDone(sweeps.expireSessions) },
    {
      name: 'bulk_followers',
      everyMs: 5_000,
      run: async () => {
        for (const bulk of await sweeps.listPendingBulks()) followers.follow(bulk)
      },
    },
    { name: 'forget_changes', everyMs: 60_000, run: untilDone(sweeps.forgetChanges) },
    { name: 'forget_idempotency', everyMs: 60_000, run: untilDone(sweeps.forgetIdempotencyKeys) },
  ]
  let isStopping = false
  const timers = new Map<string, NodeJS.Timeout>()
  const underWay = new Set<Promise<void>>()

  const runOnce = async ({ name, run }: Task): Promise<void> => {
    try {
      await run()
    } catch (error) {
      onError(error, name)
    }
  }

  const schedule = (task: Task): void => {
    const timer = setTimeout(() => {
      const turn = runOnce(task).finally(() => {
        underWay.delete(turn)
        if (!isStopping) schedule(task)
      })
      underWay.add(turn)
    }, task.everyMs)
    // A worker keeps no process alive by itself.
    timer.unref()
    timers.set(task.name, timer)
  }

  return {
    start() {
      for (const task of tasks) schedule(task)
    },
    async stop() {
      isStopping = true
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all(underWay)
      await followers.close()
      await runOnce({ name: 'last_used', everyMs: 0, run: () => lastUsed.flush({ all: true }) })
      await runOnce({ name: 'activity', everyMs: 0, run: () => activities.flush({ all: true }) })
    },
  }
}

interface Task {
  name: string
  everyMs: number
  run(): Promise<void>
}

const BREATH_MS = 5
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
