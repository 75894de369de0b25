import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { type Answer, createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
})
afterAll(() => sesame.close())
beforeEach(async () => {
  tenant = await sesame.tenant()
})

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const UNKNOWN_KID = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'

const rotate = () => tenant.call('POST', '/v1/signing-keys/rotate')
const revoke = (kid: string, query: Record<string, string> = {}) =>
  tenant.call('DELETE', `/v1/signing-keys/${kid}`, { query })
const listed = async (): Promise<Answer['body'][]> =>
  (await tenant.call('GET', '/v1/signing-keys')).body.data
const kidsOf = async (status: string): Promise<string[]> =>
  (await listed()).filter(key => key.status === status).map(key => key.kid)
const published = async (): Promise<string[]> =>
  (await sesame.anonymous.call('GET', `/t/${tenant.id}/.well-known/jwks.json`)).body.keys.map(
    (key: { kid: string }) => key.kid,
  )
const signerOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const isValid = async (token: string): Promise<boolean> =>
  (await tenant.call('POST', '/v1/sessions/verify', { body: { token } })).body.valid

describe('GET /v1/signing-keys', () => {
  it('shows the key that signs and the next one, public halves only', async () => {
    const { status, body } = await tenant.call('GET', '/v1/signing-keys')
    expect(status).toBe(200)
    expect(body).toEqual({ object: 'list', data: body.data, has_more: false, next_cursor: null })
    expect(body.data).toHaveLength(2)
    for (const key of body.data) {
      const { x } = key.public_jwk
      const thumbprint = createHash('sha256')
        .update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)
        .digest('base64url')
      expect(key).toEqual({
        object: 'signing_key',
        kid: thumbprint,
        status: expect.stringMatching(/^(?:active|next)$/),
        public_jwk: { kty: 'OKP', crv: 'Ed25519', x, kid: thumbprint, alg: 'EdDSA', use: 'sig' },
        created_at: expect.stringMatching(INSTANT),
        signs_from: key.status === 'active' ? expect.stringMatching(INSTANT) : null,
        published_until: null,
        revoked_at: null,
      })
    }
    const { access_token } = await tenant.session()
    expect(await kidsOf('active')).toEqual([signerOf(access_token)])
  })
})

describe('POST /v1/signing-keys/rotate', () => {
  it('lets the next key sign, keeps the old one published and its tokens valid', async () => {
    const [next] = await kidsOf('next')
    const { access_token: before } = await tenant.session()
    const { status, body } = await rotate()
    expect(status).toBe(200)
    expect(body).toMatchObject({ object: 'signing_key', kid: next, status: 'active' })
    const { access_token: after } = await tenant.session()
    expect(signerOf(after)).toBe(next)
    expect([await isValid(before), await isValid(after)]).toEqual([true, true])
    expect(await kidsOf('retired')).toEqual([signerOf(before)])
    expect((await published()).toSorted()).toEqual((await listed()).map(k => k.kid).toSorted())
  })

  it('asked again before the new next key was published long enough, changes nothing', async () => {
    await rotate()
    const { body: waiting } = await rotate()
    expect(waiting.status).toBe('next')
    expect(Date.parse(waiting.signs_from)).toBeGreaterThan(sesame.node.clock.nowMs() + 300_000)
    expect((await rotate()).body).toEqual(waiting)
    const { access_token } = await tenant.session()
    expect(signerOf(access_token)).not.toBe(waiting.kid)
    sesame.node.clock.advanceSeconds(601)
    expect(signerOf((await tenant.session()).access_token)).toBe(waiting.kid)
  })

  it('writes one event, with the key’s name and no key', async () => {
    const { body } = await rotate()
    const events = await tenant.call('GET', '/v1/events', {
      query: { type: 'signing_key.rotated' },
    })
    expect(events.body.data).toHaveLength(1)
    expect(events.body.data[0].data).toEqual({ kid: body.kid })
  })

  it('takes an empty body, and no field', async () => {
    const path = '/v1/signing-keys/rotate'
    expect((await tenant.call('POST', path, { body: {} })).status).toBe(200)
    const answer = await tenant.call('POST', path, { body: { overlap_seconds: 5 } })
    expectProblem(answer, 'request_invalid', 'body')
  })
})

describe('DELETE /v1/signing-keys/{kid}', () => {
  it('refuses its tokens at once, withdraws it, and the next key signs', async () => {
    const { access_token: token } = await tenant.session()
    const kid = signerOf(token)
    const [next] = await kidsOf('next')
    expect(await isValid(token)).toBe(true)
    expect((await revoke(kid, { reason: 'leaked' })).status).toBe(204)
    expect(await isValid(token)).toBe(false)
    expect(await published()).not.toContain(kid)
    const { access_token: after } = await tenant.session()
    expect(signerOf(after)).toBe(next)
    expect(await isValid(after)).toBe(true)
    expect((await listed()).find(key => key.kid === kid)).toMatchObject({
      status: 'revoked',
      revoked_at: expect.stringMatching(INSTANT),
    })
  })

  it('is 204 again, and one event with the reason', async () => {
    const [kid = ''] = await kidsOf('next')
    for (let n = 0; n < 3; n++) expect((await revoke(kid, { reason: 'leaked' })).status).toBe(204)
    const events = await tenant.call('GET', '/v1/events', {
      query: { type: 'signing_key.revoked' },
    })
    expect(events.body.data).toHaveLength(1)
    expect(events.body.data[0].data).toEqual({ kid, reason: 'leaked' })
  })

  it('never leaves a tenant without a key that signs and a next one', async () => {
    for (let n = 0; n < 4; n++) {
      const [kid = ''] = await kidsOf('active')
      expect((await revoke(kid)).status).toBe(204)
      expect([(await kidsOf('active')).length, (await kidsOf('next')).length]).toEqual([1, 1])
      const { access_token } = await tenant.session()
      expect(await isValid(access_token)).toBe(true)
      expect(await published()).toContain(signerOf(access_token))
    }
  })

  it.each([
    ['that never was', UNKNOWN_KID],
    ['that is too short', 'abc'],
    ['that is a path', '..%2f..%2fetc%2fpasswd'.padEnd(43, 'x')],
    ['that is an id', 'key_01K3Z8Q5V7M2N4P6R8S0T1W3X5'],
  ])('does not know a kid %s', async (_, kid) => {
    expectProblem(await revoke(kid), 'signing_key_not_found')
  })

  it('refuses an unknown parameter, and revokes nothing', async () => {
    const [kid = ''] = await kidsOf('active')
    expectProblem(await revoke(kid, { force: 'true' }), 'request_invalid', 'query.force')
    expect(await kidsOf('active')).toEqual([kid])
  })
})
