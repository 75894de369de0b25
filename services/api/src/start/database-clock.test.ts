import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createTestDatabase } from '../../test/test-database.ts'
import { createDatabaseClock } from './database-clock.ts'

let pool: pg.Pool
let drop: () => Promise<void>

beforeAll(async () => {
  const database = await createTestDatabase()
  drop = database.drop
  pool = new pg.Pool({ connectionString: database.url })
})
afterAll(async () => {
  await pool.end()
  await drop()
})

it("tells the time of Postgres, whatever the machine's own clock says", async () => {
  const realNow = Date.now()
  const wrong = vi.spyOn(Date, 'now').mockReturnValue(realNow + 3_600_000)
  try {
    const clock = await createDatabaseClock(pool, () => {})
    expect(Math.abs(clock.nowMs() - realNow)).toBeLessThan(5_000)
    const before = clock.nowMs()
    wrong.mockReturnValue(realNow - 3_600_000)
    expect(Math.abs(clock.nowMs() - before)).toBeLessThan(5_000)
    expect(Number.isInteger(before)).toBe(true)
    clock.stop()
  } finally {
    wrong.mockRestore()
  }
})

/** A Postgres whose answers are held back where the test says so. */
function slowly(holdBack: (reading: number) => Promise<void>) {
  let readings = 0
  const slow = {
    query: async (statement: pg.QueryConfig) => {
      const result = await pool.query(statement)
      await holdBack(readings++)
      return result
    },
  } as Pick<pg.Pool, 'query'>
  return { slow, count: () => readings }
}

it('does not believe a slow answer where a quick one can be had', async () => {
  const { slow, count } = slowly(async reading => {
    if (reading < 2) await sleep(300)
  })
  const clock = await createDatabaseClock(slow, () => {})
  clock.stop()
  expect(count()).toBeGreaterThan(2)
  expect(clock.errorMs).toBeLessThan(150)
})

it('starts with what it can get, knows how wrong that may be, and asks again soon', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const held = slowly(async reading => {
      if (reading < 5) await sleep(80)
    })
    const clock = await createDatabaseClock(held.slow, () => {})
    expect([held.count(), clock.errorMs >= 40]).toEqual([5, true])
    vi.advanceTimersByTime(1_000)
    await vi.waitFor(() => expect(clock.errorMs).toBeLessThan(40))
    clock.stop()
  } finally {
    vi.useRealTimers()
  }
})

it('goes on with what it knows where a reading fails, says so, and reads again later', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    let isCut = false
    const failures: unknown[] = []
    const { slow, count } = slowly(async () => {
      if (isCut) throw new Error('cut')
    })
    const clock = await createDatabaseClock(slow, error => failures.push(error))
    const before = clock.nowMs()
    isCut = true
    vi.advanceTimersByTime(31_000)
    await vi.waitFor(() => expect(failures).toHaveLength(1))
    expect(clock.nowMs() - before).toBeLessThan(20_000)
    isCut = false
    const failed = count()
    vi.advanceTimersByTime(31_000)
    await vi.waitFor(() => expect(count()).toBeGreaterThan(failed))
    clock.stop()
  } finally {
    vi.useRealTimers()
  }
})
