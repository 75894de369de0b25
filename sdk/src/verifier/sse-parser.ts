/** One event of a stream (Server-Sent Events). */
export interface SseEvent {
  type: string
  data: string
  /** Its own `id` line; null where it has none. */
  id: string | null
}

export interface SseHandlers {
  onEvent(event: SseEvent): void
  /** The server's `retry:`, in milliseconds. */
  onRetry(retryMs: number): void
}

export interface SseParser {
  /** @throws RangeError when an event is larger than it may be. */
  push(chunk: Uint8Array): void
}

/**
 * Reads the event stream format of the HTML standard: lines end with LF, CR or both, and chunks break
 * anywhere, also within a character.
 *
 * @param maxEventChars of one line, and of the data of one event.
 */
export function createSseParser(handlers: SseHandlers, maxEventChars: number): SseParser {
  const utf8 = new TextDecoder()
  let line = ''
  let skipLineFeed = false
  let type = ''
  let data: string | null = null
  let id: string | null = null

  const dispatch = (): void => {
    if (data !== null) handlers.onEvent({ type: type === '' ? 'message' : type, data, id })
    type = ''
    data = null
    id = null
  }

  const readLine = (text: string): void => {
    const colon = text.indexOf(':')
    const field = colon === -1 ? text : text.slice(0, colon)
    const valueAt = text[colon + 1] === ' ' ? colon + 2 : colon + 1
    const value = colon === -1 ? '' : text.slice(valueAt)
    if (field === 'data') data = data === null ? value : `${data}\n${value}`
    else if (field === 'event') type = value
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) handlers.onRetry(Number(value))
    if (data !== null && data.length > maxEventChars) throw new RangeError('an event is too large')
  }

  return {
    push(chunk) {
      const text = utf8.decode(chunk, { stream: true })
      let from = 0
      for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at)
        if (skipLineFeed) {
          skipLineFeed = false
          if (code === LINE_FEED) {
            from = at + 1
            continue
          }
        }
        if (code !== LINE_FEED && code !== CARRIAGE_RETURN) continue
        skipLineFeed = code === CARRIAGE_RETURN
        const whole = line + text.slice(from, at)
        line = ''
        from = at + 1
        if (whole === '') dispatch()
        else readLine(whole)
      }
      line += text.slice(from)
      if (line.length > maxEventChars) throw new RangeError('a line is too large')
    },
  }
}

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
