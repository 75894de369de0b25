import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

const SESSIONS = 2_000
const CALLS = 20
/**
 * Of the table, by any index or none: a plan that is wrong reads all. Each needs fewer than ten, but a
 * connection may tell late what it has read, and then it counts for the next.
 */
const MOST_ROWS_A_CALL = 100

let sesame: TestApp
let tenant: TestTenant
/** How many rows had been read before. */
let before: number
/** Of its users each may have one session. */
let limited: TestTenant
let sessions: { id: string; refreshToken: string }[]

/** A service as it is in its first minute: thousands of sessions, and Postgres has not looked at them. */
beforeAll(async () => {
  sesame = await createTestApp()
  await sql('ALTER TABLE sessions SET (autovacuum_enabled = false)')
  tenant = await sesame.tenant({ settings: { rate_limit_per_second: 1_000_000 } })
  limited = await sesame.tenant({ settings: { max_sessions_per_user: 1 } })
  sessions = []
  for (let n = 0; n < CALLS; n++) {
    const { session, refresh_token } = await tenant.session({ user_id: `usr_${n}` })
    sessions.push({ id: session.id, refreshToken: refresh_token })
  }
  const { session } = await limited.session({ user_id: 'usr_0' })
  for (const id of [sessions[0]?.id, session.id]) await copy(id)
  before = await rowsRead()
})
afterAll(() => sesame.close())

const copy = (id: string) =>
  sql(
    `INSERT INTO sessions SELECT (jsonb_populate_record(session, jsonb_build_object(
       'id', 'ses_' || lpad(n::text, 26, '0'), 'user_id', 'other_' || n))).*
     FROM sessions AS session, generate_series(1, $1::int) AS n WHERE session.id = $2`,
    [SESSIONS, id],
  )

const sql = (text: string, values: unknown[] = []) => sesame.node.database.pool.query(text, values)

/** How many rows of the table were read, by all connections, once they have told. */
async function rowsRead(): Promise<number> {
  const read = async () => {
    await sql('SELECT pg_stat_force_next_flush()')
    const { rows } = await sql(
      `SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'sessions')
         + sum(idx_tup_read) AS read FROM pg_stat_user_indexes WHERE relname = 'sessions'`,
    )
    return Number(rows[0].read)
  }
  // A connection tells a second after its statement at the latest, when it is used again.
  await sleep(1_100)
  for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 10 }, () => sql('SELECT 1')))
  return read()
}

describe('while Postgres has no statistics, as few rows are read as are needed', () => {
  const calls: [name: string, call: (n: number) => Promise<{ status: number }>][] = [
    ['refresh', n => refresh(n)],
    ['a refresh that is repeated', n => refresh(n)],
    ['update', n => tenant.call('PATCH', pathOf(n), { body: { role: 'admin' } })],
    ['get', n => tenant.call('GET', pathOf(n))],
    ['list of a user', n => list({ user_id: `usr_${n}` })],
    ['list of five', () => list({ limit: '5' })],
    ['sign-in of a user who may have one session', n => signIn(n)],
    ['revoke', n => tenant.call('DELETE', pathOf(n))],
    [
      'bulk revoke of a user',
      n => tenant.call('DELETE', '/v1/sessions', { query: { user_id: `other_${n + 1}` } }),
    ],
    ['list of a user, revoked', n => list({ user_id: `usr_${n}`, status: 'revoked' })],
  ]
  const pathOf = (n: number) => `/v1/sessions/${sessions[n]?.id}`
  const signIn = (n: number) =>
    limited.call('POST', '/v1/sessions', { body: { user_id: `usr_${n}` } })
  const list = (query: Record<string, string>) => tenant.call('GET', '/v1/sessions', { query })
  const refresh = (n: number) =>
    tenant.call('POST', '/v1/sessions/refresh', {
      body: { refresh_token: sessions[n]?.refreshToken },
    })

  it.each(calls)('%s', async (_, call) => {
    for (let n = 0; n < CALLS; n++) expect((await call(n)).status).toBeLessThan(300)
    const after = await rowsRead()
    const read = after - before
    before = after
    expect(read).toBeGreaterThan(0)
    expect(read / CALLS).toBeLessThanOrEqual(MOST_ROWS_A_CALL)
  })
})
