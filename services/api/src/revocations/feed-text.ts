import { toRevocation } from './feed-entry.ts'
import type { FeedLine } from './revocations.store.ts'

/**
 * What a stream says, as Server-Sent Events. Made into bytes once, for however many streams: each
 * then holds a reference, not a copy.
 */

/** What a client waits before it comes back, in milliseconds; it should add some chance. */
const RETRY_MS = 1_000

export const HELLO = Buffer.from(`retry: ${RETRY_MS}\n\n`)

/** Forget what you know: the service was restored to an earlier state. */
export const RESET = Buffer.from('event: reset\ndata: {}\n\n')

/** Empty where the line is none of a verifier's business. */
export function entryText(line: FeedLine): string {
  const entry = toRevocation(line)
  if (entry === null) return ''
  return `id: ${line.seq}\nevent: ${entry.type}\ndata: ${JSON.stringify(entry)}\n\n`
}

/**
 * Many revoked sessions at once. It carries no id: a client that is cut off in the middle comes back
 * with the last id it has, and gets all of them again.
 */
export function snapshotText(forgetAfter: Date, sessionIds: readonly string[]): string {
  const data = { forget_after: forgetAfter.toISOString(), session_ids: sessionIds }
  return `event: snapshot\ndata: ${JSON.stringify(data)}\n\n`
}

/** The client knows all that there was when it came. */
export const syncedText = (seq: number): string =>
  `event: synced\nid: ${seq}\ndata: ${JSON.stringify({ seq })}\n\n`

/** Postgres has answered just now, and there was nothing more than what was sent. */
export const heartbeatText = (seq: number, atMs: number): string =>
  `event: heartbeat\ndata: ${JSON.stringify({ seq, at: new Date(atMs).toISOString() })}\n\n`
