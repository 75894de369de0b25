import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { better, type ClockReading, estimateFrom } from './clock-estimate.ts'

const OFFSET_MS = 1_800_000_000_000

/** A reading whose way there and way back took so long. */
const reading = (askedAtMs: number, thereMs: number, backMs: number, offsetMs = OFFSET_MS) => ({
  askedAtMs,
  answeredAtMs: askedAtMs + thereMs + backMs,
  databaseMs: askedAtMs + thereMs + offsetMs,
})

describe('the time of Postgres', () => {
  it('is taken from the quickest of several answers', () => {
    const slowBack = reading(0, 1, 400)
    const quick = reading(500, 1, 2)
    const slowThere = reading(600, 450, 1)
    const { offsetMs, errorMs } = estimateFrom([slowBack, quick, slowThere])
    expect(errorMs).toBe(1.5)
    expect(Math.abs(offsetMs - OFFSET_MS)).toBeLessThanOrEqual(errorMs)
  })

  it('is never wrong by more than it says, wherever the answers lost their time', () => {
    const trip = fc.double({ min: 0, max: 5_000, noNaN: true })
    fc.assert(
      fc.property(fc.array(fc.tuple(trip, trip), { minLength: 1, maxLength: 8 }), trips => {
        const readings = trips.map(([there, back], n) => reading(n * 20_000, there, back))
        let believed = estimateFrom([readings[0] as ClockReading])
        for (const each of readings) believed = better(believed, estimateFrom([each]))
        // As doubles of this size are written: to a fraction of a microsecond.
        expect(Math.abs(believed.offsetMs - OFFSET_MS)).toBeLessThanOrEqual(
          believed.errorMs + 0.001,
        )
      }),
    )
  })

  it('is not made worse by a slow answer', () => {
    const believed = estimateFrom([reading(0, 1, 1)])
    expect(better(believed, estimateFrom([reading(1_000, 1, 900)]))).toBe(believed)
  })

  it('is read anew when drift may have made it worse than the answer', () => {
    const believed = estimateFrom([reading(0, 1, 1)])
    const read = estimateFrom([reading(600_000, 20, 1)])
    expect(better(believed, read)).toBe(read)
  })

  it.each([-3_600_000, -30_000, 500, 3_600_000])(
    'follows a clock that was set by %i ms, also by a slow answer',
    step => {
      const believed = estimateFrom([reading(0, 1, 1)])
      const read = estimateFrom([reading(30_000, 100, 300, OFFSET_MS + step)])
      const { offsetMs } = better(believed, read)
      expect(Math.abs(offsetMs - OFFSET_MS - step)).toBeLessThanOrEqual(200)
    },
  )
})
