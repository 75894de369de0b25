import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { against } from '../../test/test-client.ts'
import { type Answerer, sendProblem } from '../../test/test-server.ts'
import { InvalidResponseError, PermissionDeniedError } from '../errors.ts'
import type { RevocationEvent } from './revocation-events.ts'
import type { Revocations } from './revocations.ts'

const STREAM = { 'content-type': 'text/event-stream' }

const revoked = (seq: number): string => {
  const data = { seq, type: 'session_revoked', session_id: `ses_${seq}`, forget_after: 'later' }
  return `id: ${seq}\nevent: session_revoked\ndata: ${JSON.stringify(data)}\n\n`
}
const SYNCED = 'id: 9\nevent: synced\ndata: {"seq":9}\n\n'
const HEARTBEAT = 'event: heartbeat\ndata: {"seq":9}\n\n'

/** Tells each text on a connection of its own, and then ends it by `end`. */
const inTurn =
  (texts: string[], end: (response: ServerResponse) => unknown): Answerer =>
  (response, _, n) => {
    response.writeHead(200, STREAM).write(texts[n] ?? '')
    setImmediate(() => end(response))
  }

async function readUntil(
  revocations: Revocations,
  isLast: (event: RevocationEvent) => boolean,
  params?: { after: number },
): Promise<RevocationEvent[]> {
  const events: RevocationEvent[] = []
  for await (const event of revocations.stream(params)) {
    events.push(event)
    if (isLast(event)) break
  }
  return events
}

const isEntry = (seq: number) => (event: RevocationEvent) => 'seq' in event && event.seq === seq

describe('the stream', () => {
  test('tells what it is told in the names of TypeScript, and no heartbeats', async () => {
    const snapshot = 'event: snapshot\ndata: {"forget_after":"later","session_ids":["ses_0"]}\n\n'
    const text = `retry: 1000\n\n${snapshot}${revoked(1)}${HEARTBEAT}event: new\ndata: {}\n\n${SYNCED}`
    const { revocations } = await against(inTurn([text], () => {}))
    expect(await readUntil(revocations, isEntry(9))).toEqual([
      { type: 'snapshot', sessionIds: ['ses_0'], forgetAfter: 'later' },
      { type: 'session_revoked', seq: 1, sessionId: 'ses_1', forgetAfter: 'later' },
      { type: 'synced', seq: 9 },
    ])
  })

  test.each([
    ['that ends', (response: ServerResponse) => response.end()],
    ['that breaks', (response: ServerResponse) => response.destroy()],
  ])('%s goes on after the last event', async (_, end) => {
    const { revocations, server } = await against(inTurn([revoked(6), revoked(7), revoked(8)], end))
    const events = await readUntil(revocations, isEntry(8), { after: 5 })
    expect(events).toMatchObject([{ seq: 6 }, { seq: 7 }, { seq: 8 }])
    const positions = server.requests.map(({ headers }) => headers['last-event-id'])
    expect(positions).toEqual(['5', '6', '7'])
  })

  test('begins anew after a reset', async () => {
    const texts = [`${revoked(7)}event: reset\ndata: {}\n\n`, revoked(1)]
    const { revocations, server } = await against(inTurn(texts, response => response.end()))
    const events = await readUntil(revocations, isEntry(1))
    expect(events.map(({ type }) => type)).toEqual(['session_revoked', 'reset', 'session_revoked'])
    expect(server.requests[1]?.headers).not.toHaveProperty('last-event-id')
  })

  test('waits longer and longer for a service that is away, and does not give up', async () => {
    const { revocations, waits } = await against((response, _, n) =>
      n < 8
        ? sendProblem(response, 503, 'service_unavailable')
        : response.writeHead(200, STREAM).write(revoked(1)),
    )
    await readUntil(revocations, isEntry(1))
    expect(waits).toEqual([125, 250, 500, 1000, 2000, 4000, 4000, 4000])
  })

  test('ends where the key may not read it', async () => {
    const { revocations } = await against(response => sendProblem(response, 403, 'scope_missing'))
    await expect(readUntil(revocations, () => false)).rejects.toThrow(PermissionDeniedError)
  })

  test.each([
    ['a page', (response: ServerResponse) => response.end('<html></html>')],
    [
      'an entry without its session',
      (response: ServerResponse) =>
        response.writeHead(200, STREAM).write('event: session_revoked\ndata: {"seq":1}\n\n'),
    ],
    [
      'an entry that is no JSON',
      (response: ServerResponse) =>
        response.writeHead(200, STREAM).write('event: session_revoked\ndata: {"seq\n\n'),
    ],
    [
      'an endless line',
      (response: ServerResponse) => response.writeHead(200, STREAM).write('x'.repeat(1_000_000)),
    ],
  ])('is an error where it is %s', async (_, answer) => {
    const { revocations } = await against(response => answer(response))
    await expect(readUntil(revocations, () => false)).rejects.toThrow(InvalidResponseError)
  })

  test('leaves a connection that says nothing any more, and comes back', async () => {
    const silent: Answerer = (response, { headers }) => {
      const text = headers['last-event-id'] === '1' ? revoked(2) : revoked(1)
      response.writeHead(200, STREAM).write(text)
    }
    const { revocations } = await against(silent, {}, { maxSilenceMs: 100 })
    expect(await readUntil(revocations, isEntry(2))).toMatchObject([{ seq: 1 }, { seq: 2 }])
  })

  test('closes its connection when the loop is left', async () => {
    const closed = Promise.withResolvers<void>()
    const { revocations } = await against(response => {
      response.on('close', closed.resolve)
      response.writeHead(200, STREAM).write(revoked(1))
    })
    await readUntil(revocations, isEntry(1))
    await closed.promise
  })

  test('ends with its signal, while it waits for news', async () => {
    const closed = Promise.withResolvers<void>()
    const { revocations } = await against(response => {
      response.on('close', closed.resolve)
      response.writeHead(200, STREAM).write(SYNCED)
    })
    const controller = new AbortController()
    const reason = new Error('shutdown')
    const read = async () => {
      for await (const _ of revocations.stream({}, { signal: controller.signal }))
        setImmediate(() => controller.abort(reason))
    }
    await expect(read()).rejects.toBe(reason)
    await closed.promise
  })
})
