import type { Actor } from '../http/request-context.ts'
import type { Clock } from '../shared/clock.ts'
import { newId } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import type { BulkFollowers } from './bulk-followers.ts'
import type { BulkRevokeStore } from './bulk-revoke.store.ts'
import type { ErasureStore, OpenErasure } from './erasure.store.ts'
import type { Erasure } from './users.schema.ts'

export interface ErasureService {
  /**
   * Ends the sessions of a user, at once, and removes what is known of the user. Comes back when all
   * of it is gone, or after five seconds: then the rest follows, also when this node dies.
   */
  erase(by: Actor, userId: string, reason?: string): Promise<Erasure>
  /** Goes on with erasures that nobody works on. */
  finishAll(isStopping: () => boolean): Promise<void>
}

export interface ErasureDeps {
  store: ErasureStore
  bulk: Pick<BulkRevokeStore, 'revoke'>
  followers: Pick<BulkFollowers, 'follow'>
  clock: Clock
}

const BATCH_SIZE = 1_000
const BREATH_MS = 5
const HELD_ROWS_MS = 50
/** Shorter than callers and proxies wait: the SDK gives an attempt ten seconds. */
const MAX_WAIT_MS = 5_000

export function createErasureService(deps: ErasureDeps): ErasureService {
  const { store, bulk, followers, clock } = deps

  /** Sessions first: an event is left alone as long as its session still has the user's name. */
  const eraseBatch = async ({ tenantId, id }: OpenErasure): Promise<number> =>
    (await store.eraseSessions(tenantId, id, BATCH_SIZE)) ||
    (await store.eraseEvents(tenantId, id, BATCH_SIZE))

  /** @returns whether it is over. */
  const work = async (
    erasure: OpenErasure,
    isEnough: (erased: number) => boolean,
  ): Promise<boolean> => {
    for (;;) {
      const erased = await eraseBatch(erasure)
      // Rows that somebody else holds were left out: it is not over before nothing is left.
      if (erased === 0 && (await store.finish(erasure.tenantId, erasure.id))) return true
      if (isEnough(erased)) return false
      await pause(erased === 0 ? HELD_ROWS_MS : BREATH_MS)
    }
  }

  /** @returns whether there is more to do now */
  const workOnce = async (erasure: OpenErasure): Promise<boolean> => {
    const erased = await eraseBatch(erasure)
    if (erased === 0) await store.finish(erasure.tenantId, erasure.id)
    else await pause(BREATH_MS)
    return erased > 0
  }

  return {
    async erase({ actor, tenantId }, userId, reason) {
      const id = newId('ers')
      const at = new Date(clock.nowMs())
      const revocation = { revokedBy: actor, reason: reason ?? null, at }
      const { pending } = await bulk.revoke(tenantId, { userId }, revocation, (client, ended) =>
        store.insert(client, tenantId, { id, userId, actor }, ended),
      )
      const deadlineMs = clock.monotonicMs() + MAX_WAIT_MS
      const isOver = await work({ tenantId, id }, () => clock.monotonicMs() >= deadlineMs)
      // The rows have followed already: what is left is to note that.
      if (pending !== null) followers.follow(pending)
      const counts = await store.findCounts(tenantId, id)
      if (counts === null) throw new Problem('tenant_not_found')
      const { revoked, sessionsErased, eventsErased } = counts
      return {
        object: 'erasure',
        id,
        status: isOver ? 'completed' : 'running',
        revoked,
        sessions_erased: sessionsErased,
        events_erased: eventsErased,
      }
    },
    async finishAll(isStopping) {
      // One batch each in turn: neither a huge erasure nor one that fails keeps the others waiting.
      let open = await store.listAbandoned()
      const failures: unknown[] = []
      while (open.length > 0 && !isStopping()) {
        const unfinished: OpenErasure[] = []
        for (const erasure of open)
          try {
            if (await workOnce(erasure)) unfinished.push(erasure)
          } catch (error) {
            failures.push(error)
          }
        open = unfinished
      }
      if (failures.length > 0) throw new AggregateError(failures, 'erasures could not go on')
    },
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
