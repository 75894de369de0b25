import { describe, expect, it } from 'vitest'
import type { SessionSubject } from './bulk-marks.ts'
import { createDenySet } from './deny-set.ts'

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

function randomId(): string {
  let text = 'ses_01K3Z8Q5V7'
  while (text.length < 30) text += CROCKFORD[Math.floor(Math.random() * 32)]
  return text
}

const of = (sessionId: string): SessionSubject => ({
  sessionId,
  userId: 'usr_1',
  orgId: null,
  appId: null,
  generation: 1,
})

/** Eight times: each call looks at a part. */
const forgetAll = (set: ReturnType<typeof createDenySet>, nowMs: number): void => {
  for (let turn = 0; turn < 8; turn++) set.forget(nowMs)
}

describe('a deny set', () => {
  it('knows each of many sessions, and no other', () => {
    const set = createDenySet()
    const ids = Array.from({ length: 50_000 }, randomId)
    for (const id of ids) set.addSession(id, 60_000)
    expect(ids.filter(id => !set.isRevoked(of(id)))).toEqual([])
    const others = Array.from({ length: 50_000 }, randomId)
    expect(others.filter(id => set.isRevoked(of(id)))).toEqual([])
    expect(set.entries).toBe(50_000)
  })

  it('tells ids apart that were made in one millisecond', () => {
    const set = createDenySet()
    const id = (n: number) => `ses_01K3Z8Q5V7ZZZZZZZZZZ${String(n).padStart(6, '0')}`
    for (let n = 0; n < 20_000; n += 2) set.addSession(id(n), 60_000)
    for (let n = 0; n < 20_000; n++) expect(set.isRevoked(of(id(n)))).toBe(n % 2 === 0)
  })

  it('knows ids that are no ULIDs', () => {
    const set = createDenySet()
    for (const id of [
      'x',
      'ses_1',
      'ses_01k3z8q5v7m2n4p6r8s0t1w3x5',
      'ses_01K3Z8Q5V7M2N4P6R8S0T1W3XU',
    ])
      set.addSession(id, 60_000)
    expect(set.isRevoked(of('ses_01k3z8q5v7m2n4p6r8s0t1w3x5'))).toBe(true)
    expect(set.isRevoked(of('ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5'))).toBe(false)
    expect(set.isRevoked(of('x'))).toBe(true)
    forgetAll(set, 120_000)
    expect(set.entries).toBe(0)
  })

  it('forgets what may be forgotten and not what may not, and gives the memory back', () => {
    const set = createDenySet()
    const [early, late] = [Array.from({ length: 9_000 }, randomId), [randomId(), randomId()]]
    for (const id of early) set.addSession(id, 60_000)
    for (const id of late) set.addSession(id, 90_000)
    const { bytes } = set
    forgetAll(set, 60_000)
    expect(set.entries).toBe(9_002)
    forgetAll(set, 70_000)
    expect(set.entries).toBe(2)
    expect(set.bytes).toBeLessThan(bytes / 100)
    for (const id of late) expect(set.isRevoked(of(id))).toBe(true)
    forgetAll(set, 100_000)
    expect(set).toMatchObject({ entries: 0, bytes: 0 })
  })

  it('keeps an id that came twice until the later of its times', () => {
    const set = createDenySet()
    const id = randomId()
    set.addSession(id, 90_000)
    set.addSession(id, 60_000)
    forgetAll(set, 70_000)
    expect(set.isRevoked(of(id))).toBe(true)
    expect(set.entries).toBe(1)
  })

  it('keeps changed sessions apart from revoked ones, and knows which tokens are older', () => {
    const set = createDenySet()
    const [changed, revoked] = [randomId(), randomId()]
    set.addChange(changed, 900_000)
    set.addChange(changed, 600_000)
    set.addSession(revoked, 900_000)
    expect([set.isRevoked(of(changed)), set.isChanged(revoked, 0)]).toEqual([false, false])
    expect([0, 899, 901, 902].map(exp => set.isChanged(changed, exp))).toEqual([
      true,
      true,
      true,
      false,
    ])
    expect(set.entries).toBe(2)
    forgetAll(set, 910_000)
    expect(set.isChanged(changed, 900)).toBe(false)
    expect(set).toMatchObject({ entries: 0, bytes: 0 })
  })

  it('holds a million revocations in 32 MB, at every size on the way', () => {
    const set = createDenySet()
    let most = 0
    for (let n = 1; n <= 1_000_000; n++) {
      set.addSession(randomId(), 900_000)
      if (n % 50_000 === 0) most = Math.max(most, set.bytes / n)
    }
    expect(set.entries).toBe(1_000_000)
    expect(set.bytes).toBeLessThan(32 * 1024 * 1024)
    expect(most).toBeLessThan(32)
  })
})
