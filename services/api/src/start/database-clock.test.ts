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
