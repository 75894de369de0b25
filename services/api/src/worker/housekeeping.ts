import type { BulkFollowers } from '../sessions/bulk-followers.ts'
import type { ErasureService } from '../sessions/erasure.service.ts'
import type { LifetimeService } from '../sessions/lifetimes.service.ts'
import { createTurns } from '../shared/turns.ts'
import type { SweepStore } from './sweeps.store.ts'
import { PURGES, SWEEPS, type Sweep } from './sweeps.ts'
import type { Task } from './worker.service.ts'

export interface HousekeepingDeps {
  store: SweepStore
  followers: Pick<BulkFollowers, 'follow' | 'close'>
  lifetimes: Pick<LifetimeService, 'followAll'>
  erasures: Pick<ErasureService, 'finishAll'>
}

const BATCH_SIZE = 1_000
const BREATH_MS = 5

/** All that keeps the database as it should be, for all tenants. */
export function createHousekeeping(deps: HousekeepingDeps): Task[] {
  const { store, followers, lifetimes, erasures } = deps
  // One statement at a time, whatever is due: requests share these connections.
  const turns = createTurns()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => turns.take('sweeps', work)

  /** A batch of each tenant in turn, so that one with millions of rows keeps no other waiting. */
  const sweepAll = async (sweep: Sweep, isStopping: () => boolean): Promise<void> => {
    let due = await inTurn(() => store.listDue(sweep))
    while (due.length > 0) {
      const unfinished: string[] = []
      for (const tenantId of due) {
        if (isStopping()) return
        const done = await inTurn(() => store.runBatch(tenantId, sweep, BATCH_SIZE))
        if (done >= BATCH_SIZE) unfinished.push(tenantId)
        await pause(BREATH_MS)
      }
      due = unfinished
    }
  }

  return [
    ...SWEEPS.map(sweep => ({
      name: sweep.name,
      everyMs: sweep.everyMs,
      run: (isStopping: () => boolean) => sweepAll(sweep, isStopping),
    })),
    {
      name: 'purge_tenants',
      everyMs: 5_000,
      async run(isStopping) {
        for (const purge of PURGES) await sweepAll(purge, isStopping)
        await inTurn(store.finishPurges)
      },
    },
    {
      name: 'bulk_followers',
      everyMs: 5_000,
      async run() {
        for (const bulk of await store.listPendingBulks()) followers.follow(bulk)
      },
      finish: followers.close,
    },
    { name: 'lifetimes', everyMs: 5_000, run: lifetimes.followAll },
    { name: 'erasures', everyMs: 5_000, run: erasures.finishAll },
  ]
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
