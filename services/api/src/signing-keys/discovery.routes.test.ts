import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'
import { TEST_PUBLIC_URL } from '../../test/test-node.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

const UNKNOWN_ID = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
const get = (path: string, headers: Record<string, string> = {}) =>
  sesame.anonymous.call('GET', path, { headers })
const jwksPath = (id: string) => `/t/${id}/.well-known/jwks.json`
const metadataPath = (id: string) => `/t/${id}/.well-known/oauth-authorization-server`

describe('the JWK set of a tenant', () => {
  it('needs no key, may be cached, and is the same by path and by header', async () => {
    const byPath = await get(jwksPath(tenant.id))
    const byHeader = await get('/.well-known/jwks.json', { 'x-tenant-id': tenant.id })
    for (const { status, headers } of [byPath, byHeader]) {
      expect(status).toBe(200)
      expect(headers['content-type']).toBe('application/json; charset=utf-8')
      expect(headers['cache-control']).toMatch(/^public, max-age=300\b/)
      expect(headers['access-control-allow-origin']).toBe('*')
      expect(headers.etag).toMatch(/^"[\w-]{22}"$/)
    }
    expect(byHeader.body).toEqual(byPath.body)
    expect(byHeader.headers.vary).toBe('X-Tenant-ID')
    expect(Object.keys(byPath.body)).toEqual(['keys'])
    for (const key of byPath.body.keys)
      expect(key).toEqual({
        kty: 'OKP',
        crv: 'Ed25519',
        alg: 'EdDSA',
        use: 'sig',
        x: expect.stringMatching(/^[\w-]{43}$/),
        kid: expect.stringMatching(/^[\w-]{43}$/),
      })
  })

  it('answers 304 to whoever has it, and the new one after a rotation', async () => {
    const own = await sesame.tenant()
    const { headers } = await get(jwksPath(own.id))
    const etag = String(headers.etag)
    for (const known of [etag, `W/${etag}`, `"a", ${etag}`, '*']) {
      const answer = await get(jwksPath(own.id), { 'if-none-match': known })
      expect([answer.status, answer.body]).toEqual([304, null])
      expect(answer.headers.etag).toBe(etag)
      expect(answer.headers['cache-control']).toBe(headers['cache-control'])
    }
    expect((await get(jwksPath(own.id), { 'if-none-match': '"other"' })).status).toBe(200)
    await own.call('POST', '/v1/signing-keys/rotate')
    const changed = await get(jwksPath(own.id), { 'if-none-match': etag })
    expect(changed.status).toBe(200)
    expect(changed.headers.etag).not.toBe(etag)
    expect(changed.body.keys).toHaveLength(3)
  })

  it('asks which tenant where none is named', async () => {
    expectProblem(await get('/.well-known/jwks.json'), 'tenant_missing')
  })

  it.each([UNKNOWN_ID, 'tnt_00000000000000000000000000', 'x', 'key_01K3Z8Q5V7M2N4P6R8S0T1W3X5'])(
    'is not found for %s',
    async id => {
      expectProblem(await get(jwksPath(id)), 'tenant_not_found')
      expectProblem(await get(metadataPath(id)), 'tenant_not_found')
      const byHeader = await get('/.well-known/jwks.json', { 'x-tenant-id': id })
      expectProblem(byHeader, 'tenant_not_found')
    },
  )

  it('is gone with its tenant', async () => {
    const own = await sesame.tenant()
    await sesame.operator.call('DELETE', `/v1/tenants/${own.id}`)
    expectProblem(await get(jwksPath(own.id)), 'tenant_not_found')
  })

  it('takes no parameter and no body', async () => {
    const answer = await get(`${jwksPath(tenant.id)}?kid=x`)
    expectProblem(answer, 'request_invalid', 'query.kid')
  })

  it('takes GET alone', async () => {
    const answer = await sesame.anonymous.call('POST', jwksPath(tenant.id))
    expectProblem(answer, 'method_not_allowed')
    expect(String(answer.headers.allow).split(', ').toSorted()).toEqual(['GET', 'HEAD'])
  })
})

describe('the authorization server metadata of a tenant', () => {
  it('is an RFC 8414 document whose issuer is that of the tokens', async () => {
    const { status, headers, body } = await get(metadataPath(tenant.id))
    const issuer = `${TEST_PUBLIC_URL}/t/${tenant.id}`
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(body).toMatchObject({
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: expect.any(Array),
    })
    const { access_token } = await tenant.session()
    const payload = Buffer.from(access_token.split('.')[1], 'base64url').toString()
    expect(JSON.parse(payload).iss).toBe(body.issuer)
    const path = new URL(body.jwks_uri).pathname
    expect((await get(path)).status).toBe(200)
  })

  it('can be asked for again for the price of a header', async () => {
    const { headers } = await get(metadataPath(tenant.id))
    const etag = String(headers.etag)
    const answer = await get(metadataPath(tenant.id), { 'if-none-match': etag })
    expect([answer.status, answer.body]).toEqual([304, null])
  })
})
