import { describe, expect, it } from 'vitest'
import { createTestRuntime } from '../../test/test-runtime.ts'
import { createElapsedClock } from './runtime.ts'
import { createServiceClock } from './service-clock.ts'

describe('elapsed time', () => {
  it('grows with time, and with a sleep that only the wall clock saw', async () => {
    const runtime = createTestRuntime()
    const elapsedMs = createElapsedClock(runtime)
    const startMs = elapsedMs()
    await runtime.advance(10_000)
    expect(elapsedMs() - startMs).toBe(10_000)
    runtime.stepWallClock(3_600_000)
    expect(elapsedMs() - startMs).toBe(3_610_000)
  })

  it('never runs back, and is not led astray by a clock that is slewed', async () => {
    const runtime = createTestRuntime()
    const elapsedMs = createElapsedClock(runtime)
    const startMs = elapsedMs()
    runtime.stepWallClock(-3_600_000)
    expect(elapsedMs()).toBe(startMs)
    for (let n = 0; n < 100; n++) {
      runtime.stepWallClock(500)
      expect(elapsedMs()).toBe(startMs)
    }
  })
})

describe('the time to judge tokens by', () => {
  it('is the later of the local clock and that of the service', () => {
    const runtime = createTestRuntime()
    const clock = createServiceClock(runtime, createElapsedClock(runtime))
    const trueMs = runtime.nowMs()
    clock.note(trueMs)
    runtime.stepWallClock(-3_600_000)
    expect(clock.nowMs()).toBe(trueMs)
    runtime.stepWallClock(7_200_000)
    expect(clock.nowMs()).toBeGreaterThanOrEqual(trueMs + 3_600_000)
  })

  it('lets nothing be forgotten before the service has told its time, nor by a clock that is ahead', () => {
    const runtime = createTestRuntime()
    runtime.stepWallClock(3_600_000)
    const clock = createServiceClock(runtime, createElapsedClock(runtime))
    expect(clock.forgettableMs()).toBeNull()
    const trueMs = runtime.nowMs() - 3_600_000
    clock.note(trueMs)
    expect(clock.forgettableMs()).toBe(trueMs)
  })

  it('is never before what was forgotten, however the clock is set', () => {
    const runtime = createTestRuntime()
    const clock = createServiceClock(runtime, createElapsedClock(runtime))
    clock.note(runtime.nowMs())
    const forgottenMs = clock.forgettableMs()
    runtime.stepWallClock(-80_000_000)
    clock.note(0)
    expect(clock.nowMs()).toBe(forgottenMs)
  })
})
