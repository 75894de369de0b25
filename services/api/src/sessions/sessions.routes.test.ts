import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'
import { walkPages } from '../../test/walk-pages.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const CHROME =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) ' +
  'Chrome/131.0.0.0 Safari/537.36'
const UNKNOWN_ID = 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5'

const create = (body: unknown) => tenant.call('POST', '/v1/sessions', { body })
const get = (id: string) => tenant.call('GET', `/v1/sessions/${id}`)
const patch = (id: string, body: unknown) => tenant.call('PATCH', `/v1/sessions/${id}`, { body })
const end = (id: string, query?: Record<string, string>) =>
  tenant.call('DELETE', `/v1/sessions/${id}`, { ...(query && { query }) })
const list = (query: Record<string, string>) => tenant.call('GET', '/v1/sessions', { query })
const eventsOf = async (id: string) =>
  (await tenant.call('GET', '/v1/events', { query: { session_id: id } })).body.data

it('creates a session, verifies its token, revokes it, and refuses the token', async () => {
  const created = await create({
    user_id: 'usr_1',
    amr: ['pwd', 'otp'],
    metadata: { plan: 'pro' },
  })
  expect(created.status).toBe(201)
  expect(created.body).toMatchObject({
    token_type: 'Bearer',
    expires_in: 900,
    session: { object: 'session', status: 'active', mfa_verified: true, tenant_id: tenant.id },
  })
  const { session, access_token: token } = created.body
  const verify = () => tenant.call('POST', '/v1/sessions/verify', { body: { token } })
  expect((await verify()).body).toMatchObject({ valid: true, session_id: session.id })
  const revoked = await end(session.id, { reason: 'signed_out' })
  expect(revoked.status).toBe(204)
  expect((await verify()).body).toEqual({ valid: false, reason: 'session_revoked' })
  expect((await get(session.id)).body).toMatchObject({
    status: 'revoked',
    revoke_reason: 'signed_out',
  })
})

