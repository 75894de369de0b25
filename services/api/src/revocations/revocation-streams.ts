import type { Readable } from 'node:stream'
import type { Clock } from '../shared/clock.ts'
import { catchUp } from './catch-up.ts'
import { createFeedStream, type FeedStream } from './feed-stream.ts'
import { heartbeatText } from './feed-text.ts'
import { createGate } from './gate.ts'
import { createNewsBatches, type NewsBatches } from './news-batches.ts'
import type { FeedPosition, RevocationStore } from './revocations.store.ts'

/**
 * Open streams of the feed (Server-Sent Events). All streams of a node are fed by one question to
 * Postgres, twenty times a second: a stream costs its socket and no more, and when the node dies the
 * client goes on at any other with `Last-Event-ID`.
 */
export interface RevocationStreams {
  /**
   * @param after the `Last-Event-ID`; null for a client that knows nothing, which gets all that
   *   still matters first.
   */
  open(subscription: Subscription, after: number | null): Readable
  readonly size: number
  /** Ends every stream: the clients go on elsewhere. */
  close(): void
}

export interface Subscription {
  tenantId: string
  /**
   * Where the tenant's log stood when the client had proved who it is. Every later change of a key
   * or of the tenant ends the stream.
   */
  provenAtSeq: number
  /**
   * When the secrets of the key end by themselves. While a key is being rotated there are two, and
   * it is not known which one came: the stream ends with the first.
   */
  expiries: readonly Date[]
}

export interface RevocationStreamsDeps {
  store: RevocationStore
  clock: Clock
  onError(error: unknown): void
}

const POLL_MS = 50
/** After a failure; Postgres is not asked twenty times a second whether it is back. */
const RETRY_POLL_MS = 250
const HEARTBEAT_MS = 5_000
const PAGE = 1_000
const CATCHING_UP_AT_ONCE = 3

export function createRevocationStreams(deps: RevocationStreamsDeps): RevocationStreams {
  const { store, clock, onError } = deps
  const gate = createGate(CATCHING_UP_AT_ONCE)
  const streams = new Set<FeedStream>()
  /** Those that have caught up. */
  const live = new Set<FeedStream>()
  let timer: NodeJS.Timeout | null = null
  let isFailing = false
  let isClosed = false

  /** @returns true when there is more to ask for at once */
  const poll = async (): Promise<boolean> => {
    // Who comes while Postgres is asked may stand elsewhere than what was asked from: the next turn.
    const asking = [...live]
    const news = await store.listNews(slowestOf(asking), PAGE)
    const batchesOf = new Map(news.map(each => [each.tenantId, createNewsBatches(each)]))
    for (const stream of asking) serve(stream, batchesOf.get(stream.tenantId))
    return news.some(({ lines }) => lines.length === PAGE)
  }

  const serve = (stream: FeedStream, batches: NewsBatches | undefined): void => {
    const batch = batches?.after(stream.seq)
    if (batch !== undefined) {
      stream.write(batch.bytes)
      stream.seq = batch.seq
    }
    if (batch?.isLast === true || stream.untilMs <= clock.nowMs()) stream.end()
    else if (batch === undefined || batch.isWhole) beat(stream)
    if (!stream.isOpen) live.delete(stream)
  }

  // Without an answer of Postgres there is no heartbeat either: a client must know that it is blind.
  const beat = (stream: FeedStream): void => {
    const nowMs = clock.monotonicMs()
    if (nowMs - stream.beatAtMs < HEARTBEAT_MS) return
    stream.beatAtMs = nowMs
    stream.write(Buffer.from(heartbeatText(stream.seq, clock.nowMs())))
    stream.dropIfStuck()
  }

  const pollAndReport = async (): Promise<number> => {
    try {
      const isMore = await poll()
      isFailing = false
      return isMore ? 0 : POLL_MS
    } catch (error) {
      // Once an outage.
      if (!isFailing) onError(error)
      isFailing = true
      return RETRY_POLL_MS
    }
  }

  const schedule = (afterMs: number): void => {
    if (timer !== null || live.size === 0 || isClosed) return
    timer = setTimeout(async () => {
      const nextAfterMs = await pollAndReport()
      timer = null
      schedule(nextAfterMs)
    }, afterMs)
  }

  const begin = async (stream: FeedStream, head: number): Promise<void> => {
    await catchUp({ store, clock, gate }, stream, head)
    if (!stream.isOpen) return
    stream.beatAtMs = clock.monotonicMs()
    live.add(stream)
    schedule(POLL_MS)
  }

  return {
    open({ tenantId, provenAtSeq, expiries }, after) {
      const nowMs = clock.nowMs()
      const ends = expiries.map(expiry => expiry.getTime()).filter(endMs => endMs > nowMs)
      const untilMs = Math.min(...ends, Infinity)
      const stream = createFeedStream({ tenantId, after: after ?? 0, untilMs })
      streams.add(stream)
      stream.out.on('close', () => {
        streams.delete(stream)
        live.delete(stream)
      })
      if (isClosed) stream.end()
      begin(stream, provenAtSeq).catch(error => {
        onError(error)
        stream.out.destroy()
      })
      return stream.out
    },
    get size() {
      return streams.size
    },
    close() {
      isClosed = true
      for (const stream of streams) stream.end()
      live.clear()
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}

/** Each tenant is asked about once, from where the slowest of its streams stands. */
function slowestOf(streams: readonly FeedStream[]): FeedPosition[] {
  const positions = new Map<string, number>()
  for (const { tenantId, seq } of streams)
    positions.set(tenantId, Math.min(seq, positions.get(tenantId) ?? Infinity))
  return [...positions].map(([tenantId, seq]) => ({ tenantId, seq }))
}
