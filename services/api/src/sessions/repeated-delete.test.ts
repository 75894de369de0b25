import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { type Answer, createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let tenant: TestTenant
let headers: Record<string, string>

beforeAll(async () => {
  sesame = await createTestApp()
})
afterAll(() => sesame.close())
beforeEach(async () => {
  tenant = await sesame.tenant()
  headers = { 'idempotency-key': randomUUID() }
})

const statusOf = async ({ id }: { id: string }): Promise<string> =>
  (await tenant.call('GET', `/v1/sessions/${id}`)).body.status
const eventsOf = async (type: string): Promise<unknown[]> =>
  (await tenant.call('GET', '/v1/events', { query: { type } })).body.data

type Query = Record<string, string>
const BULK: [string, string, Query, object][] = [
  ['a bulk revoke', '/v1/sessions', { user_id: 'ada' }, { revoked: 2 }],
  ['a revoke of all of the tenant', '/v1/sessions', {}, { revoked: 2 }],
  ['a revoke of a user', '/v1/users/ada/sessions', { reason: 'left' }, { revoked: 2 }],
  ['an erasure', '/v1/users/ada/sessions', { erase: 'true' }, { revoked: 2, sessions_erased: 2 }],
]

describe.each(BULK)('%s that is repeated with its Idempotency-Key', (_, path, query, counts) => {
  const remove = (): Promise<Answer> => tenant.call('DELETE', path, { query, headers })

  it('gets the first answer, and leaves the sessions alone that began in between', async () => {
    for (let n = 0; n < 2; n++) await tenant.session({ user_id: 'ada' })
    const first = await remove()
    expect([first.status, first.body]).toMatchObject([200, counts])
    const { session, access_token } = await tenant.session({ user_id: 'ada' })
    const again = await remove()
    expect([again.status, again.body]).toEqual([200, first.body])
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(await statusOf(session)).toBe('active')
    const verified = await tenant.call('POST', '/v1/sessions/verify', {
      body: { token: access_token },
    })
    expect(verified.body).toMatchObject({ valid: true, user_id: 'ada' })
  })

  it('twenty times at once is done once, and gets one answer', async () => {
    for (let n = 0; n < 2; n++) await tenant.session({ user_id: 'ada' })
    const answers = await Promise.all(Array.from({ length: 20 }, remove))
    expect(
      new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size,
    ).toBe(1)
    expect(answers[0]?.body).toMatchObject(counts)
    expect(await eventsOf('sessions.revoked')).toHaveLength(1)
  })
})

it('with a new key it is done again', async () => {
  const remove = (key: string) =>
    tenant.call('DELETE', '/v1/sessions', { headers: { 'idempotency-key': key } })
  for (const key of ['one', 'two']) {
    await tenant.session()
    expect((await remove(key)).body).toEqual({ revoked: 1 })
  }
})

describe('the same key for anything else is a conflict, and ends nothing:', () => {
  it.each([
    ['another user', 'DELETE', '/v1/sessions', { user_id: 'bob' }],
    ['one filter less', 'DELETE', '/v1/sessions', {}],
    ['one filter more', 'DELETE', '/v1/sessions', { user_id: 'ada', org_id: 'acme' }],
    ['only counting', 'DELETE', '/v1/sessions', { user_id: 'ada', dry_run: 'true' }],
    ['another path', 'DELETE', '/v1/users/ada/sessions', {}],
    ['an erasure', 'DELETE', '/v1/users/ada/sessions', { erase: 'true' }],
    ['a body', 'DELETE', '/v1/sessions', { user_id: 'ada' }, {}],
    ['a POST', 'POST', '/v1/sessions', {}, { user_id: 'ada' }],
  ] as [string, string, string, Query, object?][])('%s', async (_, method, path, query, body) => {
    const first = { query: { user_id: 'ada' }, headers }
    expect((await tenant.call('DELETE', '/v1/sessions', first)).status).toBe(200)
    const living = [await tenant.session({ user_id: 'ada' }), await tenant.session()]
    const call = { query, headers, ...(body !== undefined && { body }) }
    expectProblem(await tenant.call(method, path, call), 'idempotency_conflict')
    for (const { session } of living) expect(await statusOf(session)).toBe('active')
  })
})

it('an erasure that goes on is answered 202 again, and the worker ends it once', async () => {
  const { session } = await tenant.session({ user_id: 'ada' })
  const { clock, database, services } = sesame.node
  const erase = () =>
    tenant.call('DELETE', '/v1/users/ada/sessions', { query: { erase: 'true' }, headers })
  // Somebody holds a row, so that there is always something left to erase.
  const holder = await database.pool.connect()
  const later = vi.spyOn(clock, 'monotonicMs')
  try {
    await holder.query('BEGIN')
    await holder.query('SELECT 1 FROM sessions WHERE tenant_id = $1 AND id = $2 FOR UPDATE', [
      tenant.id,
      session.id,
    ])
    const erasing = erase()
    const open = 'SELECT 1 FROM erasures WHERE tenant_id = $1'
    const isOpen = async () => (await database.pool.query(open, [tenant.id])).rowCount
    await expect.poll(isOpen).toBe(1)
    later.mockImplementation(() => performance.now() + 5_000)
    const first = await erasing
    expect([first.status, first.body]).toMatchObject([202, { status: 'running' }])
    const { session: fresh } = await tenant.session({ user_id: 'ada' })
    const again = await erase()
    expect([again.status, again.body]).toEqual([202, first.body])
    await holder.query('COMMIT')
    await database.pool.query(
      `UPDATE erasures SET progressed_at = now() - interval '1 minute' WHERE tenant_id = $1`,
      [tenant.id],
    )
    // The rows that follow the revoke may be held for a moment more.
    const finish = async () => {
      await services.erasures.finishAll(() => false)
      return isOpen()
    }
    await expect.poll(finish).toBe(0)
    expect(await eventsOf('user.erased')).toMatchObject([
      { data: { erasure_id: first.body.id, revoked: 1, sessions_erased: 1 } },
    ])
    expect((await erase()).body).toEqual(first.body)
    expect(await statusOf(fresh)).toBe('active')
  } finally {
    later.mockRestore()
    holder.release()
  }
})

it('a single DELETE takes the header and needs none: it is the same when it is done twice', async () => {
  const [first, second] = [await tenant.session(), await tenant.session()]
  for (const { session } of [first, second]) {
    const { status } = await tenant.call('DELETE', `/v1/sessions/${session.id}`, { headers })
    expect([status, await statusOf(session)]).toEqual([204, 'revoked'])
  }
})

it('a key that is none is refused, and ends nothing', async () => {
  const { session } = await tenant.session()
  const call = { headers: { 'idempotency-key': 'two words' } }
  const answer = await tenant.call('DELETE', '/v1/sessions', call)
  expectProblem(answer, 'request_invalid', 'header.idempotency-key')
  expect(await statusOf(session)).toBe('active')
})
