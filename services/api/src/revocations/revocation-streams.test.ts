import { describe, expect, it } from 'vitest'
import { readFeed } from '../../test/feed-reader.ts'
import { createTestClock } from '../../test/test-clock.ts'
import { createRevocationStreams, type RevocationStreams } from './revocation-streams.ts'
import type { FeedLine, FeedNews, FeedPosition, RevocationStore } from './revocations.store.ts'

const TENANT = 'tnt_a'

const line = (seq: number, kind: FeedLine['kind'] = 'session'): FeedLine => ({
  tenantId: TENANT,
  seq,
  kind,
  sessionId: kind === 'session' ? `ses_${seq}` : null,
  userId: null,
  orgId: null,
  appId: null,
  exceptSessionId: null,
  generation: null,
  revokedBy: 'key_1',
  createdAt: new Date(),
  forgetAfter: new Date(Date.now() + 900_000),
})

interface Question {
  positions: FeedPosition[]
  answer(news: FeedNews[]): void
  fail(): void
}

/** A store whose answers to "what is new?" the test gives when it wants to. */
function createManualFeed(past: FeedLine[] = []) {
  const questions: Question[] = []
  let onQuestion = (): void => {}
  const store: RevocationStore = {
    list: async (_, { afterSeq, upToSeq }, limit) =>
      past.filter(({ seq }) => seq > afterSeq && seq <= upToSeq).slice(0, limit),
    listLiving: async () => past,
    listOthers: async () => [],
    readLogPage: async () => {
      throw new Error('nobody is that far behind here')
    },
    findNews: async () => null,
    listNews: positions => {
      const { promise, resolve, reject } = Promise.withResolvers<FeedNews[]>()
      questions.push({ positions, answer: resolve, fail: () => reject(new Error('no answer')) })
      onQuestion()
      return promise
    },
  }
  const errors: unknown[] = []
  let passedMs = 0
  const real = createTestClock()
  const clock = { ...real, monotonicMs: () => real.monotonicMs() + passedMs }
  const streams = createRevocationStreams({ store, clock, onError: error => errors.push(error) })
  return {
    errors,
    clock,
    streams,
    /** Time goes by, and nothing else. */
    pass(ms: number) {
      passedMs += ms
    },
    async question(number: number): Promise<Question> {
      while (questions.length <= number) await new Promise<void>(resolve => (onQuestion = resolve))
      const asked = questions[number]
      if (asked === undefined) throw new Error('there is no such question')
      return asked
    },
  }
}

const open = (streams: RevocationStreams, provenAtSeq: number, after: number | null = null) =>
  readFeed(streams.open({ tenantId: TENANT, proof: { seq: provenAtSeq, expiresAt: null } }, after))

const news = (head: number | null, ...lines: FeedLine[]): FeedNews[] => [
  { tenantId: TENANT, head, lines },
]

