import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newId } from '../shared/ids.ts'
import { createFingerprints, fingerprintOf } from './fingerprints.ts'

const MAX_FINGERPRINT = Number.MAX_SAFE_INTEGER

/** Many that fall on one another's places: equal low bits, neighbours, and anything else. */
const crowded = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 40 }).map(n => n * 2 ** 32),
  fc.integer({ min: 1, max: MAX_FINGERPRINT }),
)

describe('fingerprints', () => {
  it('are a map from a number to the greatest value that was given for it', () => {
    const entries = fc.array(fc.tuple(crowded, fc.integer({ min: 1, max: 0xffff_fffe })), {
      maxLength: 300,
      size: 'max',
    })
    fc.assert(
      fc.property(entries, crowded, (given, other) => {
        const compact = createFingerprints({ hasValues: true })
        const plain = new Map<number, number>()
        for (const [fingerprint, value] of given) {
          compact.set(fingerprint, value)
          plain.set(fingerprint, Math.max(value, plain.get(fingerprint) ?? 0))
        }
        expect(compact.size).toBe(plain.size)
        for (const [fingerprint, value] of plain) expect(compact.get(fingerprint)).toBe(value)
        expect(compact.get(other)).toBe(plain.get(other) ?? 0)
      }),
    )
  })

  it('take a value that they cannot hold for a greater one, never for a smaller', () => {
    const compact = createFingerprints({ hasValues: true })
    compact.set(7, 2 ** 40)
    expect(compact.get(7)).toBeGreaterThanOrEqual(2 ** 40)
  })

  it('are whole numbers from 1 that depend on the text alone', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        const fingerprint = fingerprintOf(text)
        expect(Number.isSafeInteger(fingerprint) && fingerprint > 0).toBe(true)
        expect(fingerprintOf(`${text} `.slice(0, -1))).toBe(fingerprint)
      }),
    )
  })

  it('differ for ids that count upwards, and spread over all places', () => {
    const ids = Array.from({ length: 50_000 }, () => newId('ses'))
    const fingerprints = ids.map(id => fingerprintOf(id, id.length - 16))
    expect(new Set(fingerprints).size).toBe(ids.length)
    // As many as balls thrown at random into 2^16 boxes would hit: 1 - 1/e^(n/m) of them.
    const places = new Set(fingerprints.map(fingerprint => fingerprint & 0xffff)).size
    const expected = 2 ** 16 * (1 - Math.exp(-ids.length / 2 ** 16))
    expect(Math.abs(places / expected - 1)).toBeLessThan(0.02)
  })
})
