import type { Clock } from '../shared/clock.ts'
import type { LifetimeStore, WalkState } from './lifetimes.store.ts'

export interface LifetimeService {
  /**
   * Applies a tenant's changed lifetimes to its living sessions. Returns when all have followed, or
   * after two seconds: with very many sessions the worker does the rest, and verify looks for itself.
   */
  follow(tenantId: string): Promise<void>
  /** Goes on with every walk that is not over, whoever began it. */
  followAll(isStopping: () => boolean): Promise<void>
}

const BATCH_SIZE = 1_000
const MAX_WAIT_MS = 2_000
const BREATH_MS = 5

export function createLifetimeService(deps: {
  store: Pick<LifetimeStore, 'shorten' | 'listWalks'>
  clock: Clock
  onError(error: unknown): void
}): LifetimeService {
  const { store, clock, onError } = deps
  const walk = async (tenantId: string, isEnough: (state: WalkState) => boolean) => {
    while (!isEnough(await store.shorten(tenantId, BATCH_SIZE))) await pause(BREATH_MS)
  }
  return {
    async follow(tenantId) {
      const deadlineMs = clock.monotonicMs() + MAX_WAIT_MS
      try {
        await walk(tenantId, state => state === 'over' || clock.monotonicMs() >= deadlineMs)
      } catch (error) {
        // The settings are changed, and the worker tries again: the caller must not think otherwise.
        onError(error)
      }
    },
    async followAll(isStopping) {
      for (const tenantId of await store.listWalks())
        await walk(tenantId, state => state !== 'going' || isStopping())
    },
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
