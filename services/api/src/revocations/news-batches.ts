import { entryText } from './feed-text.ts'
import type { FeedLine, FeedNews } from './revocations.store.ts'

/** What one answer of Postgres means for the streams of one tenant, made once for all of them. */
export interface NewsBatches {
  /** For a stream that stands at this number, not below what was asked from. */
  after(seq: number): NewsBatch
}

export interface NewsBatch {
  bytes: Buffer
  /** Where the stream stands then. */
  seq: number
  /** There was no more when Postgres answered. */
  isWhole: boolean
  /** The client must come back and prove itself anew. */
  isLast: boolean
}

const LOST: NewsBatch = { bytes: Buffer.alloc(0), seq: 0, isWhole: false, isLast: true }

/** @param limit how many lines were asked for at most: where so many came, there may be more. */
export function createNewsBatches({ head, lines }: FeedNews, limit: number): NewsBatches {
  const batches = new Map<number, NewsBatch>()
  // Up to where the answer tells all. Beyond it is no news but what nobody has read yet.
  const toldUpTo = lines.length < limit ? (head ?? 0) : (lines.at(-1)?.seq ?? 0)

  const create = (after: number): NewsBatch => {
    // The tenant is gone, or the database lost commits: who comes back is told which.
    if (head === null || head < after) return LOST
    const news = lines.filter(({ seq }) => seq > after)
    const cut = news.findIndex(isProofNeeded)
    const told = cut === -1 ? news : news.slice(0, cut + 1)
    const seq = cut === -1 ? Math.max(after, toldUpTo) : (told.at(-1)?.seq ?? after)
    return {
      bytes: Buffer.from(told.map(entryText).join('')),
      seq,
      isWhole: seq >= head,
      isLast: cut !== -1,
    }
  }

  return {
    after(seq) {
      const batch = batches.get(seq) ?? create(seq)
      batches.set(seq, batch)
      return batch
    },
  }
}

/** The key or the tenant behind the stream may be gone. */
const isProofNeeded = ({ kind }: FeedLine): boolean => kind === 'api_keys' || kind === 'tenant'