describe('POST /v1/sessions', () => {
  it('answers with every field of a session, and the same is read afterwards', async () => {
    const { status, headers, body } = await create({
      user_id: 'usr_7',
      org_id: 'org_7',
      app_id: 'web',
      role: 'admin',
      amr: ['pwd', 'otp'],
      user_agent: CHROME,
      ip_address: '203.0.113.42',
      device: { id: 'dev_7', name: 'My Mac' },
      metadata: { plan: 'pro', naïve: 'ünï ✓' },
      expires_in: 3600,
    })
    expect(status).toBe(201)
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(headers['cache-control']).toBe('no-store')
    expect(Object.keys(body).toSorted()).toEqual([
      'access_token',
      'expires_in',
      'refresh_token',
      'session',
      'token_type',
    ])
    expect(body.refresh_token).toMatch(/^rt_[\w.-]+$/)
    const { session } = body
    expect(session).toEqual({
      object: 'session',
      id: expect.stringMatching(/^ses_[0-9A-HJKMNP-TV-Z]{26}$/),
      user_id: 'usr_7',
      tenant_id: tenant.id,
      org_id: 'org_7',
      app_id: 'web',
      role: 'admin',
      status: 'active',
      amr: ['pwd', 'otp'],
      mfa_verified: true,
      auth_time: expect.stringMatching(INSTANT),
      user_agent: CHROME,
      ip_address: '203.0.113.42',
      country: null,
      location: null,
      device: { id: 'dev_7', name: 'My Mac', type: 'desktop', os: 'macOS', browser: 'Chrome' },
      device_type: 'desktop',
      metadata: { plan: 'pro', naïve: 'ünï ✓' },
      created_at: expect.stringMatching(INSTANT),
      last_active_at: expect.stringMatching(INSTANT),
      expires_at: expect.stringMatching(INSTANT),
      revoked_at: null,
      revoked_by: null,
      revoke_reason: null,
    })
    expect(Date.parse(session.expires_at) - Date.parse(session.created_at)).toBe(3_600_000)
    expect((await get(session.id)).body).toEqual(session)
  })

  it('needs no more than a user, and says null where nothing is known', async () => {
    const { session } = (await create({ user_id: 'usr_8' })).body
    expect(session).toMatchObject({
      org_id: null,
      app_id: null,
      role: null,
      amr: [],
      mfa_verified: false,
      user_agent: null,
      ip_address: null,
      country: null,
      location: null,
      device: { id: null, type: 'other', os: null, browser: null },
      device_type: 'other',
      metadata: {},
    })
    expect(Date.parse(session.expires_at) - Date.parse(session.created_at)).toBe(2_592_000_000)
  })

  it('takes null for whatever may be left out', async () => {
    const nulls = { org_id: null, app_id: null, role: null, user_agent: null, ip_address: null }
    const { status, body } = await create({ user_id: 'u', ...nulls, device: null })
    expect(status).toBe(201)
    expect(body.session).toMatchObject(nulls)
  })

  it('writes an IPv6 address in its one short form', async () => {
    const given = '2001:0DB8:0000:0000:0000:0000:0000:0001'
    const { session } = (await create({ user_id: 'u', ip_address: given })).body
    expect(session.ip_address).toBe('2001:db8::1')
  })

  it('gives ids that sort by creation', async () => {
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.push((await tenant.session()).session.id)
    expect(ids.toSorted()).toEqual(ids)
  })

  it('lets no token live longer than its session', async () => {
    const { body } = await create({ user_id: 'u', expires_in: 40 })
    expect(body.expires_in).toBeGreaterThanOrEqual(39)
    expect(body.expires_in).toBeLessThanOrEqual(40)
  })

  it.each([
    ['nothing', {}, 'user_id'],
    ['a user that is a number', { user_id: 123 }, 'user_id'],
    ['a user that is null', { user_id: null }, 'user_id'],
    ['a user that is a list', { user_id: ['a'] }, 'user_id'],
    ['an empty user', { user_id: '' }, 'user_id'],
    ['a user of 129 characters', { user_id: 'u'.repeat(129) }, 'user_id'],
    ['a user with a space', { user_id: 'a b' }, 'user_id'],
    ['a user with a newline at the end', { user_id: 'a\n' }, 'user_id'],
    ['an organisation with a slash', { user_id: 'u', org_id: 'a/b' }, 'org_id'],
    ['an app with a quote', { user_id: 'u', app_id: "a'b" }, 'app_id'],
    ['a role with a space', { user_id: 'u', role: 'a b' }, 'role'],
    ['a method twice', { user_id: 'u', amr: ['pwd', 'pwd'] }, 'amr'],
    ['methods that are no list', { user_id: 'u', amr: 'pwd' }, 'amr'],
    ['17 methods', { user_id: 'u', amr: Array.from({ length: 17 }, (_, n) => `m${n}`) }, 'amr'],
    ['a name for an address', { user_id: 'u', ip_address: 'localhost' }, 'ip_address'],
    ['a broken address', { user_id: 'u', ip_address: '1.2.3.256' }, 'ip_address'],
    ['a user agent over 8 KB', { user_id: 'u', user_agent: 'x'.repeat(8193) }, 'user_agent'],
    ['an unknown device type', { user_id: 'u', device: { type: 'fridge' } }, 'device.type'],
    ['a metadata number', { user_id: 'u', metadata: { a: 1 } }, 'metadata.a'],
    ['nested metadata', { user_id: 'u', metadata: { a: { b: 'c' } } }, 'metadata.a'],
    ['a lifetime of zero', { user_id: 'u', expires_in: 0 }, 'expires_in'],
    ['a lifetime in text', { user_id: 'u', expires_in: '60' }, 'expires_in'],
    ['half a second', { user_id: 'u', expires_in: 1.5 }, 'expires_in'],
    ['a lifetime over a year', { user_id: 'u', expires_in: 31_622_401 }, 'expires_in'],
    ['a misspelt field', { user_id: 'u', expire_in: 60 }, 'expire_in'],
    ['its own status', { user_id: 'u', status: 'active' }, 'status'],
    ['its own tenant', { user_id: 'u', tenant_id: 'tnt_1' }, 'tenant_id'],
    ['its own id', { user_id: 'u', id: UNKNOWN_ID }, 'id'],
    ['its own creation', { user_id: 'u', created_at: '2026-01-01T00:00:00.000Z' }, 'created_at'],
  ])('refuses %s, and names the field', async (_, body, field) => {
    expectProblem(await create(body), 'request_invalid', field)
  })

  it('names every wrong field at once', async () => {
    const answer = await create({ user_id: '', role: 7, colour: 'red' })
    expectProblem(answer, 'request_invalid', 'user_id', 'role', 'colour')
  })

  describe('metadata', () => {
    const keys = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']))
    const ofBytes = (bytes: number) => ({ k: 'x'.repeat(bytes - '{"k":""}'.length) })

    it('may have 50 keys, not 51', async () => {
      const { status, body } = await create({ user_id: 'u', metadata: keys(50) })
      expect(status).toBe(201)
      expect((await get(body.session.id)).body.metadata).toEqual(keys(50))
      expectProblem(
        await create({ user_id: 'u', metadata: keys(51) }),
        'request_invalid',
        'metadata',
      )
      expectProblem(await patch(body.session.id, { metadata: keys(51) }), 'request_invalid')
    })

    it('may have 4 KB, counted in bytes, not one more', async () => {
      const { status, body } = await create({ user_id: 'u', metadata: ofBytes(4096) })
      expect(status).toBe(201)
      const tooMuch = await create({ user_id: 'u', metadata: ofBytes(4097) })
      expectProblem(tooMuch, 'request_invalid', 'metadata')
      const wide = await create({ user_id: 'u', metadata: { k: '✓'.repeat(1400) } })
      expectProblem(wide, 'request_invalid', 'metadata')
      const patched = await patch(body.session.id, { metadata: ofBytes(4097) })
      expectProblem(patched, 'request_invalid', 'metadata')
    })

    it('may have 50 keys that take 4 KB together', async () => {
      const metadata = Object.fromEntries(
        Array.from({ length: 50 }, (_, n) => [`key-${n}`.padEnd(30, 'x'), 'y'.repeat(45)]),
      )
      expect((await create({ user_id: 'u', metadata })).status).toBe(201)
    })

    it('refuses a name that is empty, or longer than 64 characters', async () => {
      for (const name of ['', 'n'.repeat(65)]) {
        const answer = await create({ user_id: 'u', metadata: { [name]: 'v' } })
        expect([answer.status, answer.body.code]).toEqual([400, 'request_invalid'])
      }
      expect((await create({ user_id: 'u', metadata: { ['n'.repeat(64)]: 'v' } })).status).toBe(201)
    })

    it('keeps names that mean something elsewhere', async () => {
      const metadata = { constructor: 'a', toString: 'b', hasOwnProperty: 'c', length: 'd' }
      const { body } = await create({ user_id: 'u', metadata })
      expect((await get(body.session.id)).body.metadata).toEqual(metadata)
    })
  })
})

