import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { type Answer, createTestApp, type TestApp } from '../../test/test-app.ts'
import { walkPages } from '../../test/walk-pages.ts'
import { SCOPES } from '../api-keys/api-keys.schema.ts'

let sesame: TestApp

beforeAll(async () => {
  sesame = await createTestApp()
})
afterAll(() => sesame.close())

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const UNKNOWN_ID = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
const DEFAULTS = {
  access_token_ttl_seconds: 900,
  session_ttl_seconds: 2_592_000,
  idle_ttl_seconds: 1_209_600,
  refresh_grace_seconds: 10,
  max_sessions_per_user: null,
  on_limit: 'revoke_oldest',
  audience: null,
  public_refresh: false,
  rate_limit_per_second: 1_000,
  session_retention_days: 90,
  event_retention_days: 365,
}

const create = (body: unknown) => sesame.operator.call('POST', '/v1/tenants', { body })
const get = (id: string) => sesame.operator.call('GET', `/v1/tenants/${id}`)
const patch = (id: string, body: unknown) =>
  sesame.operator.call('PATCH', `/v1/tenants/${id}`, { body })
const remove = (id: string) => sesame.operator.call('DELETE', `/v1/tenants/${id}`)

describe('POST /v1/tenants', () => {
  it('makes a tenant with its first key, which opens everything', async () => {
    const { status, body } = await create({ name: 'Ünïcorn & Söhne' })
    expect(status).toBe(201)
    expect(body.tenant).toEqual({
      object: 'tenant',
      id: expect.stringMatching(/^tnt_[0-9A-HJKMNP-TV-Z]{26}$/),
      name: 'Ünïcorn & Söhne',
      status: 'active',
      settings: expect.objectContaining(DEFAULTS),
      created_at: expect.stringMatching(INSTANT),
    })
    expect(body.api_key).toMatchObject({ object: 'api_key', scopes: SCOPES, expires_at: null })
    expect(body.api_key.secret).toMatch(/^sk_live_/)
    expect((await get(body.tenant.id)).body).toEqual(body.tenant)
    const keys = await sesame.with(body.api_key.secret).call('GET', '/v1/api-keys')
    expect(keys.body.data.map((key: { id: string }) => key.id)).toEqual([body.api_key.id])
  })

  it('takes a status and any part of the settings', async () => {
    const settings = { session_ttl_seconds: 3600, idle_ttl_seconds: null, audience: 'api' }
    const { status, body } = await create({ name: 'n', status: 'suspended', settings })
    expect(status).toBe(201)
    expect(body.tenant.status).toBe('suspended')
    expect(body.tenant.settings).toMatchObject({ ...DEFAULTS, ...settings })
    const answer = await sesame.with(body.api_key.secret).call('GET', '/v1/sessions')
    expectProblem(answer, 'tenant_suspended')
  })

  it.each([
    ['no name', {}, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['a name of 129 characters', { name: 'n'.repeat(129) }, 'name'],
    ['an unknown status', { name: 'n', status: 'deleted' }, 'status'],
    ['its own id', { name: 'n', id: UNKNOWN_ID }, 'id'],
    ['an unknown setting', { name: 'n', settings: { ttl: 5 } }, 'settings.ttl'],
  ])('refuses %s', async (_, body, field) => {
    expectProblem(await create(body), 'request_invalid', field)
  })

  it.each([
    ['access_token_ttl_seconds', 29],
    ['access_token_ttl_seconds', 86_401],
    ['access_token_ttl_seconds', '900'],
    ['access_token_ttl_seconds', null],
    ['session_ttl_seconds', 0],
    ['idle_ttl_seconds', -1],
    ['refresh_grace_seconds', -1],
    ['max_sessions_per_user', 0],
    ['on_limit', 'ignore'],
    ['audience', ''],
    ['audience', 'a b'],
    ['public_refresh', 'true'],
    ['rate_limit_per_second', 0],
    ['rate_limit_per_second', 1_000_001],
    ['session_retention_days', 1],
    ['session_retention_days', 3_661],
    ['session_retention_days', null],
    ['event_retention_days', 6],
    ['event_retention_days', 3_661],
  ])('refuses %s of %j', async (name, value) => {
    const answer = await create({ name: 'n', settings: { [name]: value } })
    expectProblem(answer, 'request_invalid', `settings.${name}`)
  })

  it.each([
    ['access_token_ttl_seconds', 30],
    ['access_token_ttl_seconds', 86_400],
    ['idle_ttl_seconds', null],
    ['refresh_grace_seconds', 0],
    ['max_sessions_per_user', 1],
    ['on_limit', 'refuse'],
    ['public_refresh', true],
    ['rate_limit_per_second', 1_000_000],
    ['session_retention_days', 2],
    ['event_retention_days', 3_660],
  ])('takes %s of %j', async (name, value) => {
    const { status, body } = await create({ name: 'n', settings: { [name]: value } })
    expect([status, body.tenant.settings[name]]).toEqual([201, value])
  })
})

describe('GET /v1/tenants', () => {
  it('pages through all tenants, newest first', async () => {
    const made: string[] = []
    for (let n = 0; n < 5; n++) made.push((await create({ name: `t${n}` })).body.tenant.id)
    const all = await walkPages(sesame.operator, '/v1/tenants', { limit: '2' })
    const ids = all.map(tenant => tenant.id)
    expect(ids.slice(0, 5)).toEqual(made.toReversed())
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('refuses unknown parameters', async () => {
    const answer = await sesame.operator.call('GET', '/v1/tenants', { query: { name: 'x' } })
    expectProblem(answer, 'request_invalid', 'query.name')
  })
})

describe('PATCH /v1/tenants/{id}', () => {
  it('changes what is named and nothing else', async () => {
    const { tenant } = (await create({ name: 'a', settings: { audience: 'x' } })).body
    const renamed = await patch(tenant.id, { name: 'b' })
    expect(renamed.status).toBe(200)
    expect(renamed.body).toEqual({ ...tenant, name: 'b' })
    const set = await patch(tenant.id, { settings: { refresh_grace_seconds: 20 } })
    const settings = { ...tenant.settings, refresh_grace_seconds: 20 }
    expect(set.body).toEqual({ ...tenant, name: 'b', settings })
    expect((await get(tenant.id)).body).toEqual(set.body)
  })

  it('keeps both of two settings that are changed at once', async () => {
    const { tenant } = (await create({ name: 'a' })).body
    const changes = [
      { audience: 'x' },
      { refresh_grace_seconds: 20 },
      { public_refresh: true },
      { on_limit: 'refuse' },
      { max_sessions_per_user: 5 },
      { session_ttl_seconds: 3600 },
    ]
    const answers = await Promise.all(changes.map(settings => patch(tenant.id, { settings })))
    expect(answers.map(({ status }) => status)).toEqual(changes.map(() => 200))
    expect((await get(tenant.id)).body.settings).toMatchObject(Object.assign({}, ...changes))
  })

  it('lets an app have lifetimes of its own', async () => {
    const tenant = await sesame.tenant({
      settings: {
        session_ttl_seconds: 7200,
        apps: { kiosk: { session_ttl_seconds: 600, access_token_ttl_seconds: 60 } },
      },
    })
    const lifetimes = ({ session, expires_in }: Answer['body']) => [
      expires_in,
      (Date.parse(session.expires_at) - Date.parse(session.created_at)) / 1000,
    ]
    expect(lifetimes(await tenant.session())).toEqual([900, 7200])
    expect(lifetimes(await tenant.session({ app_id: 'web' }))).toEqual([900, 7200])
    expect(lifetimes(await tenant.session({ app_id: 'kiosk' }))).toEqual([60, 600])
    expect(lifetimes(await tenant.session({ app_id: 'kiosk', expires_in: 300 }))).toEqual([60, 300])
    expect(lifetimes(await tenant.session({ app_id: '__proto__' }))).toEqual([900, 7200])
    await patch(tenant.id, { settings: { apps: {} } })
    expect(lifetimes(await tenant.session({ app_id: 'kiosk' }))).toEqual([900, 7200])
  })

  it('suspends: the tenant’s keys are answered 403 at once, and work again after', async () => {
    const tenant = await sesame.tenant()
    expect((await tenant.call('GET', '/v1/sessions')).status).toBe(200)
    expect((await patch(tenant.id, { status: 'suspended' })).body.status).toBe('suspended')
    for (const path of ['/v1/sessions', '/v1/api-keys', '/v1/events', '/v1/signing-keys'])
      expectProblem(await tenant.call('GET', path), 'tenant_suspended')
    await patch(tenant.id, { status: 'active' })
    expect((await tenant.call('GET', '/v1/sessions')).status).toBe(200)
  })

  it('tells the trail of the tenant what changed', async () => {
    const tenant = await sesame.tenant()
    await patch(tenant.id, { name: 'b', settings: { audience: 'hush-hush' } })
    const { data } = (await tenant.call('GET', '/v1/events', { query: { type: 'tenant.updated' } }))
      .body
    expect(data[0]).toMatchObject({ actor: 'operator', data: { changed: ['name', 'audience'] } })
    expect(JSON.stringify(data)).not.toContain('hush-hush')
  })

  it.each([
    ['nothing', {}],
    ['an id', { id: UNKNOWN_ID }],
    ['a creation', { created_at: '2026-01-01T00:00:00.000Z' }],
    ['an unknown setting', { settings: { ttl: 1 } }],
    ['an app that cannot be', { settings: { apps: { 'a b': { session_ttl_seconds: 60 } } } }],
    ['an app that sets nothing', { settings: { apps: { a: {} } } }],
    ['an app with a limit', { settings: { apps: { a: { rate_limit_per_second: 5 } } } }],
  ])('refuses %s', async (_, body) => {
    const { tenant } = (await create({ name: 'a' })).body
    expectProblem(await patch(tenant.id, body), 'request_invalid')
    expect((await get(tenant.id)).body).toEqual(tenant)
  })
})

describe('DELETE /v1/tenants/{id}', () => {
  it('ends its keys at once, and the tenant is in no answer any more', async () => {
    const tenant = await sesame.tenant()
    await tenant.session()
    expect((await remove(tenant.id)).status).toBe(204)
    expectProblem(await tenant.call('GET', '/v1/sessions'), 'api_key_invalid')
    expectProblem(await get(tenant.id), 'tenant_not_found')
    expectProblem(await patch(tenant.id, { name: 'x' }), 'tenant_not_found')
    expectProblem(await remove(tenant.id), 'tenant_not_found')
    const acting = { headers: { 'x-tenant-id': tenant.id } }
    const asOperator = await sesame.operator.call('GET', '/v1/sessions', acting)
    expectProblem(asOperator, 'tenant_not_found')
    const all = await walkPages(sesame.operator, '/v1/tenants', { limit: '100' })
    expect(all.map(({ id }) => id)).not.toContain(tenant.id)
  })

  it('does not know ids that never were, are of another kind, or are the service’s own', async () => {
    const ids = [UNKNOWN_ID, 'x', 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5', `tnt_${'0'.repeat(26)}`]
    for (const id of ids) {
      expectProblem(await get(id), 'tenant_not_found')
      expectProblem(await patch(id, { name: 'x' }), 'tenant_not_found')
      expectProblem(await remove(id), 'tenant_not_found')
    }
  })
})
