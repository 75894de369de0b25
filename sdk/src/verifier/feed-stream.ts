import { type FeedEvent, parseFeedData, readFeedEvent, readPosition } from './feed-event.ts'
import { errorOfAnswer, ServiceError } from './service-error.ts'
import { createSseParser } from './sse-parser.ts'

/** One connection to the stream of revocations. */
export interface FeedStreamRequest {
  url: string
  headers: Record<string, string>
  fetch: typeof globalThis.fetch
  signal: AbortSignal
  /** Bytes came, whatever they say; before they are read. */
  onBytes(): void
  onRetry(retryMs: number): void
  /** @param position the number that the event carries; null for one without. */
  onEvent(event: FeedEvent, position: number | null): void
}

/** A snapshot event of 1,000 ids has 34,000 characters. */
const MAX_EVENT_CHARS = 512 * 1024
const MAX_PROBLEM_BYTES = 16 * 1024

/**
 * Reads until the service ends the stream.
 *
 * @throws ServiceError for an answer that is no stream, or an event that can't be read; what `fetch`
 *   throws else.
 */
export async function readFeedStream(request: FeedStreamRequest): Promise<void> {
  const { fetch, url, headers, signal } = request
  const answer = await fetch(url, {
    headers: { ...headers, accept: 'text/event-stream' },
    redirect: 'manual',
    signal,
  })
  request.onBytes()
  if (answer.status !== 200) throw await problemOf(answer)
  const type = answer.headers.get('content-type') ?? ''
  if (!type.startsWith('text/event-stream') || answer.body === null) {
    answer.body?.cancel().catch(() => {})
    throw new ServiceError('the feed answered with something else than a stream of events')
  }
  await readEvents(answer.body.getReader(), request)
}

type ByteReader = ReadableStreamDefaultReader<Uint8Array>

async function readEvents(reader: ByteReader, request: FeedStreamRequest): Promise<void> {
  const parser = createSseParser(
    {
      onRetry: request.onRetry,
      onEvent({ type, data, id }) {
        const event = readFeedEvent(type, parseFeedData(data))
        if (event !== null) request.onEvent(event, id === null ? null : readPosition(id))
      },
    },
    MAX_EVENT_CHARS,
  )
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done || request.signal.aborted) return
      request.onBytes()
      parser.push(value)
    }
  } catch (error) {
    throw error instanceof RangeError ? new ServiceError('the feed sent too large an event') : error
  } finally {
    reader.cancel().catch(() => {})
  }
}

async function problemOf(answer: Response): Promise<ServiceError> {
  const reader = answer.body?.getReader()
  const first = await reader?.read()
  reader?.cancel().catch(() => {})
  const text = new TextDecoder().decode(first?.value?.subarray(0, MAX_PROBLEM_BYTES))
  return errorOfAnswer('the feed', answer.status, answer.headers, text)
}