describe('GET /v1/sessions/{id}', () => {
  it.each([
    ['an id that never was', UNKNOWN_ID],
    ['an id of another kind', 'key_01K3Z8Q5V7M2N4P6R8S0T1W3X5'],
    ['a lower-case id', UNKNOWN_ID.toLowerCase()],
    ['no id at all', 'x'],
    ['an id with NUL encoded twice', `${UNKNOWN_ID}%2500`],
    ['a path upwards', '%2e%2e%2ftenants'],
  ])('answers 404 for %s', async (_, id) => {
    expectProblem(await get(id), 'session_not_found')
    expectProblem(await end(id), 'session_not_found')
    expectProblem(await patch(id, { role: 'x' }), 'session_not_found')
  })

  it('answers an id of 10 KB as one that is too long', async () => {
    expectProblem(await get('x'.repeat(10_240)), 'uri_too_long')
    expectProblem(await get('x'.repeat(1000)), 'uri_too_long')
  })

  it('takes no parameter', async () => {
    const { session } = await tenant.session()
    const answer = await tenant.call('GET', `/v1/sessions/${session.id}`, { query: { a: 'b' } })
    expectProblem(answer, 'request_invalid', 'query.a')
  })

  it('says that a session has expired at the very moment it does', async () => {
    const { session, access_token: token } = await tenant.session({ expires_in: 120 })
    const verify = () => tenant.call('POST', '/v1/sessions/verify', { body: { token } })
    sesame.node.clock.advanceSeconds(118)
    expect((await get(session.id)).body.status).toBe('active')
    expect((await verify()).body.valid).toBe(true)
    sesame.node.clock.advanceSeconds(3)
    expect((await get(session.id)).body).toMatchObject({ status: 'expired', revoked_at: null })
    expect((await verify()).body).toEqual({ valid: false, reason: 'expired' })
    expectProblem(await patch(session.id, { role: 'x' }), 'session_not_active')
    expect((await end(session.id)).status).toBe(204)
    expect((await get(session.id)).body.status).toBe('expired')
    expect((await eventsOf(session.id)).map((event: { type: string }) => event.type)).toEqual([
      'session.created',
    ])
  })
})

