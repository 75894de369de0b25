import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'
import { walkPages } from '../../test/walk-pages.ts'
import { SCOPES } from './api-keys.schema.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const SECRET = /^sk_live_[A-Za-z0-9_-]{43}[0-9A-HJKMNP-TV-Z]{26}[A-Za-z0-9_-]{6}$/
const UNKNOWN_ID = 'key_01K3Z8Q5V7M2N4P6R8S0T1W3X5'

const create = (body: unknown) => tenant.call('POST', '/v1/api-keys', { body })
const rotate = (id: string, body: unknown = {}) =>
  tenant.call('POST', `/v1/api-keys/${id}/rotate`, { body })
const revoke = (id: string) => tenant.call('DELETE', `/v1/api-keys/${id}`)
const listed = async () => walkPages(tenant, '/v1/api-keys', { limit: '100' })
const opens = async (secret: string): Promise<boolean> => {
  const { status } = await sesame.with(secret).call('GET', '/v1/sessions')
  expect([200, 401]).toContain(status)
  return status === 200
}

describe('POST /v1/api-keys', () => {
  it('answers with every field and the secret, which is in no list', async () => {
    const scopes = ['sessions:read', 'keys:write']
    const { status, body } = await create({ name: 'Backend', scopes })
    expect(status).toBe(201)
    expect(body).toEqual({
      object: 'api_key',
      id: expect.stringMatching(/^key_[0-9A-HJKMNP-TV-Z]{26}$/),
      name: 'Backend',
      prefix: body.secret.slice(0, body.prefix.length),
      scopes,
      created_at: expect.stringMatching(INSTANT),
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
      secret: expect.stringMatching(SECRET),
    })
    expect(body.prefix.length).toBeLessThan(20)
    const { secret, ...rest } = body
    expect((await listed()).find(key => key.id === body.id)).toEqual(rest)
    expect(JSON.stringify(await listed())).not.toContain(secret)
    expect(await opens(secret)).toBe(true)
  })

  it('grants what the caller holds where no scopes are named', async () => {
    expect((await create({ name: 'all' })).body.scopes).toEqual(SCOPES)
    const narrow = await tenant.withKey({ scopes: ['keys:write', 'sessions:read'] })
    const { body } = await narrow.call('POST', '/v1/api-keys', { body: { name: 'same' } })
    expect(body.scopes).toEqual(['sessions:read', 'keys:write'])
  })

  it('marks a test key', async () => {
    const { body } = await create({ name: 't', mode: 'test' })
    expect(body.secret).toMatch(/^sk_test_/)
    expect(await opens(body.secret)).toBe(true)
    expect((await rotate(body.id)).body.secret).toMatch(/^sk_test_/)
  })

  it('never grants a scope that the caller lacks', async () => {
    const narrow = await tenant.withKey({ scopes: ['keys:write', 'sessions:read'] })
    const wide = { name: 'wide', scopes: ['sessions:read', 'sessions:write'] }
    expectProblem(await narrow.call('POST', '/v1/api-keys', { body: wide }), 'scope_missing')
    const { body: strong } = await create({ name: 'strong', scopes: ['sessions:write'] })
    const rotated = await narrow.call('POST', `/v1/api-keys/${strong.id}/rotate`, { body: {} })
    expectProblem(rotated, 'scope_missing')
    expect(await sesame.with(strong.secret).call('GET', '/v1/sessions')).toMatchObject({
      status: 403,
    })
  })

  it.each([
    ['nothing', {}, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['a name of 129 characters', { name: 'n'.repeat(129) }, 'name'],
    ['no scope', { name: 'n', scopes: [] }, 'scopes'],
    ['a scope twice', { name: 'n', scopes: ['keys:write', 'keys:write'] }, 'scopes'],
    ['an unknown scope', { name: 'n', scopes: ['everything'] }, 'scopes.0'],
    ['an unknown mode', { name: 'n', mode: 'demo' }, 'mode'],
    ['an end that is no time', { name: 'n', expires_at: 'tomorrow' }, 'expires_at'],
    ['an end in the past', { name: 'n', expires_at: '2020-01-01T00:00:00.000Z' }, 'expires_at'],
    ['a second that is none', { name: 'n', expires_at: '2090-12-31T23:59:60Z' }, 'expires_at'],
    [
      'two ends',
      { name: 'n', expires_at: '2090-01-01T00:00:00.000Z', expires_in: 5 },
      'expires_in',
    ],
    ['an end at once', { name: 'n', expires_in: 0 }, 'expires_in'],
    ['a secret of its own', { name: 'n', secret: 'x' }, 'secret'],
    ['a tenant', { name: 'n', tenant_id: 'tnt_1' }, 'tenant_id'],
  ])('refuses %s', async (_, body, field) => {
    expectProblem(await create(body), 'request_invalid', field)
  })
})

describe('an API key', () => {
  it('stops at the moment it expires', async () => {
    const { body } = await create({ name: 'short', expires_in: 60 })
    const { created_at, expires_at } = body
    expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(60_000)
    expect(await opens(body.secret)).toBe(true)
    sesame.node.clock.advanceSeconds(59)
    expect(await opens(body.secret)).toBe(true)
    sesame.node.clock.advanceSeconds(2)
    expect(await opens(body.secret)).toBe(false)
  })

  it('may be told when to expire', async () => {
    const expires_at = new Date(sesame.node.clock.nowMs() + 90_000).toISOString()
    const { body } = await create({ name: 'until', expires_at })
    expect(body.expires_at).toBe(expires_at)
    sesame.node.clock.advanceSeconds(91)
    expect(await opens(body.secret)).toBe(false)
  })

  it('shows when it was last used, within seconds of its first use', async () => {
    sesame.node.services.worker.start({ sweeps: true })
    const { body } = await create({ name: 'used' })
    const usedAt = async () => (await listed()).find(key => key.id === body.id)?.last_used_at
    expect(await usedAt()).toBeNull()
    const beforeMs = sesame.node.clock.nowMs()
    await opens(body.secret)
    await expect.poll(usedAt, { timeout: 5_000 }).toMatch(INSTANT)
    expect(Date.parse((await usedAt()) ?? '')).toBeGreaterThanOrEqual(beforeMs)
  })
})

describe('GET /v1/api-keys', () => {
  it('pages through all keys that are not revoked, newest first', async () => {
    const own = await sesame.tenant()
    const made: string[] = []
    for (let n = 0; n < 7; n++) made.push((await own.withKey({ name: `k${n}` })).id)
    const gone = made.splice(3, 1).at(0)
    await own.call('DELETE', `/v1/api-keys/${gone}`)
    const all = await walkPages(own, '/v1/api-keys', { limit: '2' })
    expect(all.slice(0, -1).map(key => key.id)).toEqual(made.toReversed())
    expect(all.at(-1)?.name).toBe('First key')
  })

  it('refuses unknown parameters', async () => {
    const answer = await tenant.call('GET', '/v1/api-keys', { query: { name: 'x' } })
    expectProblem(answer, 'request_invalid', 'query.name')
  })
})

describe('POST /v1/api-keys/{id}/rotate', () => {
  it('gives a new secret for the same key, and the old one ends at once', async () => {
    const { body: key } = await create({ name: 'r', scopes: ['sessions:read'] })
    expect(await opens(key.secret)).toBe(true)
    const { status, body } = await rotate(key.id)
    expect(status).toBe(200)
    expect(body).toEqual({ ...key, prefix: expect.any(String), secret: expect.any(String) })
    expect(body.secret).not.toBe(key.secret)
    expect(body.secret.startsWith(body.prefix)).toBe(true)
    expect(await opens(key.secret)).toBe(false)
    expect(await opens(body.secret)).toBe(true)
  })

  it('lets both secrets work for the overlap, and not a second longer', async () => {
    const { body: key } = await create({ name: 'r', scopes: ['sessions:read'] })
    const { body } = await rotate(key.id, { overlap_seconds: 60 })
    expect([await opens(key.secret), await opens(body.secret)]).toEqual([true, true])
    sesame.node.clock.advanceSeconds(59)
    expect(await opens(key.secret)).toBe(true)
    sesame.node.clock.advanceSeconds(2)
    expect([await opens(key.secret), await opens(body.secret)]).toEqual([false, true])
  })

  it('never lengthens what an earlier rotation cut short', async () => {
    const { body: key } = await create({ name: 'r', scopes: ['sessions:read'] })
    const { body: second } = await rotate(key.id, { overlap_seconds: 30 })
    await rotate(key.id, { overlap_seconds: 600 })
    sesame.node.clock.advanceSeconds(31)
    expect([await opens(key.secret), await opens(second.secret)]).toEqual([false, true])
  })

  it('leaves one lasting secret when many rotate at once', async () => {
    const { body: key } = await create({ name: 'r', scopes: ['sessions:read'] })
    const answers = await Promise.all(Array.from({ length: 8 }, () => rotate(key.id)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const secrets = [key.secret, ...answers.map(({ body }) => body.secret)]
    const good = await Promise.all(secrets.map(opens))
    expect(good.filter(Boolean)).toHaveLength(1)
  })

  it('refuses a key that is revoked, and does not know others', async () => {
    const { body: key } = await create({ name: 'r' })
    await revoke(key.id)
    expectProblem(await rotate(key.id), 'api_key_revoked')
    expectProblem(await rotate(UNKNOWN_ID), 'api_key_not_found')
    expectProblem(await rotate('ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5'), 'api_key_not_found')
  })

  it('refuses an overlap that is negative, in text, or over 30 days', async () => {
    const { body: key } = await create({ name: 'r' })
    for (const overlap_seconds of [-1, '5', 1.5, 30 * 86_400 + 1])
      expectProblem(await rotate(key.id, { overlap_seconds }), 'request_invalid', 'overlap_seconds')
    expectProblem(await rotate(key.id, { overlap: 5 }), 'request_invalid', 'overlap')
    expect(await opens(key.secret)).toBe(true)
  })
})

describe('DELETE /v1/api-keys/{id}', () => {
  it('refuses the key from the moment it answers, also when it is used all the time', async () => {
    const { body: key } = await create({ name: 'd' })
    for (let n = 0; n < 3; n++) expect(await opens(key.secret)).toBe(true)
    const answer = await revoke(key.id)
    expect([answer.status, answer.body]).toEqual([204, null])
    expect(await opens(key.secret)).toBe(false)
    expect((await listed()).map(({ id }) => id)).not.toContain(key.id)
  })

  it('is 204 again, and one event', async () => {
    const { body: key } = await create({ name: 'd' })
    for (let n = 0; n < 3; n++) expect((await revoke(key.id)).status).toBe(204)
    const events = await walkPages(tenant, '/v1/events', { type: 'api_key.revoked' })
    expect(events.filter(event => event.data.api_key_id === key.id)).toHaveLength(1)
  })

  it('ends the secrets of an overlap too', async () => {
    const { body: key } = await create({ name: 'd' })
    const { body: rotated } = await rotate(key.id, { overlap_seconds: 600 })
    await revoke(key.id)
    expect([await opens(key.secret), await opens(rotated.secret)]).toEqual([false, false])
  })

  it('does not know ids that never were, or are of another kind', async () => {
    for (const id of [UNKNOWN_ID, 'x', 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'])
      expectProblem(await revoke(id), 'api_key_not_found')
  })
})
