import { createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../test/expect-problem.ts'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'
import { TEST_MASTER_KEY } from '../../test/test-node.ts'
import { createMasterKey } from '../shared/crypto.ts'
import { SIGNING_KEY_PURPOSE, sealingContext } from '../signing-keys/keyring.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

const verify = (token: unknown, by: Pick<TestTenant, 'call'> = tenant) =>
  by.call('POST', '/v1/sessions/verify', { body: { token } })
const reasonOf = async (token: string, by?: TestTenant) => {
  const { status, body } = await verify(token, by)
  expect([status, body.valid]).toEqual([200, false])
  expect(Object.keys(body)).toEqual(['valid', 'reason'])
  return body.reason
}
const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** Signs what it is told with the tenant's own key: only the claims can be wrong. */
async function signAs(token: string, claims: Record<string, unknown>): Promise<string> {
  const kid = kidOf(token)
  const { rows } = await sesame.node.database.pool.query(
    'SELECT tenant_id, private_key_sealed FROM signing_keys WHERE kid = $1',
    [kid],
  )
  const context = sealingContext(rows[0].tenant_id, kid)
  const sealed = rows[0].private_key_sealed
  const der = createMasterKey(TEST_MASTER_KEY).open(SIGNING_KEY_PURPOSE, context, sealed)
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return new SignJWT({ ...claimsOf(token), ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
    .sign(key)
}

describe('POST /v1/sessions/verify', () => {
  it('answers a good token with whose it is and until when', async () => {
    const { session, access_token: token } = await tenant.session({
      org_id: 'o1',
      app_id: 'web',
      role: 'member',
      amr: ['pwd', 'otp'],
    })
    const { status, headers, body } = await verify(token)
    expect(status).toBe(200)
    expect(headers['cache-control']).toBe('no-store')
    const { exp, iat, auth_time } = claimsOf(token)
    const instant = (seconds: number) => new Date(seconds * 1000).toISOString()
    expect(body).toEqual({
      valid: true,
      session_id: session.id,
      user_id: 'usr_1',
      tenant_id: tenant.id,
      org_id: 'o1',
      app_id: 'web',
      role: 'member',
      amr: ['pwd', 'otp'],
      mfa_verified: true,
      auth_time: instant(auth_time),
      issued_at: instant(iat),
      expires_at: instant(exp),
    })
    expect(exp - iat).toBe(900)
  })

  it('knows the same token again, and still sees its session end', async () => {
    const { session, access_token: token } = await tenant.session()
    for (let n = 0; n < 3; n++) expect((await verify(token)).body.valid).toBe(true)
    await tenant.call('DELETE', '/v1/sessions', { query: { user_id: 'usr_1' } })
    expect(await reasonOf(token)).toBe('session_revoked')
    expect((await tenant.call('GET', `/v1/sessions/${session.id}`)).body.status).toBe('revoked')
  })

  it.each([
    ['nothing', ''],
    ['a word', 'token'],
    ['three empty parts', '..'],
    ['another alphabet', '✓.✓.✓'],
    ['1 MB', 'A'.repeat(1024 * 1024)],
    ['1 MB of dots', '.'.repeat(1024 * 1024)],
  ])('finds %s malformed', async (_, token) => {
    expect(await reasonOf(token)).toBe('malformed')
  })

  it('tells a token of another tenant from one of its own, and no more', async () => {
    const other = await sesame.tenant()
    const { access_token: token } = await other.session()
    expect((await verify(token, other)).body.valid).toBe(true)
    expect(await reasonOf(token)).toBe('signature_invalid')
  })

  it('finds each fixed claim that is wrong, though the signature is right', async () => {
    const { access_token: token } = await tenant.session()
    const nowSeconds = Math.floor(sesame.node.clock.nowMs() / 1000)
    const reason = async (claims: Record<string, unknown>) => reasonOf(await signAs(token, claims))
    expect((await verify(await signAs(token, {}))).body.valid).toBe(true)
    expect(await reason({ iss: 'http://sesame.test/t/tnt_1' })).toBe('issuer_invalid')
    expect(await reason({ aud: 'other' })).toBe('audience_invalid')
    expect(await reason({ exp: nowSeconds - 1 })).toBe('expired')
    expect(await reason({ iat: nowSeconds + 120 })).toBe('not_yet_valid')
    expect(await reason({ nbf: nowSeconds + 120 })).toBe('not_yet_valid')
    expect(await reason({ exp: undefined })).toBe('malformed')
    expect(await reason({ sid: 7 })).toBe('malformed')
  })

  it('finds a token whose session does not exist', async () => {
    const { session, access_token: token } = await tenant.session()
    await tenant.call('DELETE', `/v1/sessions/${session.id}`)
    await sesame.node.database.pool.query('DELETE FROM sessions WHERE id = $1', [session.id])
    expect(await reasonOf(token)).toBe('session_not_found')
  })

  it('finds a session that has expired before its token', async () => {
    const { session, access_token: token } = await tenant.session()
    // A change of role makes the node look at the session itself.
    await tenant.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: 'x' } })
    await sesame.node.database.pool.query('UPDATE sessions SET ends_at = $2 WHERE id = $1', [
      session.id,
      new Date(sesame.node.clock.nowMs() - 1000),
    ])
    expect(await reasonOf(token)).toBe('session_expired')
  })

  it('refuses a token from the very second it says, with no leeway', async () => {
    const own = await sesame.tenant({ settings: { access_token_ttl_seconds: 30 } })
    const { access_token: token } = await own.session()
    sesame.node.clock.advanceSeconds(28)
    expect((await verify(token, own)).body.valid).toBe(true)
    sesame.node.clock.advanceSeconds(2)
    expect(await reasonOf(token, own)).toBe('expired')
  })

  it('refuses the tokens of a signing key from the moment it is revoked', async () => {
    const own = await sesame.tenant()
    const { access_token: token } = await own.session()
    const answer = await own.call('DELETE', `/v1/signing-keys/${kidOf(token)}`)
    expect(answer.status).toBe(204)
    expect(await reasonOf(token, own)).toBe('signature_invalid')
  })

  it('expects the audience that the tenant has set, from then on', async () => {
    const own = await sesame.tenant()
    const { access_token: before } = await own.session()
    const settings = { audience: 'https://api.example.com/' }
    await sesame.operator.call('PATCH', `/v1/tenants/${own.id}`, { body: { settings } })
    expect(await reasonOf(before, own)).toBe('audience_invalid')
    const { access_token: after } = await own.session()
    expect(claimsOf(after).aud).toBe(settings.audience)
    expect((await verify(after, own)).body.valid).toBe(true)
  })

  it('takes a body of 4 MB, and answers 413 to more', async () => {
    const envelope = '{"token":""}'.length
    const largest = 'A'.repeat(4 * 1024 * 1024 - envelope)
    expect(await reasonOf(largest)).toBe('malformed')
    expectProblem(await verify(`${largest}A`), 'body_too_large')
  })

  it.each([
    ['a number', { token: 7 }, 'token'],
    ['null', { token: null }, 'token'],
    ['a list', { token: ['a'] }, 'token'],
    ['nothing', {}, 'token'],
    ['another field', { token: 'x', audience: 'y' }, 'audience'],
  ])('refuses %s for a token', async (_, body, field) => {
    const answer = await tenant.call('POST', '/v1/sessions/verify', { body })
    expectProblem(answer, 'request_invalid', field)
  })

  it('refuses every token of a tenant that is suspended or gone', async () => {
    const own = await sesame.tenant()
    const { access_token: token } = await own.session()
    const status = (value: string) =>
      sesame.operator.call('PATCH', `/v1/tenants/${own.id}`, { body: { status: value } })
    await status('suspended')
    expectProblem(await verify(token, own), 'tenant_suspended')
    const asOperator = await sesame.operator.call('POST', '/v1/sessions/verify', {
      headers: { 'x-tenant-id': own.id },
      body: { token },
    })
    expect(asOperator.body).toEqual({ valid: false, reason: 'session_revoked' })
    await status('active')
    expect((await verify(token, own)).body.valid).toBe(true)
    await sesame.operator.call('DELETE', `/v1/tenants/${own.id}`)
    expectProblem(await verify(token, own), 'api_key_invalid')
  })
})
