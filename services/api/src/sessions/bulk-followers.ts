import type { Clock } from '../shared/clock.ts'
import type { BulkRevokeStore, PendingBulk } from './bulk-revoke.store.ts'

/**
 * Lets the rows of bulk revokes follow, in small batches. After each comes a rest as long as the batch
 * took, so a million rows take half of one core at most, and less where Postgres is busy with others.
 * What a node does not finish, the next look of any node goes on with.
 */
export interface BulkFollowers {
  follow(bulk: PendingBulk): void
  /** Waits for what is under way; stops between two batches. */
  close(): Promise<void>
  /** Resolves when nothing is under way. For tests, and for a graceful stop. */
  settled(): Promise<void>
}

export interface BulkFollowersDeps {
  store: Pick<BulkRevokeStore, 'applyBatch'>
  onError(error: unknown): void
  clock: Pick<Clock, 'monotonicMs'>
}

const BATCH_SIZE = 250
const MIN_REST_MS = 5
/** The rest before looking again for rows that somebody held. */
const HELD_ROWS_MS = 50
const RETRY_MS = 200
const MAX_RETRIES = 50

export function createBulkFollowers({ store, onError, clock }: BulkFollowersDeps): BulkFollowers {
  const underWay = new Map<string, Promise<void>>()
  let isClosing = false

  const run = async (bulk: PendingBulk): Promise<void> => {
    let failures = 0
    let fromId = ''
    while (!isClosing && failures < MAX_RETRIES) {
      try {
        const began = clock.monotonicMs()
        const state = await store.applyBatch(bulk, fromId, BATCH_SIZE)
        // Held: another node goes on with it. If that one dies, the next look finds what it left.
        if (state.is !== 'going') return
        fromId = state.fromId
        const tookMs = clock.monotonicMs() - began
        await pause(Math.max(tookMs, fromId === '' ? HELD_ROWS_MS : MIN_REST_MS))
      } catch (error) {
        failures++
        onError(error)
        await pause(RETRY_MS)
      }
    }
  }

  return {
    follow(bulk) {
      const name = `${bulk.tenantId}/${bulk.seq}`
      if (isClosing || underWay.has(name)) return
      underWay.set(
        name,
        run(bulk).finally(() => underWay.delete(name)),
      )
    },
    async close() {
      isClosing = true
      await Promise.all(underWay.values())
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay.values())
    },
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
