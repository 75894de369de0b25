import type { TenantCopy } from '../freshness/tenant-copy.ts'
import type { Clock } from '../shared/clock.ts'
import { toRevocation } from './feed-entry.ts'
import type { ListRevocationsQuery, RevocationPage } from './revocations.schema.ts'
import type { RevocationStore } from './revocations.store.ts'

export interface RevocationService {
  /**
   * The feed for those who poll: ordered, nothing missing, each entry once.
   *
   * @param tenant as current as the arrival of the request: what had happened by then is in the answer.
   */
  list(tenant: FeedTenant, query: ListRevocationsQuery): Promise<RevocationPage>
}

type FeedTenant = Pick<TenantCopy, 'tenantId' | 'seq'>

export interface RevocationDeps {
  store: Pick<RevocationStore, 'list'>
  clock: Clock
}

const DEFAULT_LIMIT = 100

export function createRevocationService({ store, clock }: RevocationDeps): RevocationService {
  return {
    async list({ tenantId, seq: head }, { after = 0, limit = DEFAULT_LIMIT }) {
      const isBeyond = after > head
      const range = { afterSeq: isBeyond ? 0 : after, upToSeq: head }
      const lines = await store.list(tenantId, range, limit + 1, new Date(clock.nowMs()))
      const page = lines.slice(0, limit)
      const hasMore = lines.length > limit
      return {
        object: 'list',
        data: page.map(toRevocation).filter(entry => entry !== null),
        has_more: hasMore,
        next_after: hasMore ? (page.at(-1)?.seq ?? head) : head,
        reset: isBeyond,
      }
    },
  }
}
