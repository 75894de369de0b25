import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dumpDatabase } from '../../test/database-dump.ts'
import { expectProblem } from '../../test/expect-problem.ts'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'
import { walkPages } from '../../test/walk-pages.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
})
afterAll(() => sesame.close())

const remove = (by: TestTenant, userId: string, query: Record<string, string> = {}) =>
  by.call('DELETE', `/v1/users/${encodeURIComponent(userId)}/sessions`, { query })
const erase = (by: TestTenant, userId: string) => remove(by, userId, { erase: 'true' })
const verify = async (by: TestTenant, token: string) =>
  (await by.call('POST', '/v1/sessions/verify', { body: { token } })).body
const sessionsOf = (by: TestTenant, userId: string) =>
  walkPages(by, '/v1/sessions', { user_id: userId, status: 'all', limit: '100' })
const eventsOf = (by: TestTenant, query: Record<string, string> = {}) =>
  walkPages(by, '/v1/events', { ...query, limit: '100' })

/** Words that stand in what is known of one user, and nowhere else. */
const ADA = {
  user_id: 'ada@example.com',
  org_id: 'org-ada-secret',
  app_id: 'app-ada-secret',
  role: 'role-ada-secret',
  user_agent: 'agent-ada-secret',
  ip_address: '198.51.100.93',
  device: {
    id: 'device-ada-secret',
    name: 'name-ada-secret',
    os: 'os-ada-secret',
    browser: 'browser-ada-secret',
  },
  metadata: { 'key-ada-secret': 'value-ada-secret' },
}
const TRACES = ['ada@example.com', 'ada-secret', '198.51.100.93']

describe('DELETE /v1/users/{user_id}/sessions', () => {
  it('ends the sessions of the user and of nobody else, and says how many', async () => {
    tenant = await sesame.tenant()
    const tokens = [await tenant.session(ADA), await tenant.session(ADA)]
    const other = await tenant.session()
    const answer = await remove(tenant, ADA.user_id, { reason: 'left' })
    expect([answer.status, answer.body]).toEqual([200, { revoked: 2 }])
    for (const { access_token } of tokens)
      expect(await verify(tenant, access_token)).toEqual({
        valid: false,
        reason: 'session_revoked',
      })
    expect(await verify(tenant, other.access_token)).toMatchObject({ valid: true })
    expect((await remove(tenant, ADA.user_id)).body).toEqual({ revoked: 0 })
    const [session] = await sessionsOf(tenant, ADA.user_id)
    expect(session).toMatchObject({ user_agent: ADA.user_agent, revoke_reason: 'left' })
  })

  it.each([
    ['erase', 'yes'],
    ['erase', '1'],
    ['erased', 'true'],
    ['user_id', 'x'],
    ['reason', ''],
  ])('refuses %s=%s, and ends nothing', async (name, value) => {
    const own = await sesame.tenant()
    const { access_token } = await own.session(ADA)
    const answer = await remove(own, ADA.user_id, { [name]: value })
    expectProblem(answer, 'request_invalid', `query.${name}`)
    expect(await verify(own, access_token)).toMatchObject({ valid: true })
  })

  it('refuses an id that no user can have, and a key without the scope', async () => {
    const own = await sesame.tenant()
    expectProblem(await erase(own, 'a b'), 'request_invalid')
    const reader = await own.withKey({ scopes: ['sessions:read', 'sessions:verify'] })
    const answer = await reader.call('DELETE', '/v1/users/ada/sessions', {
      query: { erase: 'true' },
    })
    expectProblem(answer, 'scope_missing')
  })

  it('leaves the user of the same name of another tenant alone', async () => {
    const [own, other] = [await sesame.tenant(), await sesame.tenant()]
    await own.session({ user_id: 'same' })
    const { access_token, session } = await other.session({ user_id: 'same', user_agent: 'theirs' })
    expect((await erase(own, 'same')).body).toMatchObject({ revoked: 1, sessions_erased: 1 })
    expect(await verify(other, access_token)).toMatchObject({ valid: true })
    expect(await sessionsOf(other, 'same')).toMatchObject([
      { id: session.id, user_agent: 'theirs' },
    ])
    expect((await eventsOf(other, { user_id: 'same' })).length).toBe(1)
  })
})

