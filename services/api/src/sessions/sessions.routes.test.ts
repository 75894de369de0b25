import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
})
afterAll(() => sesame.close())

it('creates a session, verifies its token, revokes it, and refuses the token', async () => {
  const created = await tenant.call('POST', '/v1/sessions', {
    body: { user_id: 'usr_1', amr: ['pwd', 'otp'], metadata: { plan: 'pro' } },
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
  const revoked = await tenant.call('DELETE', `/v1/sessions/${session.id}`, {
    query: { reason: 'signed_out' },
  })
  expect(revoked.status).toBe(204)
  expect((await verify()).body).toEqual({ valid: false, reason: 'session_revoked' })
  const read = await tenant.call('GET', `/v1/sessions/${session.id}`)
  expect(read.body).toMatchObject({ status: 'revoked', revoke_reason: 'signed_out' })
})
