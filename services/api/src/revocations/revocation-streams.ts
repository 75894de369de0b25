import type { Readable } from 'node:stream'
import type { Actor } from '../http/request-context.ts'
import type { Clock } from '../shared/clock.ts'
import { Problem } from '../shared/problem.ts'
import { catchUp } from './catch-up.ts'
import { createFeedStream, type FeedStream } from './feed-stream.ts'
import { heartbeatText, syncedText } from './feed-text.ts'
import { createGate } from './gate.ts'
import { createNewsBatches, type NewsBatch, type NewsBatches } from './news-batches.ts'
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
  open(subscriber: Pick<Actor, 'tenantId' | 'proof'>, after: number | null): Readable
  readonly size: number
  /** Ends every stream: the clients go on elsewhere. */
  close(): void
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
/** Each holds a socket and may hold what its reader has not taken. */
const MAX_STREAMS = 20_000
/** So that no tenant takes what the others need. */
const MAX_STREAMS_OF_TENANT = 1_500

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
    const batchesOf = new Map(news.map(each => [each.tenantId, createNewsBatches(each, PAGE)]))
    for (const stream of asking) serve(stream, batchesOf.get(stream.tenantId))
    return news.some(({ lines }) => lines.length === PAGE)
  }

  const serve = (stream: FeedStream, batches: NewsBatches | undefined): void => {
    const isWhole = batches === undefined || take(stream, batches.after(stream.seq))
    if (stream.untilMs <= clock.nowMs()) stream.end()
    if (isWhole) beat(stream)
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

  /**
   * What came while a slow reader caught up: it is told that it knows everything, and stands beside
   * the others, only when it does.
   */
  const closeUp = async (stream: FeedStream): Promise<void> => {
    for (let isWhole = false; !isWhole && stream.isOpen; await stream.room()) {
      const { tenantId, seq } = stream
      const news = await gate.run(tenantId, () => store.findNews(tenantId, seq, PAGE))
      isWhole = news === null || take(stream, createNewsBatches(news, PAGE).after(seq))
    }
  }

  /** @returns whether there was no more when Postgres answered */
  const take = (stream: FeedStream, batch: NewsBatch): boolean => {
    stream.write(batch.bytes)
    stream.seq = batch.seq
    if (batch.isLast) stream.end()
    return batch.isWhole
  }

  /** @throws Problem rate_limit_exceeded, service_unavailable */
  const admit = (tenantId: string): void => {
    const headers = { 'retry-after': '5' }
    if (streams.size >= MAX_STREAMS) throw new Problem('service_unavailable', { headers })
    const ofTenant = [...streams].filter(stream => stream.tenantId === tenantId).length
    if (ofTenant >= MAX_STREAMS_OF_TENANT)
      throw new Problem('rate_limit_exceeded', {
        headers,
        detail: `This node holds ${MAX_STREAMS_OF_TENANT} streams of the tenant already.`,
      })
  }

  const begin = async (stream: FeedStream, head: number): Promise<void> => {
    await catchUp({ store, clock, gate }, stream, head)
    await closeUp(stream)
    if (!stream.isOpen) return
    stream.write(Buffer.from(syncedText(stream.seq)))
    stream.beatAtMs = clock.monotonicMs()
    live.add(stream)
    schedule(POLL_MS)
  }

  return {
    open({ tenantId, proof }, after) {
      admit(tenantId)
      const untilMs = proof.expiresAt?.getTime() ?? Infinity
      const stream = createFeedStream({ tenantId, after: after ?? 0, untilMs })
      streams.add(stream)
      stream.out.on('close', () => {
        streams.delete(stream)
        live.delete(stream)
      })
      if (isClosed) stream.end()
      begin(stream, proof.seq).catch(error => {
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
