import type { Clock } from '../shared/clock.ts'
import type { LifetimeStore } from './lifetimes.store.ts'

export interface LifetimeService {
  /**
   * Applies a tenant's lifetimes to its living sessions. Returns when all have followed, or after
   * two seconds: with very many sessions the worker does the rest, and verify looks for itself.
   */
  follow(tenantId: string): Promise<void>
  /** The same without a limit of time, for tenants whose settings changed of late. */
  followAll(): Promise<void>
}

const BATCH_SIZE = 2_000
const MAX_WAIT_MS = 2_000

export function createLifetimeService(deps: {
  store: Pick<LifetimeStore, 'shorten' | 'listChangedTenants'>
  clock: Clock
  onError(error: unknown): void
}): LifetimeService {
  const { store, clock, onError } = deps
  const shorten = async (tenantId: string, deadlineMs: number): Promise<void> => {
    while (clock.monotonicMs() < deadlineMs)
      if ((await store.shorten(tenantId, BATCH_SIZE)) < BATCH_SIZE) return
  }
  return {
    async follow(tenantId) {
      try {
        await shorten(tenantId, clock.monotonicMs() + MAX_WAIT_MS)
      } catch (error) {
        // The settings are changed, and the worker tries again: the caller must not think otherwise.
        onError(error)
      }
    },
    async followAll() {
      for (const tenantId of await store.listChangedTenants()) await shorten(tenantId, Infinity)
    },
  }
}
