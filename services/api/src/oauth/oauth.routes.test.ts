import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

const FORM = 'application/x-www-form-urlencoded'

async function post(
  path: string,
  form: Record<string, string> | string,
  authorization = `Bearer ${tenant.secret}`,
) {
  const response = await sesame.app.inject({
    method: 'POST',
    url: `/v1/${path}`,
    headers: { authorization, 'content-type': FORM },
    payload: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  })
  return { status: response.statusCode, body: response.body === '' ? null : response.json() }
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

describe('POST /v1/introspect', () => {
  it('tells the claims of a good access token, as RFC 7662 names them', async () => {
    const { access_token: token, session } = await tenant.session({
      amr: ['pwd', 'otp'],
      app_id: 'web',
      role: 'member',
    })
    const { status, body } = await post('introspect', { token, token_type_hint: 'access_token' })
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
    expect(status).toBe(200)
    expect(body).toEqual({
      active: true,
      token_type: 'Bearer',
      iss: claims.iss,
      sub: 'usr_1',
      aud: tenant.id,
      client_id: 'web',
      exp: claims.exp,
      iat: claims.iat,
      jti: claims.jti,
      sid: session.id,
      tenant_id: tenant.id,
      role: 'member',
      auth_time: claims.auth_time,
      amr: ['pwd', 'otp'],
      mfa_verified: true,
    })
  })

  it('takes HTTP Basic with the tenant and the secret, as OAuth libraries send it', async () => {
    const { access_token: token } = await tenant.session()
    const good = await post('introspect', { token }, basic(tenant.id, tenant.secret))
    expect(good.body).toMatchObject({ active: true })
    const bad = await post('introspect', { token }, basic(tenant.id, 'sk_live_x'))
    expect([bad.status, bad.body.code]).toEqual([401, 'api_key_invalid'])
  })

  it('says only that it is not active of every other token', async () => {
    const other = await sesame.tenant()
    const foreign = await other.session()
    const ended = await tenant.session()
    await tenant.call('DELETE', `/v1/sessions/${ended.session.id}`)
    const tokens = [
      foreign.access_token,
      foreign.refresh_token,
      ended.access_token,
      ended.refresh_token,
      'x',
      '',
      'rt_x',
    ]
    for (const token of tokens)
      expect((await post('introspect', { token })).body).toEqual({ active: false })
  })

  it('knows the newest refresh token and no older one, and uses none up', async () => {
    const { refresh_token: first } = await tenant.session()
    const body = { refresh_token: first }
    expect((await post('introspect', { token: first })).body).toMatchObject({
      active: true,
      token_type: 'refresh_token',
    })
    const next = await tenant.call('POST', '/v1/sessions/refresh', { body })
    expect((await post('introspect', { token: first })).body).toEqual({ active: false })
    expect((await post('introspect', { token: next.body.refresh_token })).body.active).toBe(true)
  })
})

describe('POST /v1/revoke', () => {
  it.each(['access_token', 'refresh_token'])('ends the session of the %s', async kind => {
    const made = await tenant.session()
    const { status, body } = await post('revoke', { token: made[kind], token_type_hint: kind })
    expect([status, body]).toEqual([200, null])
    expect((await post('introspect', { token: made.access_token })).body).toEqual({ active: false })
    const read = await tenant.call('GET', `/v1/sessions/${made.session.id}`)
    expect(read.body).toMatchObject({ status: 'revoked', revoke_reason: 'token_revoked' })
    expect((await post('revoke', { token: made[kind] })).status).toBe(200)
  })

  it("answers 200 for what is no token, and ends nothing of another tenant's", async () => {
    const other = await sesame.tenant()
    const foreign = await other.session()
    for (const token of ['x', foreign.access_token, foreign.refresh_token])
      expect((await post('revoke', { token })).status).toBe(200)
    const read = await other.call('GET', `/v1/sessions/${foreign.session.id}`)
    expect(read.body.status).toBe('active')
  })
})

describe('a form', () => {
  it.each([
    ['a parameter twice', 'token=a&token=b', 'body_malformed'],
    ['NUL', 'token=%00', 'body_malformed'],
    ['what is not UTF-8', 'token=%ff', 'body_malformed'],
    ['a line end', 'token=a\nb', 'body_malformed'],
    ['no token', 'token_type_hint=x', 'request_invalid'],
    ['an unknown parameter', 'token=a&tokens=b', 'request_invalid'],
  ])('with %s is refused', async (_, form, code) => {
    const { status, body } = await post('introspect', form)
    expect([status, body.code]).toEqual([400, code])
  })

  it('is taken where the RFCs say so and nowhere else, and JSON is not taken there', async () => {
    expect((await post('sessions', { user_id: 'u' })).status).toBe(415)
    const json = await tenant.call('POST', '/v1/introspect', { body: { token: 'x' } })
    expect(json.status).toBe(415)
  })
})