describe('PATCH /v1/sessions/{id}', () => {
  it('changes role, organisation and metadata, and nothing else', async () => {
    const { session, access_token: token } = await tenant.session({
      role: 'member',
      org_id: 'o1',
      metadata: { a: '1', b: '2' },
    })
    const changed = await patch(session.id, { role: 'owner', org_id: 'o2', metadata: { c: '3' } })
    expect(changed.status).toBe(200)
    const expected = { ...session, role: 'owner', org_id: 'o2', metadata: { c: '3' } }
    expect(changed.body).toEqual(expected)
    expect((await get(session.id)).body).toEqual(expected)
    const verified = await tenant.call('POST', '/v1/sessions/verify', { body: { token } })
    expect(verified.body).toMatchObject({ valid: true, role: 'owner', org_id: 'o2' })
  })

  it('leaves what is not named, and takes null away', async () => {
    const { session } = await tenant.session({ role: 'member', org_id: 'o1', metadata: { a: '1' } })
    const { body } = await patch(session.id, { role: null })
    expect(body).toEqual({ ...session, role: null })
    expect((await patch(session.id, { metadata: {} })).body).toEqual({
      ...body,
      metadata: {},
    })
  })

  it('tells the audit trail which fields changed, not what they hold', async () => {
    const { session } = await tenant.session()
    await patch(session.id, { role: 'hush', metadata: { secret: 'hush' } })
    const [event] = await eventsOf(session.id)
    expect(event).toMatchObject({ type: 'session.updated', user_id: 'usr_1' })
    expect(event.data).toEqual({ changed: ['metadata', 'role'] })
  })

  it.each([
    ['nothing', {}, 'body'],
    ['a status', { status: 'revoked' }, 'status'],
    ['a user', { user_id: 'u2' }, 'user_id'],
    ['an end', { expires_at: '2030-01-01T00:00:00.000Z' }, 'expires_at'],
    ['a revocation', { revoked_at: null }, 'revoked_at'],
    ['a role that is a list', { role: ['admin'] }, 'role'],
  ])('refuses %s', async (_, body, field) => {
    const { session } = await tenant.session()
    expectProblem(await patch(session.id, body), 'request_invalid', field)
    expect((await get(session.id)).body).toEqual(session)
  })

  it('refuses a session that was revoked', async () => {
    const { session } = await tenant.session()
    await end(session.id)
    expectProblem(await patch(session.id, { role: 'x' }), 'session_not_active')
  })
})

describe('DELETE /v1/sessions/{id}', () => {
  it('says who ended it, when and why, and writes one event', async () => {
    const { session } = await tenant.session()
    const key = await tenant.withKey({ scopes: ['sessions:write'] })
    const answer = await key.call('DELETE', `/v1/sessions/${session.id}`, {
      query: { reason: 'Stolen, 100 % sure: ünï' },
    })
    expect(answer.status).toBe(204)
    expect(answer.body).toBeNull()
    const read = (await get(session.id)).body
    expect(read).toEqual({
      ...session,
      status: 'revoked',
      revoked_at: expect.stringMatching(INSTANT),
      revoked_by: key.id,
      revoke_reason: 'Stolen, 100 % sure: ünï',
    })
    const [event] = await eventsOf(session.id)
    expect(event).toMatchObject({ type: 'session.revoked', actor: key.id, user_id: 'usr_1' })
    expect(event.data).toEqual({ reason: 'Stolen, 100 % sure: ünï' })
  })

  it('without an id ends nothing: it is not the route that ends all', async () => {
    const { session } = await tenant.session()
    expectProblem(await end(''), 'session_not_found')
    expectProblem(await tenant.call('DELETE', '/v1/sessions//'), 'route_not_found')
    expect((await get(session.id)).body.status).toBe('active')
  })

  it('again is 204, and changes neither the reason nor the trail', async () => {
    const { session } = await tenant.session()
    await end(session.id, { reason: 'first' })
    const before = (await get(session.id)).body
    expect((await end(session.id, { reason: 'second' })).status).toBe(204)
    expect((await get(session.id)).body).toEqual(before)
    expect(await eventsOf(session.id)).toHaveLength(2)
  })

  it('takes an empty body as many clients send it, and no other', async () => {
    const { session } = await tenant.session()
    const path = `/v1/sessions/${session.id}`
    expectProblem(await tenant.call('DELETE', path, { body: { reason: 'x' } }), 'request_invalid')
    expect((await get(session.id)).body.status).toBe('active')
    expect((await tenant.call('DELETE', path, { body: {} })).status).toBe(204)
  })

  it('refuses an unknown parameter, and a reason that is empty or too long', async () => {
    const { session } = await tenant.session()
    expectProblem(await end(session.id, { why: 'x' }), 'request_invalid', 'query.why')
    expectProblem(await end(session.id, { reason: '' }), 'request_invalid', 'query.reason')
    const long = { reason: 'x'.repeat(257) }
    expectProblem(await end(session.id, long), 'request_invalid', 'query.reason')
    expect((await get(session.id)).body.status).toBe('active')
  })
})

