import type { Exchange } from './exchange.ts'
import { type FeedEvent, membersOf, readFeedEvent, readPosition } from './feed-event.ts'
import { errorOfAnswer, ServiceError } from './service-error.ts'

/** One page of the feed for those who poll. */
export interface FeedPage {
  events: FeedEvent[]
  hasMore: boolean
  nextAfter: number
  isReset: boolean
  /** The service's clock, to a second; null where it does not tell. */
  serviceNowMs: number | null
}

/** A thousand entries have about 450 KB. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024

export interface FeedPageRequest {
  exchange: Exchange
  url: string
  headers: Record<string, string>
  after: number | null
}

/** @throws ServiceError for an answer that is no page; what `fetch` throws else. */
export async function readFeedPage(request: FeedPageRequest): Promise<FeedPage> {
  const { exchange, url, headers, after } = request
  const query = after === null ? '?limit=1000' : `?after=${after}&limit=1000`
  const answer = await exchange({
    what: 'the feed',
    url: url + query,
    headers: { ...headers, accept: 'application/json' },
    maxBytes: MAX_PAGE_BYTES,
  })
  if (answer.status !== 200)
    throw errorOfAnswer('the feed', answer.status, answer.headers, answer.text)
  const page = membersOf(parse(answer.text))
  if (!Array.isArray(page.data)) throw unreadable()
  const nextAfter = readPosition(page.next_after)
  const hasMore = page.has_more === true
  const isReset = page.reset === true
  if (hasMore && !isReset && nextAfter <= (after ?? 0)) throw unreadable()
  const serviceNowMs = Date.parse(answer.headers.get('date') ?? '')
  return {
    events: page.data.map(readEntry).filter(event => event !== null),
    hasMore,
    nextAfter,
    isReset,
    serviceNowMs: Number.isFinite(serviceNowMs) ? serviceNowMs : null,
  }
}

function readEntry(entry: unknown): FeedEvent | null {
  const { type } = membersOf(entry)
  if (typeof type !== 'string') throw unreadable()
  // What only the stream can say is no entry.
  return ENTRIES.has(type) ? readFeedEvent(type, entry) : null
}

const ENTRIES = new Set([
  'session_revoked',
  'sessions_revoked',
  'session_changed',
  'signing_keys_changed',
  'tenant_changed',
])

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable()
  }
}

const unreadable = (): ServiceError => new ServiceError('the feed sent a page that cannot be read')
