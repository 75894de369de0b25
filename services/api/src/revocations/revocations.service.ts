import type { Clock } from '../shared/clock.ts'
import { toRevocation } from './feed-entry.ts'
import type { ListRevocationsQuery, RevocationPage } from './revocations.schema.ts'
import type { RevocationStore } from './revocations.store.ts'

export interface RevocationService {
  /** The feed for those who poll: ordered, nothing missing, each entry once. */
  list(tenantId: string, query: ListRevocationsQuery): Promise<RevocationPage>
}

export interface RevocationDeps {
  store: Pick<RevocationStore, 'list' | 'findHead'>
  clock: Clock
}

const DEFAULT_LIMIT = 100

export function createRevocationService({ store, clock }: RevocationDeps): RevocationService {
  return {
    async list(tenantId, { after = 0, limit = DEFAULT_LIMIT }) {
      // The head first: what commits between the two reads is in the list or left to the next call.
      const head = await store.findHead(tenantId)
      const isBeyond = after > head
      const from = isBeyond ? 0 : after
      const lines = await store.list(tenantId, from, limit + 1, new Date(clock.nowMs()))
      const page = lines.slice(0, limit)
      const hasMore = lines.length > limit
      const last = page.at(-1)?.seq ?? from
      return {
        object: 'list',
        data: page.map(toRevocation).filter(entry => entry !== null),
        has_more: hasMore,
        next_after: hasMore ? last : Math.max(head, last),
        reset: isBeyond,
      }
    },
  }
}
