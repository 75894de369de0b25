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

const list = (query: Record<string, string> = {}) => tenant.call('GET', '/v1/events', { query })

describe('GET /v1/events', () => {
  it('shows each thing that was done: by whom, to what, without its secrets', async () => {
    const own = await sesame.tenant()
    const events = () => walkPages(own, '/v1/events', { limit: '100' })
    const [keyCreated] = await events()
    const firstKeyId = keyCreated?.data.api_key_id

    const { session, access_token, refresh_token } = await own.session()
    await own.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: 'owner' } })
    await own.call('DELETE', `/v1/sessions/${session.id}`, { query: { reason: 'gone' } })
    await own.session({ user_id: 'bulk' })
    await own.call('DELETE', '/v1/sessions', { query: { user_id: 'bulk', reason: 'all out' } })
    const second = await own.withKey({ name: 'second', scopes: ['sessions:read'] })
    const path = `/v1/api-keys/${second.id}`
    const rotated = await own.call('POST', `${path}/rotate`, { body: { overlap_seconds: 5 } })
    await own.call('DELETE', path)
    const { body: signingKey } = await own.call('POST', '/v1/signing-keys/rotate')
    await own.call('DELETE', `/v1/signing-keys/${signingKey.kid}`)
    await sesame.operator.call('PATCH', `/v1/tenants/${own.id}`, { body: { name: 'new' } })

    const trail = await events()
    const seen = trail
      .toReversed()
      .map(({ type, actor, session_id, user_id, data }) => [type, actor, session_id, user_id, data])
    const byFirst = (type: string, data: unknown) => [type, firstKeyId, null, null, data]
    expect(seen).toEqual([
      ['tenant.created', 'operator', null, null, {}],
      ['api_key.created', 'operator', null, null, expect.objectContaining({})],
      ['session.created', firstKeyId, session.id, 'usr_1', {}],
      ['session.updated', firstKeyId, session.id, 'usr_1', { changed: ['role'] }],
      ['session.revoked', firstKeyId, session.id, 'usr_1', { reason: 'gone' }],
      ['session.created', firstKeyId, expect.any(String), 'bulk', {}],
      [
        'sessions.revoked',
        firstKeyId,
        null,
        'bulk',
        { revoked: 1, user_id: 'bulk', reason: 'all out' },
      ],
      byFirst('api_key.created', { api_key_id: second.id, scopes: ['sessions:read'] }),
      byFirst('api_key.rotated', { api_key_id: second.id, overlap_seconds: 5 }),
      byFirst('api_key.revoked', { api_key_id: second.id }),
      byFirst('signing_key.rotated', { kid: signingKey.kid }),
      byFirst('signing_key.revoked', { kid: signingKey.kid, reason: null }),
      ['tenant.updated', 'operator', null, null, { changed: ['name'] }],
    ])
    for (const event of trail)
      expect(event).toEqual({
        object: 'event',
        id: expect.stringMatching(/^evt_[0-9A-HJKMNP-TV-Z]{26}$/),
        type: event.type,
        tenant_id: own.id,
        session_id: event.session_id,
        user_id: event.user_id,
        actor: event.actor,
        data: event.data,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      })
    const text = JSON.stringify(trail)
    const secrets = [own.secret, second.secret, rotated.body.secret, access_token, refresh_token]
    for (const secret of secrets) expect(text).not.toContain(secret.slice(0, 24))
  })

  it('names the operator who acted inside the tenant', async () => {
    const own = await sesame.tenant()
    await sesame.operator.call('POST', '/v1/sessions', {
      headers: { 'x-tenant-id': own.id },
      body: { user_id: 'u' },
    })
    const { body } = await own.call('GET', '/v1/events', { query: { type: 'session.created' } })
    expect(body.data[0].actor).toBe('operator')
  })

  it('pages to the end, newest first, by session, by user and by type', async () => {
    const { session } = await tenant.session({ user_id: 'pager' })
    for (let n = 0; n < 6; n++)
      await tenant.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: `r${n}` } })
    for (let n = 0; n < 3; n++) await tenant.session({ user_id: 'pager' })
    const count = async (query: Record<string, string>) => {
      const events = await walkPages(tenant, '/v1/events', { ...query, limit: '2' })
      const ids = events.map(event => event.id)
      expect(ids).toEqual(ids.toSorted().toReversed())
      return ids.length
    }
    expect(await count({ session_id: session.id })).toBe(7)
    expect(await count({ session_id: session.id, type: 'session.updated' })).toBe(6)
    expect(await count({ user_id: 'pager' })).toBe(10)
    expect(await count({ user_id: 'pager', type: 'session.created' })).toBe(4)
    expect(await count({ user_id: 'nobody' })).toBe(0)
    expect((await list()).body.data.length).toBeLessThanOrEqual(20)
  })

  it.each([
    ['type', 'session.deleted'],
    ['session_id', 'x'],
    ['session_id', 'key_01K3Z8Q5V7M2N4P6R8S0T1W3X5'],
    ['user_id', 'a b'],
    ['limit', '0'],
    ['limit', '1e1'],
    ['actor', 'operator'],
  ])('refuses %s=%s', async (name, value) => {
    expectProblem(await list({ [name]: value }), 'request_invalid', `query.${name}`)
  })

  it('refuses the cursor of other filters', async () => {
    await tenant.session({ user_id: 'x' })
    await tenant.session({ user_id: 'x' })
    const cursor = (await list({ user_id: 'x', limit: '1' })).body.next_cursor
    expect((await list({ user_id: 'x', cursor })).status).toBe(200)
    for (const query of [{ cursor }, { user_id: 'y', cursor }, { type: 'session.created', cursor }])
      expectProblem(await list(query), 'cursor_invalid')
  })

  it('cannot be written or erased', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await tenant.call(method, '/v1/events', {})
      expectProblem(answer, 'method_not_allowed')
      expect(answer.headers.allow).toContain('GET')
    }
  })
})