describe('GET /v1/sessions', () => {
  it('begins with the newest, 20 to a page, and shows each once', async () => {
    const created: string[] = []
    for (let n = 0; n < 43; n++)
      created.push((await tenant.session({ user_id: 'pager' })).session.id)
    const first = await list({ user_id: 'pager' })
    expect(first.status).toBe(200)
    expect(Object.keys(first.body).toSorted()).toEqual([
      'data',
      'has_more',
      'next_cursor',
      'object',
    ])
    expect(first.body).toMatchObject({ object: 'list', has_more: true })
    expect(first.body.data).toHaveLength(20)
    for (const limit of ['1', '20', '43', '100']) {
      const all = await walkPages(tenant, '/v1/sessions', { user_id: 'pager', limit })
      expect(all.map(session => session.id)).toEqual(created.toReversed())
    }
  })

  it('is an empty page where nothing matches', async () => {
    expect((await list({ user_id: 'nobody' })).body).toEqual({
      object: 'list',
      data: [],
      has_more: false,
      next_cursor: null,
    })
  })

  it('finds by user, organisation, app and device, alone and together', async () => {
    const facts = { user_id: 'f1', org_id: 'f-org', app_id: 'f-app', device: { id: 'f-dev' } }
    const { session } = await tenant.session(facts)
    await tenant.session({ user_id: 'f2', org_id: 'f-org' })
    await tenant.session({ user_id: 'f2', app_id: 'f-app' })
    const count = async (query: Record<string, string>) => (await list(query)).body.data.length
    expect(await count({ user_id: 'f1' })).toBe(1)
    expect(await count({ org_id: 'f-org' })).toBe(2)
    expect(await count({ app_id: 'f-app' })).toBe(2)
    expect(await count({ device_id: 'f-dev' })).toBe(1)
    expect(await count({ user_id: 'f2', app_id: 'f-app' })).toBe(1)
    expect(await count({ user_id: 'f1', device_id: 'other' })).toBe(0)
    const together = { user_id: 'f1', org_id: 'f-org', app_id: 'f-app', device_id: 'f-dev' }
    expect((await list(together)).body.data).toEqual([session])
  })

  it('shows active sessions unless another status is asked for', async () => {
    const sessions = []
    for (const expires_in of [5000, 5000, 10])
      sessions.push((await tenant.session({ user_id: 'states', expires_in })).session.id)
    const [active, revoked, expired] = sessions
    await end(revoked)
    sesame.node.clock.advanceSeconds(11)
    const ids = async (status?: string) =>
      (await list({ user_id: 'states', ...(status && { status }) })).body.data.map(
        (session: { id: string }) => session.id,
      )
    expect(await ids()).toEqual([active])
    expect(await ids('active')).toEqual([active])
    expect(await ids('revoked')).toEqual([revoked])
    expect(await ids('expired')).toEqual([expired])
    expect(await ids('all')).toEqual([expired, revoked, active])
  })

  it.each([
    ['limit', '0'],
    ['limit', '101'],
    ['limit', '-1'],
    ['limit', '1e2'],
    ['limit', '1.0'],
    ['limit', '0x10'],
    ['limit', ' 5'],
    ['limit', '05'],
    ['limit', ''],
    ['limit', '99999999999999999999'],
    ['status', 'dead'],
    ['status', ''],
    ['user_id', ''],
    ['user_id', 'a b'],
    ['cursor', ''],
    ['usr_id', 'u'],
    ['userId', 'u'],
    ['offset', '5'],
    ['__proto__', 'x'],
  ])('refuses %s=%s, and names the parameter', async (name, value) => {
    const answer = await tenant.call('GET', `/v1/sessions?${name}=${encodeURIComponent(value)}`)
    expectProblem(answer, 'request_invalid', `query.${name}`)
  })

  it('refuses a parameter that is given twice', async () => {
    const answer = await tenant.call('GET', '/v1/sessions?user_id=a&user_id=b')
    expectProblem(answer, 'request_invalid', 'query.user_id')
  })

  it('refuses a cursor that is altered, of another list, or used with other filters', async () => {
    for (let n = 0; n < 3; n++) await tenant.session({ user_id: 'cursors' })
    const cursor = (await list({ user_id: 'cursors', limit: '1' })).body.next_cursor
    expect((await list({ user_id: 'cursors', cursor })).status).toBe(200)
    const events = (await tenant.call('GET', '/v1/events', { query: { limit: '1' } })).body
    const attempts = [
      { cursor },
      { user_id: 'other', cursor },
      { user_id: 'cursors', status: 'all', cursor },
      { user_id: 'cursors', cursor: `${cursor}A` },
      { user_id: 'cursors', cursor: cursor.slice(1) },
      { user_id: 'cursors', cursor: events.next_cursor },
      { user_id: 'cursors', cursor: 'x' },
      { user_id: 'cursors', cursor: '✓' },
    ]
    for (const query of attempts) expectProblem(await list(query), 'cursor_invalid')
    const long = { user_id: 'cursors', cursor: 'A'.repeat(513) }
    expectProblem(await list(long), 'request_invalid', 'query.cursor')
  })
})

