import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { expect } from 'vitest'

export interface FeedEvent {
  event: string
  id: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what came over the wire as it is
  data: any
}

/** A client of the feed that keeps all that it heard. */
export interface FeedReader {
  events: FeedEvent[]
  /** Settles when the stream has ended, in whatever way. */
  over: Promise<void>
  /** Waits for so many events of a kind. */
  until(event: string, count?: number): Promise<void>
  of(event: string): FeedEvent[]
  /** The sessions that it was told of, in order, by entries of their own. */
  sessionIds(): string[]
  lastId(): string | undefined
  close(): void
}

export function readFeed(stream: Readable): FeedReader {
  const events: FeedEvent[] = []
  let text = ''
  let onEvents = (): void => {}
  stream.on('data', (chunk: Buffer) => {
    const blocks = (text + chunk.toString()).split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) if (!block.startsWith('retry:')) events.push(parse(block))
    onEvents()
  })
  stream.on('error', () => {})
  const over = new Promise<void>(resolve =>
    stream.once('close', () => {
      resolve()
      onEvents()
    }),
  )
  const of = (event: string) => events.filter(each => each.event === event)
  return {
    events,
    over,
    of,
    async until(event, count = 1) {
      while (of(event).length < count) {
        if (stream.destroyed) throw new Error(`the stream ended before its ${count} ${event}`)
        await new Promise<void>(resolve => (onEvents = resolve))
      }
    },
    sessionIds: () => of('session_revoked').map(({ data }) => data.session_id),
    lastId: () => events.findLast(({ id }) => id !== undefined)?.id,
    close: () => void stream.destroy(),
  }
}

export interface FeedConnection extends FeedReader {
  /** What came over the wire, head and framing included. */
  bytesOnWire(): number
}

export async function openFeed(
  url: string,
  secret: string,
  lastEventId?: string,
): Promise<FeedConnection> {
  const request: ClientRequest = get(`${url}/v1/revocations/stream`, {
    agent: false,
    headers: {
      authorization: `Bearer ${secret}`,
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
  })
  const [answer]: IncomingMessage[] = await once(request, 'response')
  if (answer === undefined) throw new Error('there is no answer')
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  return { ...readFeed(answer), bytesOnWire: () => answer.socket.bytesRead }
}

function parse(block: string): FeedEvent {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
  return {
    event: field('event') ?? '',
    id: field('id'),
    data: JSON.parse(field('data') ?? 'null'),
  }
}
