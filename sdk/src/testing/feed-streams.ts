import type { FeedEntry, RevocationFeed } from './revocation-feed.ts'

/** The open streams of the feed (Server-Sent Events). */
export interface FeedStreams {
  /**
   * @param after the `Last-Event-ID`; 0 for a verifier that knows nothing.
   * @param signal of the request: ends the stream.
   */
  open(after: number, signal: AbortSignal | null): ReadableStream<Uint8Array<ArrayBuffer>>
  /** Resolves when every verifier that is listening has read the entry. */
  deliver(entry: FeedEntry): Promise<void>
  /** Ends all of them: in good order, or as a cut line does. */
  end(how: 'closed' | 'cut'): void
}

interface FeedStream {
  write(text: string): Promise<void>
  end(how: 'closed' | 'cut'): void
}

/** The service beats every five seconds: here a test can ask for a shorter `maxStaleness`. */
const HEARTBEAT_MS = 50
/** A verifier that does not read is not waited for any longer. */
const READ_LIMIT_MS = 1_000

export function createFeedStreams(feed: RevocationFeed): FeedStreams {
  const streams = new Set<FeedStream>()
  let timer: ReturnType<typeof setInterval> | null = null

  const beat = (): void => {
    const data = JSON.stringify({ seq: feed.head, at: new Date().toISOString() })
    for (const stream of streams) stream.write(`event: heartbeat\ndata: ${data}\n\n`)
  }
  const forget = (stream: FeedStream): void => {
    streams.delete(stream)
    if (streams.size > 0 || timer === null) return
    clearInterval(timer)
    timer = null
  }

  return {
    open(after, signal) {
      const { stream, body } = createStream(() => forget(stream))
      signal?.addEventListener('abort', () => stream.end('cut'), { once: true })
      streams.add(stream)
      timer ??= startTimer(beat)
      stream.write(`retry: 50\n\n${catchUp(feed, after)}`)
      return body
    },
    async deliver(entry) {
      const read = Promise.all(Array.from(streams, stream => stream.write(toEvent(entry))))
      await Promise.race([read, pause(READ_LIMIT_MS)])
    },
    end(how) {
      for (const stream of [...streams]) stream.end(how)
    },
  }
}

const toEvent = (entry: FeedEntry): string =>
  `id: ${entry.seq}\nevent: ${entry.type}\ndata: ${JSON.stringify(entry)}\n\n`

function catchUp(feed: RevocationFeed, after: number): string {
  const known = after > feed.head ? 0 : after
  const reset = after > feed.head ? 'event: reset\ndata: {}\n\n' : ''
  const missed = feed.entries.filter(({ seq }) => seq > known).map(toEvent)
  const synced = `event: synced\nid: ${feed.head}\ndata: ${JSON.stringify({ seq: feed.head })}\n\n`
  return reset + missed.join('') + synced
}

/** A stream that knows when its reader has come back for more: what was written has then been read. */
function createStream(onEnd: () => void) {
  const encoder = new TextEncoder()
  let waiting: (() => void)[] = []
  let isOpen = true
  let control: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null
  const settle = (): void => {
    for (const resolve of waiting) resolve()
    waiting = []
  }
  const close = (): void => {
    isOpen = false
    settle()
    onEnd()
  }
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        control = controller
      },
      pull: settle,
      cancel: close,
    },
    { highWaterMark: 0 },
  )
  const stream: FeedStream = {
    write(text) {
      if (!isOpen) return Promise.resolve()
      control?.enqueue(Uint8Array.from(encoder.encode(text)))
      return new Promise(resolve => waiting.push(resolve))
    },
    end(how) {
      if (!isOpen) return
      if (how === 'closed') control?.close()
      else control?.error(new TypeError('terminated'))
      close()
    },
  }
  return { stream, body }
}

function startTimer(callback: () => void): ReturnType<typeof setInterval> {
  const timer = setInterval(callback, HEARTBEAT_MS)
  letGo(timer)
  return timer
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise(resolve => letGo(setTimeout(resolve, milliseconds)))

/** A timer of ours must not keep a test run alive. Where timers are numbers, none does. */
function letGo(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as NodeTimer).unref()
}

interface NodeTimer {
  unref(): void
}