describe('DELETE /v1/sessions', () => {
  const endAll = (query: Record<string, string>) => tenant.call('DELETE', '/v1/sessions', { query })

  it('counts and ends by user, organisation and app, and spares the exception', async () => {
    const bodies = [
      { user_id: 'b1', org_id: 'bo', app_id: 'ba' },
      { user_id: 'b1', org_id: 'bo' },
      { user_id: 'b1', app_id: 'ba' },
      { user_id: 'b2', org_id: 'bo' },
    ]
    const made = []
    for (const body of bodies) made.push((await tenant.session(body)).session.id)
    const dry = await endAll({ user_id: 'b1', dry_run: 'true' })
    expect(dry.status).toBe(200)
    expect(dry.body).toEqual({ revoked: 3 })
    expect((await list({ user_id: 'b1' })).body.data).toHaveLength(3)
    expect((await endAll({ user_id: 'b1', org_id: 'bo', app_id: 'ba' })).body.revoked).toBe(1)
    const rest = { user_id: 'b1', except: made[1], dry_run: 'false', reason: 'others out' }
    expect((await endAll(rest)).body).toEqual({ revoked: 1 })
    expect((await get(made[1])).body.status).toBe('active')
    expect((await get(made[2])).body).toMatchObject({
      status: 'revoked',
      revoke_reason: 'others out',
    })
    expect((await endAll({ org_id: 'bo' })).body).toEqual({ revoked: 2 })
    expect((await endAll({ org_id: 'bo' })).body).toEqual({ revoked: 0 })
  })

  it('with no filter ends all of the tenant, and nobody else’s', async () => {
    const own = await sesame.tenant()
    const other = await sesame.tenant()
    for (let n = 0; n < 3; n++) await own.session()
    const { session } = await other.session()
    expect((await own.call('DELETE', '/v1/sessions')).body).toEqual({ revoked: 3 })
    expect((await other.call('GET', `/v1/sessions/${session.id}`)).body.status).toBe('active')
    const events = (await own.call('GET', '/v1/events', { query: { type: 'sessions.revoked' } }))
      .body.data
    expect(events).toHaveLength(1)
    expect(events[0].data).toMatchObject({ revoked: 3 })
  })

  it('does not count what had expired', async () => {
    await tenant.session({ user_id: 'late', expires_in: 5 })
    await tenant.session({ user_id: 'late' })
    sesame.node.clock.advanceSeconds(6)
    expect((await endAll({ user_id: 'late', dry_run: 'true' })).body.revoked).toBe(1)
    expect((await endAll({ user_id: 'late' })).body.revoked).toBe(1)
  })

  it.each([
    ['usr_id', 'b'],
    ['device_id', 'd'],
    ['status', 'active'],
    ['dry_run', '1'],
    ['dry_run', 'TRUE'],
    ['dry_run', ''],
    ['dryRun', 'true'],
    ['user_id', ''],
    ['except', 'x'],
    ['reason', ''],
  ])('refuses %s=%s and ends nothing', async (name, value) => {
    const { session } = await tenant.session()
    expectProblem(await endAll({ [name]: value }), 'request_invalid', `query.${name}`)
    expect((await get(session.id)).body.status).toBe('active')
  })
})

