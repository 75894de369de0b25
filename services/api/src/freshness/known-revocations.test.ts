import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newId } from '../shared/ids.ts'
import { createKnownRevocations, FORGET_MARGIN_MS } from './known-revocations.ts'
import type { SessionClaims } from './tenant-copy.ts'

const MINUTE_MS = 60_000
const MILLION = 1_000_000
const START_MS = Date.UTC(2026, 0, 1)

function createWhole() {
  const known = createKnownRevocations()
  known.isWhole = true
  return known
}

const idOf = (n: number): string => `ses_01K${String(n).padStart(23, '0')}`

const claimsOf = (claims: Partial<SessionClaims>): SessionClaims => ({
  sessionId: newId('ses'),
  userId: 'u',
  orgId: null,
  appId: null,
  generation: 0,
  ...claims,
})

const bulk = (named: { userId?: string; orgId?: string; appId?: string }, generation: number) => ({
  sessionId: null,
  userId: null,
  orgId: null,
  appId: null,
  ...named,
  generation,
  forgetAfter: new Date(START_MS + 15 * MINUTE_MS),
})

describe('what a copy knows of revocations', () => {
  it('never forgets one that a living token can need, whatever comes and in whatever order', () => {
    const session = fc.integer({ min: 0, max: 30 }).map(idOf)
    const step = fc.record({
      sessionId: session,
      lifeMs: fc.integer({ min: -MINUTE_MS, max: 24 * 60 * MINUTE_MS }),
      passedMs: fc.integer({ min: 0, max: 30 * MINUTE_MS }),
      isForgetting: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), steps => {
        const known = createWhole()
        const plain = new Map<string, number>()
        let nowMs = START_MS
        for (const { sessionId, lifeMs, passedMs, isForgetting } of steps) {
          const forgetAfterMs = nowMs + lifeMs
          known.noteSession(sessionId, forgetAfterMs, nowMs)
          plain.set(sessionId, Math.max(forgetAfterMs, plain.get(sessionId) ?? 0))
          nowMs += passedMs
          if (isForgetting) known.forget(nowMs)
          for (const [id, untilMs] of plain)
            if (untilMs >= nowMs) expect(known.mayConcern(claimsOf({ sessionId: id }))).toBe(true)
        }
      }),
    )
  })

  it('forgets by itself, at most a quarter of a life and a minute late', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 24 * 60 * MINUTE_MS }), lifeMs => {
        const known = createWhole()
        const sessionId = newId('ses')
        known.noteSession(sessionId, START_MS + lifeMs, START_MS)
        const keptMs = lifeMs + FORGET_MARGIN_MS
        known.forget(START_MS + keptMs)
        expect(known.mayConcern(claimsOf({ sessionId }))).toBe(true)
        known.forget(START_MS + keptMs + keptMs / 4 + MINUTE_MS + 1)
        expect(known.size).toBe(0)
        expect(known.mayConcern(claimsOf({ sessionId }))).toBe(false)
      }),
    )
  })

  it('keeps a bulk revoke to whom it names and to the generations before it', () => {
    const known = createWhole()
    known.note(bulk({ userId: 'ada' }, 5), START_MS)
    known.note(bulk({ orgId: 'org', appId: 'app' }, 7), START_MS)
    const may = (claims: Partial<SessionClaims>) => known.mayConcern(claimsOf(claims))
    expect(may({ userId: 'ada', generation: 4 })).toBe(true)
    expect(may({ userId: 'ada', generation: 5 })).toBe(false)
    expect(may({ userId: 'bob', generation: 4 })).toBe(false)
    expect(may({ orgId: 'org', appId: 'app', generation: 6 })).toBe(true)
    expect(may({ orgId: 'org', appId: null, generation: 6 })).toBe(false)
    expect(may({ orgId: 'app', appId: 'org', generation: 6 })).toBe(false)
    known.note(bulk({ userId: 'ada' }, 3), START_MS)
    expect(may({ userId: 'ada', generation: 4 })).toBe(true)
    known.note(bulk({}, 9), START_MS)
    expect(may({ userId: 'anybody', generation: 8 })).toBe(true)
    expect(may({ userId: 'anybody', generation: 9 })).toBe(false)
    known.forget(START_MS + 60 * MINUTE_MS)
    expect(may({ userId: 'anybody', generation: 8 })).toBe(false)
  })

  it('says "maybe" to every session until the past has been read', () => {
    expect(createKnownRevocations().mayConcern(claimsOf({}))).toBe(true)
    expect(createWhole().mayConcern(claimsOf({}))).toBe(false)
  })

  it('holds a million living revocations in less than 32 MB, and none but those', () => {
    const known = createWhole()
    for (let n = 0; n < MILLION; n++)
      known.noteSession(idOf(n), START_MS + (n % 900) * 1_000, START_MS)
    expect(known.size).toBe(MILLION)
    expect(known.byteLength).toBeLessThan(32 * 1024 * 1024)
    const claims = claimsOf({})
    const isKnown = (n: number) => known.mayConcern(Object.assign(claims, { sessionId: idOf(n) }))
    const samples = Array.from({ length: 50_000 }, (_, n) => n * 20)
    expect(samples.every(isKnown)).toBe(true)
    expect(samples.map(n => MILLION + n).filter(isKnown)).toEqual([])
  })
})
