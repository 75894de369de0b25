import { Readable } from 'node:stream'
import type { Clock } from '../shared/clock.ts'
import { toRevocation } from './feed-entry.ts'
import type { FeedLine, RevocationStore } from './revocations.store.ts'

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
  open(tenantId: string, after: number | null): Readable
  readonly size: number
  /** Ends every stream: the clients go on elsewhere. */
  close(): void
}

export interface RevocationStreamsDeps {
  store: RevocationStore
  clock: Clock
  onError(error: unknown): void
}

interface Stream {
  tenantId: string
  /** The newest number that was written to it. */
  seq: number
  out: Readable
}

const POLL_MS = 50
const HEARTBEAT_MS = 5_000
const PAGE = 1_000
/** A reader that is further behind than this is dropped: it can come back and resume. */
const MAX_BUFFERED_BYTES = 1024 * 1024
/** What a client waits before it comes back, in milliseconds; it should add some chance. */
const RETRY_MS = 1_000

export function createRevocationStreams(deps: RevocationStreamsDeps): RevocationStreams {
  const { store, clock, onError } = deps
  const streams = new Set<Stream>()
  let timer: NodeJS.Timeout | null = null
  let beatAtMs = clock.monotonicMs()

  const write = (stream: Stream, text: string): void => {
    if (stream.out.destroyed) return
    if (stream.out.readableLength > MAX_BUFFERED_BYTES) stream.out.destroy()
    else stream.out.push(text)
  }

  const deliver = (stream: Stream, lines: FeedLine[]): void => {
    for (const line of lines) {
      if (line.seq <= stream.seq) continue
      stream.seq = line.seq
      const entry = toRevocation(line)
      if (entry !== null)
        write(stream, `id: ${line.seq}\nevent: ${entry.type}\ndata: ${JSON.stringify(entry)}\n\n`)
      // The key or the tenant behind the stream may be gone: the client must prove itself anew.
      if (line.kind === 'api_keys' || line.kind === 'tenant') end(stream)
    }
  }

  const end = ({ out }: Stream): void => {
    out.push(null)
  }

  /** Each tenant is asked about once, from where the slowest of its streams stands. */
  const poll = async (): Promise<void> => {
    const positions = new Map<string, number>()
    for (const { tenantId, seq } of streams)
      positions.set(tenantId, Math.min(seq, positions.get(tenantId) ?? Infinity))
    const known = [...positions].map(([tenantId, seq]) => ({ tenantId, seq }))
    const news = await store.listNews(known, PAGE)
    if (news.length > 0) {
      const linesOf = Map.groupBy(news, line => line.tenantId)
      for (const stream of streams) deliver(stream, linesOf.get(stream.tenantId) ?? [])
    }
    if (clock.monotonicMs() - beatAtMs >= HEARTBEAT_MS) {
      beatAtMs = clock.monotonicMs()
      for (const stream of streams) write(stream, heartbeat(stream))
    }
  }

  const heartbeat = ({ seq }: Stream): string =>
    `event: heartbeat\ndata: ${JSON.stringify({ seq, at: new Date(clock.nowMs()).toISOString() })}\n\n`

  // Without an answer of Postgres there is no heartbeat either: a client must know that it is blind.
  const schedule = (): void => {
    if (timer !== null || streams.size === 0) return
    timer = setTimeout(async () => {
      try {
        await poll()
      } catch (error) {
        onError(error)
      }
      timer = null
      schedule()
    }, POLL_MS)
  }

  /** All that still matters, page by page, waiting for a reader that is slow. */
  const begin = async (stream: Stream): Promise<void> => {
    const head = await store.findHead(stream.tenantId)
    if (stream.seq > head) {
      stream.seq = 0
      write(stream, 'event: reset\ndata: {}\n\n')
    }
    for (;;) {
      const now = new Date(clock.nowMs())
      const lines = await store.list(stream.tenantId, stream.seq, PAGE, now)
      const past = lines.filter(({ kind }) => kind !== 'api_keys' && kind !== 'tenant')
      deliver(stream, past)
      stream.seq = lines.at(-1)?.seq ?? stream.seq
      if (lines.length < PAGE || stream.out.destroyed) break
      while (stream.out.readableLength > MAX_BUFFERED_BYTES / 2 && !stream.out.destroyed)
        await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
    stream.seq = Math.max(stream.seq, head)
    write(
      stream,
      `event: synced\nid: ${stream.seq}\ndata: ${JSON.stringify({ seq: stream.seq })}\n\n`,
    )
    if (stream.out.destroyed) return
    streams.add(stream)
    schedule()
  }

  return {
    open(tenantId, after) {
      const out = new Readable({ read() {}, highWaterMark: 64 * 1024 })
      const stream: Stream = { tenantId, seq: after ?? 0, out }
      out.on('close', () => streams.delete(stream))
      out.on('error', () => {})
      out.push(`retry: ${RETRY_MS}\n\n`)
      begin(stream).catch(error => {
        onError(error)
        out.destroy()
      })
      return out
    },
    get size() {
      return streams.size
    },
    close() {
      for (const stream of streams) end(stream)
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}
