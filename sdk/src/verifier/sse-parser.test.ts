import { describe, expect, it } from 'vitest'
import { createSseParser, type SseEvent } from './sse-parser.ts'

function parse(chunks: Uint8Array[], maxEventChars = 1_000) {
  const events: SseEvent[] = []
  const retries: number[] = []
  const parser = createSseParser(
    { onEvent: event => events.push(event), onRetry: ms => retries.push(ms) },
    maxEventChars,
  )
  for (const chunk of chunks) parser.push(chunk)
  return { events, retries }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const LINES = [
  'retry: 100',
  '',
  ': a comment',
  'id: 7',
  'event: session_revoked',
  'data: {"name":"Zoë 🔑"}',
  '',
  'data:two',
  'data: lines',
  'nonsense',
  '',
  'event: without data',
  '',
  'data',
  '',
]
const EVENTS = [
  { type: 'session_revoked', data: '{"name":"Zoë 🔑"}', id: '7' },
  { type: 'message', data: 'two\nlines', id: null },
  { type: 'message', data: '', id: null },
]

describe.each([
  ['LF', '\n'],
  ['CR', '\r'],
  ['CRLF', '\r\n'],
])('a stream with lines that end in %s', (_, end) => {
  const stream = bytes(LINES.map(line => line + end).join(''))

  it('reads the same however it is cut, also within a character', () => {
    for (let cut = 0; cut <= stream.length; cut++)
      expect(parse([stream.subarray(0, cut), stream.subarray(cut)])).toEqual({
        events: EVENTS,
        retries: [100],
      })
    expect(parse(Array.from(stream, byte => Uint8Array.of(byte))).events).toEqual(EVENTS)
  })
})

it('an event that did not end is none', () => {
  expect(parse([bytes('data: x\n')]).events).toEqual([])
})

it('a line or an event without end takes no memory without end', () => {
  const endless = Array.from({ length: 20 }, () => bytes('x'.repeat(100)))
  expect(() => parse(endless)).toThrow(RangeError)
  const lines = Array.from({ length: 20 }, () => bytes(`data: ${'x'.repeat(100)}\n`))
  expect(() => parse(lines)).toThrow(RangeError)
})
