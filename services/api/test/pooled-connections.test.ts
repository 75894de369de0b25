import { type Database, openDatabase } from '@sesame/db'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase } from './test-database.ts'

let database: Database
let elsewhere: Database
let drop: () => Promise<void>

beforeAll(async () => {
  const made = await createTestDatabase()
  drop = made.drop
  const options = { databaseUrl: made.url, onConnectionError: () => {} }
  // One connection, so that the next statement would get the one that came back.
  database = openDatabase({ ...options, poolSize: 1 })
  elsewhere = openDatabase({ ...options, poolSize: 1 })
  await elsewhere.pool.query('CREATE TABLE written (n int)')
})
afterAll(async () => {
  await Promise.all([database.close(), elsewhere.close()])
  await drop()
})

const seenElsewhere = async (): Promise<number[]> => {
  const { rows } = await elsewhere.pool.query<{ n: number }>('SELECT n FROM written ORDER BY n')
  return rows.map(({ n }) => n)
}

describe('a connection that comes back to the pool', () => {
  // What Prisma does when its ROLLBACK is not answered: nothing that follows would be committed.
  it('in the middle of a transaction is not used again, and takes nobody with it', async () => {
    const connection = await database.pool.connect()
    await connection.query('BEGIN')
    await connection.query('INSERT INTO written VALUES (1)')
    connection.release()
    await database.pool.query('INSERT INTO written VALUES (2)')
    expect(await seenElsewhere()).toEqual([2])
  })

  it('in a transaction that has failed is not used again', async () => {
    const connection = await database.pool.connect()
    await connection.query('BEGIN')
    await expect(connection.query('SELECT 1 / 0')).rejects.toThrow('division by zero')
    connection.release()
    await database.pool.query('INSERT INTO written VALUES (3)')
    expect(await seenElsewhere()).toContain(3)
  })

  it('with its work done is used again', async () => {
    const pidOf = async (by: Pick<Database['pool'], 'query'>): Promise<number> =>
      (await by.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
    const connection = await database.pool.connect()
    const pid = await pidOf(connection)
    await connection.query('BEGIN')
    await connection.query('COMMIT')
    connection.release()
    expect(await pidOf(database.pool)).toBe(pid)
  })
})
