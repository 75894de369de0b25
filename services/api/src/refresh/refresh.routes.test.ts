import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { type Caller, createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

const refresh = (token: unknown, by: Caller = tenant) =>
  by.call('POST', '/v1/sessions/refresh', { body: { refresh_token: token } })
const isValid = async (token: string): Promise<boolean> =>
  (await tenant.call('POST', '/v1/sessions/verify', { body: { token } })).body.valid
const eventsOf = async (session_id: string) =>
  (await tenant.call('GET', '/v1/events', { query: { session_id } })).body.data

describe('POST /v1/sessions/refresh', () => {
  it('answers as a sign-in does, with new tokens of the same session', async () => {
    const created = await tenant.session({ role: 'member', org_id: 'o1' })
    await tenant.call('PATCH', `/v1/sessions/${created.session.id}`, { body: { role: 'owner' } })
    sesame.node.clock.advanceSeconds(2)
    const { status, body } = await refresh(created.refresh_token)
    expect(status).toBe(200)
    expect(Object.keys(body).toSorted()).toEqual(Object.keys(created).toSorted())
    expect(body).toMatchObject({
      token_type: 'Bearer',
      expires_in: 900,
      session: { id: created.session.id, role: 'owner', status: 'active' },
    })
    expect(body.access_token).not.toBe(created.access_token)
    expect(body.refresh_token).not.toBe(created.refresh_token)
    const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
    expect(claims.role).toBe('owner')
    expect([await isValid(created.access_token), await isValid(body.access_token)]).toEqual([
      true,
      true,
    ])
  })

  it('moves the time at which the session was last active', async () => {
    const { session, refresh_token } = await tenant.session()
    sesame.node.clock.advanceSeconds(300)
    const { body } = await refresh(refresh_token)
    const movedMs = Date.parse(body.session.last_active_at) - Date.parse(session.last_active_at)
    expect(movedMs).toBeGreaterThanOrEqual(300_000)
  })

  it('gives a repeated request the same tokens, until they are used', async () => {
    const { refresh_token } = await tenant.session()
    const [first, second] = await Promise.all([refresh(refresh_token), refresh(refresh_token)])
    expect(second.body).toEqual(first.body)
    expect((await refresh(refresh_token)).body).toEqual(first.body)
  })

  it('takes an older token for theft: the session ends, for both, with an event', async () => {
    const { session, refresh_token, access_token } = await tenant.session()
    const next = (await refresh(refresh_token)).body
    const newest = (await refresh(next.refresh_token)).body
    expectProblem(await refresh(refresh_token), 'refresh_token_reuse')
    expect((await refresh(newest.refresh_token)).status).toBe(401)
    for (const token of [access_token, next.access_token, newest.access_token])
      expect(await isValid(token)).toBe(false)
    const read = (await tenant.call('GET', `/v1/sessions/${session.id}`)).body
    expect(read).toMatchObject({ status: 'revoked', revoke_reason: 'refresh_token_reuse' })
    const trail = await eventsOf(session.id)
    expect(JSON.stringify(trail)).not.toMatch(/rt_/)
    expect(JSON.stringify(trail)).toContain('reuse')
  })

  it('takes the token one step behind for theft once the grace is over', async () => {
    const { refresh_token } = await tenant.session()
    await refresh(refresh_token)
    sesame.node.clock.advanceSeconds(11)
    expectProblem(await refresh(refresh_token), 'refresh_token_reuse')
  })

  it('refuses the token of a session that was revoked or has expired', async () => {
    const revoked = await tenant.session()
    await tenant.call('DELETE', `/v1/sessions/${revoked.session.id}`)
    expectProblem(await refresh(revoked.refresh_token), 'refresh_token_invalid')
    const bulk = await tenant.session({ user_id: 'bulk' })
    await tenant.call('DELETE', '/v1/sessions', { query: { user_id: 'bulk' } })
    expectProblem(await refresh(bulk.refresh_token), 'refresh_token_invalid')
    const expired = await tenant.session({ expires_in: 30 })
    sesame.node.clock.advanceSeconds(31)
    expectProblem(await refresh(expired.refresh_token), 'refresh_token_invalid')
  })

  it('gives one answer to every token that is none', async () => {
    const other = await sesame.tenant()
    const { refresh_token, access_token } = await tenant.session()
    const foreign = (await other.session()).refresh_token
    const wrong = [
      '',
      'x',
      'rt_',
      foreign,
      access_token.slice(0, 512),
      tenant.secret,
      refresh_token.slice(0, -1),
      `${refresh_token.slice(0, -1)}${refresh_token.endsWith('A') ? 'B' : 'A'}`,
      `${refresh_token}\n`,
    ]
    for (const token of wrong) expectProblem(await refresh(token), 'refresh_token_invalid')
    expect((await refresh(refresh_token)).status).toBe(200)
    expect((await refresh(foreign, other)).status).toBe(200)
  })

  it.each([
    ['no token', {}, 'refresh_token'],
    ['a number', { refresh_token: 7 }, 'refresh_token'],
    ['a list', { refresh_token: ['x'] }, 'refresh_token'],
    ['a token of 8 KB', { refresh_token: 'x'.repeat(8_193) }, 'refresh_token'],
    ['an unknown field', { refresh_token: 'x', scope: 'y' }, 'scope'],
  ])('refuses %s', async (_, body, field) => {
    const answer = await tenant.call('POST', '/v1/sessions/refresh', { body })
    expectProblem(answer, 'request_invalid', field)
  })

  it('needs a key, unless the tenant lets the public refresh', async () => {
    const { refresh_token } = await tenant.session()
    expectProblem(await refresh(refresh_token, sesame.anonymous), 'api_key_invalid')
    const open = await sesame.tenant({ settings: { public_refresh: true } })
    const created = await open.session()
    const answer = await refresh(created.refresh_token, sesame.anonymous)
    expect([answer.status, answer.body.session.id]).toEqual([200, created.session.id])
    // A key that is sent must be good all the same.
    expectProblem(
      await refresh(answer.body.refresh_token, sesame.with('sk_live_x')),
      'api_key_invalid',
    )
    expectProblem(await refresh(answer.body.refresh_token, tenant), 'refresh_token_invalid')
    expect((await refresh(answer.body.refresh_token, sesame.anonymous)).status).toBe(200)
  })

  it('is not replayed for an Idempotency-Key: an old answer would outlive the session', async () => {
    const { session, refresh_token } = await tenant.session()
    const call = { headers: { 'idempotency-key': 'again' }, body: { refresh_token } }
    expect((await tenant.call('POST', '/v1/sessions/refresh', call)).status).toBe(200)
    await tenant.call('DELETE', `/v1/sessions/${session.id}`)
    const again = await tenant.call('POST', '/v1/sessions/refresh', call)
    expectProblem(again, 'refresh_token_invalid')
  })
})
