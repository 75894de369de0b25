import { Readable } from 'node:stream'
import { HELLO } from './feed-text.ts'

/** One client of the feed: its place in the log, and the way to its socket. */
export interface FeedStream {
  readonly tenantId: string
  /** When its key expires; Infinity for never. */
  readonly untilMs: number
  /** Up to which line of the log it was served. */
  seq: number
  /** When it last got a sign of life, by the clock that only grows. */
  beatAtMs: number
  readonly out: Readable
  readonly isOpen: boolean
  /** Drops the reader instead when it is too far behind: it can come back and resume. */
  write(bytes: Buffer): void
  /** Waits until the reader has taken what is there; a reader that takes nothing is dropped. */
  room(): Promise<void>
  /** To be called at each heartbeat: a reader that took nothing since the third last is dropped. */
  dropIfStuck(): void
  /** Ends in good order: the client comes back at once. */
  end(): void
}

const MAX_BUFFERED_BYTES = 512 * 1024
const ROOM_BYTES = 64 * 1024
/** Nothing taken for so long means that nobody reads: a proxy or a phone that went to sleep. */
const STUCK_MS = 15_000
const STUCK_BEATS = 3
/** What is still in the buffer may leave in that time. */
const END_MS = 5_000

export interface FeedStreamOptions {
  tenantId: string
  after: number
  untilMs: number
}

export function createFeedStream({ tenantId, after, untilMs }: FeedStreamOptions): FeedStream {
  let pushedBytes = 0
  let takenAtBeat = 0
  let stuckBeats = 0
  let isOpen = true
  let onTaken = (): void => {}
  const out = new Readable({ highWaterMark: ROOM_BYTES, read: () => onTaken() })
  out.on('error', () => {})
  out.on('close', () => {
    isOpen = false
    onTaken()
  })

  const stream: FeedStream = {
    tenantId,
    untilMs,
    seq: after,
    beatAtMs: 0,
    out,
    get isOpen() {
      return isOpen && !out.destroyed
    },
    write(bytes) {
      if (!stream.isOpen || bytes.length === 0) return
      if (out.readableLength > MAX_BUFFERED_BYTES) return void out.destroy()
      pushedBytes += bytes.length
      out.push(bytes)
    },
    async room() {
      if (out.readableLength <= ROOM_BYTES || !stream.isOpen) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(() => out.destroy(), STUCK_MS)
      onTaken = resolve
      await promise
      clearTimeout(timer)
      onTaken = () => {}
    },
    dropIfStuck() {
      const taken = pushedBytes - out.readableLength
      const isStuck = out.readableLength > 0 && taken === takenAtBeat
      takenAtBeat = taken
      stuckBeats = isStuck ? stuckBeats + 1 : 0
      if (stuckBeats >= STUCK_BEATS) out.destroy()
    },
    end() {
      if (!stream.isOpen) return
      isOpen = false
      out.push(null)
      setTimeout(() => out.destroy(), END_MS).unref()
    },
  }
  stream.write(HELLO)
  return stream
}