describe('a body', () => {
  const post = (headers: Record<string, string>, text: string) =>
    tenant.call('POST', '/v1/sessions', { headers, body: text })
  const JSON_TYPE = { 'content-type': 'application/json' }
  const bodyOfBytes = (bytes: number): string => {
    const [start, end] = ['{"user_id":"u","user_agent":"', '"}']
    return start + 'x'.repeat(bytes - start.length - end.length) + end
  }

  it('of 64 KB is read, and of one byte more is 413', async () => {
    const largest = await post(JSON_TYPE, bodyOfBytes(64 * 1024))
    expectProblem(largest, 'request_invalid', 'user_agent')
    expectProblem(await post(JSON_TYPE, bodyOfBytes(64 * 1024 + 1)), 'body_too_large')
  })

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json\t',
    'application/json; charset=utf-16',
    'application/json; charset=utf-8; x=y',
    'application/jsonp',
    'application/merge-patch+json',
  ])('of type %j is 415', async type => {
    expectProblem(
      await post({ 'content-type': type }, '{"user_id":"u"}'),
      'content_type_unsupported',
    )
  })

  it.each([
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'Application/JSON',
  ])('of type %j is read', async type => {
    expect((await post({ 'content-type': type }, '{"user_id":"u"}')).status).toBe(201)
  })

  it.each([
    ['half of one', '{"user_id":'],
    ['a field twice', '{"user_id":"a","user_id":"b"}'],
    ['a field twice, spelt differently', '{"user_id":"a","user\\u005fid":"b"}'],
    ['a prototype', '{"user_id":"a","__proto__":{"role":"admin"}}'],
    ['a comma too many', '{"user_id":"a",}'],
    ['a comment', '{"user_id":"a"} // x'],
    ['nothing', ' '],
    ['depth', '['.repeat(10_000)],
  ])('that holds %s is not JSON to us', async (_, text) => {
    expectProblem(await post(JSON_TYPE, text), 'body_malformed')
  })

  it.each([
    ['NUL', '{"user_id":"a","user_agent":"x\\u0000"}'],
    ['half of a surrogate pair', '{"user_id":"a","user_agent":"\\ud800"}'],
    ['a list', '[]'],
    ['a text', '"u"'],
    ['null', 'null'],
  ])('that is or holds %s is not valid', async (_, text) => {
    expectProblem(await post(JSON_TYPE, text), 'request_invalid')
  })

  it('on a GET is refused', async () => {
    const answer = await tenant.call('GET', '/v1/sessions', { body: { user_id: 'u' } })
    expectProblem(answer, 'request_invalid')
  })
})

describe('a method that a path does not take', () => {
  it.each([
    ['PUT', '/v1/sessions', ['DELETE', 'GET', 'HEAD', 'POST']],
    ['PATCH', '/v1/sessions', ['DELETE', 'GET', 'HEAD', 'POST']],
    ['POST', `/v1/sessions/${UNKNOWN_ID}`, ['DELETE', 'GET', 'HEAD', 'PATCH']],
  ])('%s %s is 405 and names those that it does', async (method, path, methods) => {
    const answer = await tenant.call(method, path)
    expectProblem(answer, 'method_not_allowed')
    expect(String(answer.headers.allow).split(', ').toSorted()).toEqual(methods)
  })

  it('is 404 where there is no such path, and the path is not repeated', async () => {
    for (const path of ['/v1/session', '/v2/sessions', '/V1/sessions', '/secret']) {
      const answer = await tenant.call('GET', `${path}?a=planted`)
      expectProblem(answer, 'route_not_found')
      expect(JSON.stringify(answer.body)).not.toMatch(/planted|secret/)
    }
  })

  it('HEAD answers as GET does, without the body', async () => {
    const { status, body, headers } = await tenant.call('HEAD', '/v1/sessions')
    expect([status, body]).toEqual([200, null])
    expect(Number(headers['content-length'])).toBeGreaterThan(10)
  })
})
