import { TimeoutError } from '../errors.ts'
import { createSseParser, type SseEvent } from '../verifier/sse-parser.ts'
import { attempt, type Refuse, unreachable, type WireRequest } from './attempt.ts'
import { withDeadline } from './deadline.ts'
import { checkOptions, type RequestOptions } from './request-options.ts'
import { retryDelayMs } from './retry.ts'
import type { TransportSeams } from './transport.ts'
import { requestOf, type TransportConfig } from './wire-request.ts'

/** Follows a stream of events, from the event after `lastEventId`, and comes back when it breaks. */
export type EventStreams = (
  route: string,
  call: { lastEventId: string | null; options: RequestOptions | undefined },
) => AsyncGenerator<SseEvent, void, undefined>

/** A snapshot event of 1,000 ids has 34,000 characters. */
const MAX_EVENT_CHARS = 512 * 1024

export function createEventStreams(config: TransportConfig, seams: TransportSeams): EventStreams {
  return async function* (route, { lastEventId, options = {} }) {
    checkOptions(options)
    let position = lastEventId
    for (let failures = 0; ; failures++) {
      const request = requestOf(config, route, { options })
      request.headers.accept = 'text/event-stream'
      if (position !== null) request.headers['last-event-id'] = position
      let delayMs: number | null = seams.random() * RECONNECT_MS
      try {
        for await (const event of readOnce(config, seams, request, options)) {
          failures = 0
          // A reset takes back all that came before, and the place of it.
          position = event.type === 'reset' ? null : (event.id ?? position)
          yield event
        }
      } catch (error) {
        delayMs = retryDelayMs(error, failures, seams.random)
        if (delayMs === null) throw error
      }
      await seams.sleep(delayMs, options.signal)
    }
  }
}

/** A stream that ended is no failure: a node goes, and another is there. */
const RECONNECT_MS = 1_000

async function* readOnce(
  config: TransportConfig,
  { maxSilenceMs }: TransportSeams,
  request: WireRequest,
  { signal, timeoutMs = config.timeoutMs }: RequestOptions,
): AsyncGenerator<SseEvent, void, undefined> {
  const { fetch } = config
  const { reader, refuse } = await attempt(request, { fetch, timeoutMs, signal }, openStream)
  const parser = createParser(refuse)
  const onTimeout = () =>
    new TimeoutError(`${request.route} was silent for ${maxSilenceMs} ms`, { code: 'timeout' })
  const limits = { timeoutMs: maxSilenceMs, onTimeout, signal }
  const readChunk = () =>
    reader.read().catch((error: unknown) => {
      throw unreachable(request, error)
    })
  try {
    for (;;) {
      const { done, value } = await withDeadline(limits, readChunk)
      if (done) return
      yield* parser.push(value)
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

function createParser(refuse: Refuse): { push(chunk: Uint8Array): SseEvent[] } {
  const events: SseEvent[] = []
  const handlers = { onEvent: (event: SseEvent) => void events.push(event), onRetry: () => {} }
  const parser = createSseParser(handlers, MAX_EVENT_CHARS)
  return {
    push(chunk) {
      try {
        parser.push(chunk)
      } catch {
        throw refuse('sent an event that is too large')
      }
      return events.splice(0)
    },
  }
}

async function openStream(response: Response, refuse: Refuse) {
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('text/event-stream') || response.body === null)
    throw refuse('answered with something else than a stream of events')
  return { reader: response.body.getReader(), refuse }
}
