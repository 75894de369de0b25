import { describe, expect, it } from 'vitest'
import { createBulkMarks, type SessionSubject } from './bulk-marks.ts'
import type { BulkRevoke } from './feed-event.ts'

const pick = <T>(values: T[]): T => values[Math.floor(Math.random() * values.length)] as T
const someone = <T>(value: T): T | null => pick([value, null])

const randomRevoke = (): BulkRevoke => ({
  userId: someone(pick(['u1', 'u2'])),
  orgId: someone(pick(['o1', 'o2'])),
  appId: someone(pick(['a1', 'a2'])),
  exceptSessionId: someone(pick(['s1', 's2', 's3'])),
  generation: 1 + Math.floor(Math.random() * 8),
  forgetAfterMs: 1_000,
})

const randomSubject = (): SessionSubject => ({
  sessionId: pick(['s1', 's2', 's3', 's4']),
  userId: pick(['u1', 'u2']),
  orgId: someone(pick(['o1', 'o2'])),
  appId: someone(pick(['a1', 'a2'])),
  generation: Math.floor(Math.random() * 8),
})

/** As the contract of the feed words it. */
const isMeant = (revoke: BulkRevoke, subject: SessionSubject): boolean =>
  (revoke.userId === null || revoke.userId === subject.userId) &&
  (revoke.orgId === null || revoke.orgId === subject.orgId) &&
  (revoke.appId === null || revoke.appId === subject.appId) &&
  revoke.generation > (subject.generation ?? 0) &&
  revoke.exceptSessionId !== subject.sessionId

describe('bulk revokes', () => {
  it('in any order and number, cover whom one of them means and nobody else', () => {
    for (let round = 0; round < 3_000; round++) {
      const revokes = Array.from({ length: 1 + Math.floor(Math.random() * 12) }, randomRevoke)
      const marks = createBulkMarks()
      for (const revoke of revokes) marks.add(revoke)
      for (let n = 0; n < 10; n++) {
        const subject = randomSubject()
        const meant = revokes.filter(revoke => isMeant(revoke, subject))
        expect({ revokes, subject, covered: marks.covers(subject) }).toEqual({
          revokes,
          subject,
          covered: meant.length > 0,
        })
      }
    }
  })

  it('with the same filters take one place, however many there are', () => {
    const marks = createBulkMarks()
    for (let generation = 1; generation <= 1_000; generation++)
      marks.add({ ...randomRevoke(), userId: 'u', orgId: null, appId: null, generation })
    expect(marks.size).toBe(1)
  })

  it('are forgotten after the latest time that one of them has', () => {
    const marks = createBulkMarks()
    const revoke = { ...randomRevoke(), userId: 'u1', orgId: null, appId: null }
    marks.add({ ...revoke, forgetAfterMs: 5_000 })
    marks.add({ ...revoke, forgetAfterMs: 1_000 })
    marks.forget(2_000)
    expect(marks.size).toBe(1)
    marks.forget(6_000)
    expect(marks.size).toBe(0)
  })

  it('of a session whose generation is not known say maybe', () => {
    const marks = createBulkMarks()
    const subject = { ...randomSubject(), userId: 'u1', sessionId: 's1', generation: null }
    marks.add({ ...randomRevoke(), userId: 'u1', orgId: null, appId: null, exceptSessionId: 's1' })
    expect(marks.covers(subject)).toBe(false)
    expect(marks.covers({ ...subject, sessionId: 's2' })).toBe(true)
  })
})
