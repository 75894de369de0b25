import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { comparable, expectProblem } from './expect-problem.ts'
import { createTestApp, type TestApp, type TestTenant } from './test-app.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

const withHeader = (authorization: string) =>
  sesame.anonymous.call('GET', '/v1/sessions', { headers: { authorization } })
const altered = (secret: string, at: number): string =>
  secret.slice(0, at) + (secret[at] === 'A' ? 'B' : 'A') + secret.slice(at + 1)

describe('a key that is not good', () => {
  it('gets one answer, whatever is wrong with it', async () => {
    const reference = await sesame.anonymous.call('GET', '/v1/sessions')
    expectProblem(reference, 'api_key_invalid')
    expect(reference.headers['www-authenticate']).toMatch(/^Bearer/)

    const revoked = await tenant.withKey({})
    await tenant.call('DELETE', `/v1/api-keys/${revoked.id}`)
    const expired = await tenant.withKey({ expires_in: 1 })
    const rotated = await tenant.withKey({})
    await tenant.call('POST', `/v1/api-keys/${rotated.id}/rotate`, { body: {} })
    const gone = await sesame.tenant()
    await sesame.operator.call('DELETE', `/v1/tenants/${gone.id}`)
    sesame.node.clock.advanceSeconds(2)
    const { secret } = tenant
    const { session, access_token, refresh_token } = await tenant.session()
    const wrong = [
      revoked.secret,
      expired.secret,
      rotated.secret,
      gone.secret,
      altered(secret, 10),
      altered(secret, 60),
      altered(secret, secret.length - 1),
      secret.slice(0, -1),
      `${secret}A`,
      secret.replace('sk_live_', 'sk_test_'),
      secret.toUpperCase(),
      secret.slice(8),
      'x',
      'sk_live_',
      `sk_live_${'A'.repeat(75)}`,
      'A'.repeat(512),
      'A'.repeat(5000),
      `ok_${'x'.repeat(43)}`,
      'ok_',
      session.id,
      access_token,
      refresh_token,
    ].map(text => `Bearer ${text}`)
    const malformed = [
      '',
      'Bearer',
      'Bearer ',
      secret,
      `Basic ${Buffer.from(`${secret}:`).toString('base64')}`,
      `Bearer "${secret}"`,
      `Bearer ${secret},${secret}`,
      `Bearer ${secret} ${secret}`,
      `Bearer\t${secret}`,
      `Bearer ${secret}é`,
      `Token ${secret}`,
    ]
    for (const authorization of [...wrong, ...malformed]) {
      const answer = await withHeader(authorization)
      expect([authorization.slice(0, 24), comparable(answer)]).toEqual([
        authorization.slice(0, 24),
        comparable(reference),
      ])
    }
  })

  it('is not told from the body or the path what it may not see', async () => {
    for (const [method, path] of [
      ['POST', '/v1/sessions'],
      ['GET', '/v1/sessions/x'],
      ['GET', '/v1/sessions?bad=1'],
      ['DELETE', '/v1/tenants/x'],
    ] as const)
      expectProblem(await sesame.with('sk_live_x').call(method, path), 'api_key_invalid')
  })
})

describe('a good key', () => {
  it('is taken in any case of the scheme', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER'])
      expect((await withHeader(`${scheme} ${tenant.secret}`)).status).toBe(200)
  })

  it('needs no X-Tenant-ID, and refuses every one but its own', async () => {
    const as = (id: string) =>
      tenant.call('GET', '/v1/sessions', { headers: { 'x-tenant-id': id } })
    expect((await tenant.call('GET', '/v1/sessions')).status).toBe(200)
    expect((await as(tenant.id)).status).toBe(200)
    const other = await sesame.tenant()
    for (const id of [other.id, 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5', tenant.id.toLowerCase(), 'x', ''])
      expectProblem(await as(id), 'tenant_mismatch')
  })

  it('does not open the operator’s routes', async () => {
    for (const [method, path] of [
      ['GET', '/v1/tenants'],
      ['POST', '/v1/tenants'],
      ['GET', `/v1/tenants/${tenant.id}`],
      ['DELETE', `/v1/tenants/${tenant.id}`],
    ] as const)
      expectProblem(await tenant.call(method, path), 'scope_missing')
    expect((await tenant.call('GET', '/v1/sessions')).status).toBe(200)
  })

  it('that is sent twice is refused, as is a tenant that is named twice', async () => {
    await sesame.app.listen({ port: 0, host: '127.0.0.1' })
    const [address] = sesame.app.addresses()
    const port = typeof address === 'object' ? address.port : 0
    const { request } = await import('node:http')
    const statusOf = (headers: string[]) =>
      new Promise<number>((resolve, reject) => {
        const options = { host: '127.0.0.1', port, path: '/v1/sessions', headers }
        request(options, response => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
          .on('error', reject)
          .end()
      })
    const host = ['host', '127.0.0.1']
    const key = ['authorization', `Bearer ${tenant.secret}`]
    const named = ['x-tenant-id', tenant.id]
    expect(await statusOf([...host, ...key, ...named])).toBe(200)
    expect(await statusOf([...host, ...key, ...key])).toBe(400)
    expect(await statusOf([...host, ...key, ...named, ...named])).toBe(400)
  })
})

describe('the operator', () => {
  it('acts inside the tenant that X-Tenant-ID names, with every scope', async () => {
    const { session } = await tenant.session()
    const as = { headers: { 'x-tenant-id': tenant.id } }
    const read = await sesame.operator.call('GET', `/v1/sessions/${session.id}`, as)
    expect(read.body).toEqual(session)
    expect((await sesame.operator.call('GET', '/v1/api-keys', as)).status).toBe(200)
    expect((await sesame.operator.call('GET', '/v1/events', as)).status).toBe(200)
    const key = await sesame.operator.call('POST', '/v1/api-keys', {
      ...as,
      body: { name: 'by the operator' },
    })
    expect(key.status).toBe(201)
    expect((await sesame.with(key.body.secret).call('GET', '/v1/sessions')).status).toBe(200)
    await sesame.operator.call('DELETE', `/v1/sessions/${session.id}`, as)
    const ended = await tenant.call('GET', `/v1/sessions/${session.id}`)
    expect(ended.body).toMatchObject({ status: 'revoked', revoked_by: 'operator' })
  })

  it('is asked which tenant where a route needs one', async () => {
    expectProblem(await sesame.operator.call('GET', '/v1/sessions'), 'tenant_missing')
    for (const id of ['tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5', 'x', `tnt_${'0'.repeat(26)}`])
      expectProblem(
        await sesame.operator.call('GET', '/v1/sessions', { headers: { 'x-tenant-id': id } }),
        'tenant_not_found',
      )
  })

  it('acts inside a suspended tenant too: somebody must be able to help', async () => {
    const own = await sesame.tenant({ status: 'suspended' })
    const as = { headers: { 'x-tenant-id': own.id } }
    expect((await sesame.operator.call('GET', '/v1/sessions', as)).status).toBe(200)
    expectProblem(await own.call('GET', '/v1/sessions'), 'tenant_suspended')
  })
})