describe('with erase=true', () => {
  it('no trace of the user is left in the database, but in the change log until it forgets', async () => {
    const own = await sesame.tenant()
    const ended = await own.session(ADA)
    await own.call('DELETE', `/v1/sessions/${ended.session.id}`, {
      query: { reason: 'for ada@example.com' },
    })
    await own.session(ADA)
    await own.call('DELETE', '/v1/sessions', {
      query: { user_id: ADA.user_id, reason: 'ada-secret' },
    })
    const stolen = await own.session(ADA)
    const refresh = (refresh_token: string, body = {}) =>
      own.call('POST', '/v1/sessions/refresh', { body: { refresh_token, ...body } })
    await refresh((await refresh(stolen.refresh_token)).body.refresh_token)
    await refresh(stolen.refresh_token, { ip_address: ADA.ip_address })
    const living = [await own.session(ADA), await own.session(ADA)]
    await own.call('PATCH', `/v1/sessions/${living[0].session.id}`, {
      body: { metadata: { again: 'ada-secret' } },
    })
    const { pool } = sesame.node.database
    const tracesIn = async () => {
      const found: string[] = []
      for (const [table, rows] of await dumpDatabase(pool))
        for (const row of rows.filter(text => text.includes(own.id)))
          if (TRACES.some(trace => row.includes(trace))) found.push(`${table} ${row}`)
      return found
    }
    expect((await tracesIn()).length).toBeGreaterThan(10)

    const { status, body } = await erase(own, ADA.user_id)
    expect(status).toBe(200)
    expect(body).toEqual({
      object: 'erasure',
      id: expect.stringMatching(/^ers_/),
      status: 'completed',
      revoked: 2,
      sessions_erased: 5,
      events_erased: 10,
    })
    for (const { access_token, refresh_token } of [ended, ...living]) {
      expect(await verify(own, access_token)).toEqual({ valid: false, reason: 'session_revoked' })
      expect((await refresh(refresh_token)).status).toBe(401)
    }
    // Who verifies by itself must still learn whose tokens are over, and the log holds the reasons.
    const left = await tracesIn()
    expect(left.every(row => row.startsWith('tenant_changes '))).toBe(true)
    await pool.query(
      `UPDATE tenant_changes SET forget_after = now() - interval '3 hours' WHERE tenant_id = $1`,
      [own.id],
    )
    await sesame.node.services.followers.settled()
    sesame.node.services.worker.start({ sweeps: true })
    await expect.poll(tracesIn, { timeout: 15_000 }).toEqual([])
  })

  it('the trail stays readable and names nobody: one random tombstone, linked to nothing', async () => {
    const own = await sesame.tenant()
    const { session } = await own.session(ADA)
    await own.session({ user_id: 'bob' })
    await own.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: 'r' } })
    const { body } = await erase(own, ADA.user_id)
    const [last, ...trail] = (await eventsOf(own)).filter(({ type }) => /session|user/.test(type))
    const tombstone = trail[0]?.user_id
    expect(tombstone).toMatch(/^erased_[0-9a-f]{32}$/)
    expect(
      [...trail].map(({ type, session_id, user_id, data }) => [type, session_id, user_id, data]),
    ).toEqual([
      ['sessions.revoked', null, tombstone, { revoked: 1 }],
      ['session.updated', tombstone, tombstone, { changed: ['role'] }],
      ['session.created', expect.stringMatching(/^ses_/), 'bob', {}],
      ['session.created', tombstone, tombstone, {}],
    ])
    expect(last).toMatchObject({
      type: 'user.erased',
      session_id: null,
      user_id: null,
      data: { erasure_id: body.id, revoked: 1, sessions_erased: 1, events_erased: 3 },
    })
    // The row that still refuses the token has another name, or it would lead to the tombstone.
    const { rows } = await sesame.node.database.pool.query(
      'SELECT user_id FROM sessions WHERE tenant_id = $1 AND id = $2',
      [own.id, session.id],
    )
    expect(rows[0].user_id).toMatch(/^erased_/)
    expect(rows[0].user_id).not.toBe(tombstone)
    const again = await sesame.tenant()
    await again.session(ADA)
    await erase(again, ADA.user_id)
    const [other] = await eventsOf(again, { type: 'session.created' })
    expect(other?.user_id).not.toBe(tombstone)
  })

  it('counts nothing twice when it is repeated, and knows users that never were', async () => {
    const own = await sesame.tenant()
    await own.session(ADA)
    expect((await erase(own, ADA.user_id)).body).toMatchObject({ revoked: 1, sessions_erased: 1 })
    for (const userId of [ADA.user_id, 'nobody'])
      expect(await erase(own, userId)).toMatchObject({
        status: 200,
        body: { status: 'completed', revoked: 0, sessions_erased: 0, events_erased: 0 },
      })
  })

  it('the user can sign in again, and that session is whole', async () => {
    const own = await sesame.tenant()
    await own.session(ADA)
    await erase(own, ADA.user_id)
    const { session, access_token } = await own.session(ADA)
    expect(await verify(own, access_token)).toMatchObject({ valid: true, user_id: ADA.user_id })
    expect(await sessionsOf(own, ADA.user_id)).toMatchObject([
      { id: session.id, status: 'active', user_agent: ADA.user_agent },
    ])
    expect(await eventsOf(own, { user_id: ADA.user_id })).toMatchObject([
      { type: 'session.created', session_id: session.id },
    ])
  })

  it('each session counts once when erasures and sign-ins run at the same time', async () => {
    const own = await sesame.tenant()
    const made = await Promise.all(Array.from({ length: 40 }, () => own.session(ADA)))
    const [first, second, ...later] = await Promise.all([
      erase(own, ADA.user_id),
      erase(own, ADA.user_id),
      ...Array.from({ length: 40 }, () => own.session(ADA)),
    ])
    const living = await sessionsOf(own, ADA.user_id)
    const sum = (name: string) => first.body[name] + second.body[name]
    expect(living.every(({ status }) => status === 'active')).toBe(true)
    expect(sum('sessions_erased')).toBe(made.length + later.length - living.length)
    expect(sum('revoked')).toBe(sum('sessions_erased'))
    const alive = new Set(living.map(({ id }) => id))
    for (const { session, access_token } of later) {
      const { valid } = await verify(own, access_token)
      expect(valid).toBe(alive.has(session.id))
    }
    const named = await eventsOf(own, { user_id: ADA.user_id, type: 'session.created' })
    expect(named.map(event => event.session_id).toSorted()).toEqual([...alive].toSorted())
  })
})