describe('streams of one node', () => {
  it('ask once for all, and tell each stream what it has not heard', async () => {
    const { streams, question } = createManualFeed([line(1), line(2)])
    const [first, second] = [open(streams, 1), open(streams, 2)]
    await Promise.all([first.until('synced'), second.until('synced')])
    const asked = await question(0)
    expect(asked.positions).toEqual([{ tenantId: TENANT, seq: 1 }])
    asked.answer(news(3, line(2), line(3)))
    await Promise.all([first.until('session_revoked', 3), second.until('session_revoked', 3)])
    expect(first.sessionIds()).toEqual(['ses_1', 'ses_2', 'ses_3'])
    expect(second.sessionIds()).toEqual(['ses_1', 'ses_2', 'ses_3'])
    streams.close()
  })

  it('leave no gap for one that came while a question was on its way', async () => {
    const { streams, question } = createManualFeed()
    const early = open(streams, 5)
    await early.until('synced')
    const asked = await question(0)
    // It stands behind what was asked from, and ahead of what the answer has seen, in turn.
    const [behind, ahead] = [open(streams, 3), open(streams, 9)]
    await Promise.all([behind.until('synced'), ahead.until('synced')])
    asked.answer(news(6, line(6)))
    await early.until('session_revoked')
    const next = await question(1)
    expect(next.positions).toEqual([{ tenantId: TENANT, seq: 3 }])
    next.answer(news(9, ...[4, 5, 6, 7, 8, 9].map(seq => line(seq))))
    await Promise.all([behind.until('session_revoked', 6), early.until('session_revoked', 4)])
    expect(behind.sessionIds()).toEqual([4, 5, 6, 7, 8, 9].map(seq => `ses_${seq}`))
    expect(early.sessionIds()).toEqual([6, 7, 8, 9].map(seq => `ses_${seq}`))
    const last = await question(2)
    last.answer(news(10, line(10)))
    await ahead.until('session_revoked')
    expect(ahead.sessionIds()).toEqual(['ses_10'])
    streams.close()
  })

  it('end with a change of a key or of the tenant that came after the key was proven', async () => {
    const { streams, question } = createManualFeed([line(1, 'api_keys')])
    const stream = open(streams, 1)
    await stream.until('synced')
    const asked = await question(0)
    asked.answer(news(4, line(2), line(3, 'api_keys'), line(4)))
    await stream.over
    expect(stream.sessionIds()).toEqual(['ses_2'])
    expect(streams.size).toBe(0)
    streams.close()
  })

  it('end when the log is behind them, or gone: the client comes back and is told', async () => {
    for (const head of [4, null]) {
      const { streams, question } = createManualFeed()
      const stream = open(streams, 5)
      await stream.until('synced')
      const asked = await question(0)
      asked.answer(news(head))
      await stream.over
      streams.close()
    }
  })

  it('end when the key expires', async () => {
    const { streams, question, clock } = createManualFeed()
    const proof = { seq: 1, expiresAt: new Date(clock.nowMs() + 60_000) }
    const stream = readFeed(streams.open({ tenantId: TENANT, proof }, null))
    await stream.until('synced')
    const asked = await question(0)
    clock.advanceSeconds(61)
    asked.answer([])
    await stream.over
    streams.close()
  })

  it('tell a client that is beyond the log to forget what it knows', async () => {
    const { streams } = createManualFeed([line(1)])
    const stream = open(streams, 1, 7)
    await stream.until('synced')
    expect(stream.events.map(({ event }) => event)).toEqual(['reset', 'session_revoked', 'synced'])
    streams.close()
  })

  it('ask nothing for a client that is at the head', async () => {
    const { streams } = createManualFeed([line(1)])
    const stream = open(streams, 1, 1)
    await stream.until('synced')
    expect(stream.events).toEqual([{ event: 'synced', id: '1', data: { seq: 1 } }])
    streams.close()
  })

  it('go on after an outage, that is reported once', async () => {
    const { streams, question, errors } = createManualFeed()
    const stream = open(streams, 1)
    await stream.until('synced')
    for (const number of [0, 1, 2]) (await question(number)).fail()
    const answered = await question(3)
    answered.answer(news(2, line(2)))
    await stream.until('session_revoked')
    expect(errors).toHaveLength(1)
    streams.close()
  })

  it('get a heartbeat when Postgres has answered that there is no more, and only then', async () => {
    const { streams, question, pass } = createManualFeed()
    const stream = open(streams, 1)
    await stream.until('synced')
    pass(5_000)
    const first = await question(0)
    first.fail()
    const second = await question(1)
    second.answer(news(1_500, ...Array.from({ length: 1_000 }, (_, n) => line(2 + n))))
    await stream.until('session_revoked', 1_000)
    const third = await question(2)
    expect(stream.of('heartbeat')).toEqual([])
    third.answer(news(1_500, ...Array.from({ length: 499 }, (_, n) => line(1_002 + n))))
    await stream.until('heartbeat')
    expect(stream.of('heartbeat')).toMatchObject([{ id: undefined, data: { seq: 1_500 } }])
    expect(stream.of('session_revoked')).toHaveLength(1_499)
    streams.close()
  })

  it('all end when the node stops, also those that open then', async () => {
    const { streams } = createManualFeed()
    const stream = open(streams, 1)
    await stream.until('synced')
    streams.close()
    await stream.over
    await open(streams, 1).over
    expect(streams.size).toBe(0)
  })
})
