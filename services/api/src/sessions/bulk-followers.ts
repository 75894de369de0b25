import type { BulkRevokeStore, PendingBulk } from './bulk-revoke.store.ts'

/**
 * Lets the rows of bulk revokes follow, in batches with a breath between them, so that a million
 * rows hold up nobody. What a node does not finish, the next look of any node goes on with.
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
}

const BATCH_SIZE = 1_000
const BREATH_MS = 5
const RETRY_MS = 200
const MAX_RETRIES = 50

export function createBulkFollowers({ store, onError }: BulkFollowersDeps): BulkFollowers {
  const underWay = new Map<string, Promise<void>>()
  let isClosing = false

  const run = async (bulk: PendingBulk): Promise<void> => {
    let failures = 0
    while (!isClosing && failures < MAX_RETRIES) {
      try {
        if (await store.applyBatch(bulk, BATCH_SIZE)) return
        await pause(BREATH_MS)
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
