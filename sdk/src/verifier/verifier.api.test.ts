import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createTestApp,
  type TestApp,
  type TestTenant,
} from '../../../services/api/test/test-app.ts'
import { TEST_PUBLIC_URL } from '../../../services/api/test/test-node.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

let sesame: TestApp
let baseUrl: string
const open: Verifier[] = []

beforeAll(async () => {
  sesame = await createTestApp()
  baseUrl = await sesame.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  for (const verify of open) verify.close()
  await sesame.close()
})

function verifierOf(tenant: TestTenant, options: Partial<VerifierOptions> = {}): Verifier {
  const verify = createVerifier({
    issuer: `${TEST_PUBLIC_URL}/t/${tenant.id}`,
    baseUrl,
    jwksUri: `${baseUrl}/t/${tenant.id}/.well-known/jwks.json`,
    revocations: { secretKey: tenant.secret },
    ...options,
  })
  open.push(verify)
  return verify
}

/** Ten at a time: as many as the node has connections to its database. */
async function inTurns<T>(count: number, make: (at: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  while (made.length < count) {
    const turn = Array.from(
      { length: Math.min(10, count - made.length) },
      (_, at) => made.length + at,
    )
    made.push(...(await Promise.all(turn.map(make))))
  }
  return made
}

/** A fetch that counts what is asked of the API about tokens. */
function countQuestions() {
  let questions = 0
  const counting: typeof globalThis.fetch = (input, init) => {
    if (String(input).endsWith('/v1/sessions/verify')) questions++
    return fetch(input, init)
  }
  return { fetch: counting, asked: () => questions }
}

const until = (verify: Verifier, token: string, reason: string) =>
  expect
    .poll(() => verify(token), { timeout: 10_000, interval: 5 })
    .toEqual({ valid: false, reason })

describe('a verifier that follows the feed of a real node', () => {
  it('says of a session what the API says of it', async () => {
    const tenant = await sesame.tenant()
    const verify = verifierOf(tenant)
    await verify.ready()
    const { session, access_token: token } = await tenant.session({
      amr: ['pwd', 'otp'],
      role: 'x',
    })
    const { body } = await tenant.call('POST', '/v1/sessions/verify', { body: { token } })
    const verification = await verify(token)
    expect(verification).toEqual({
      valid: true,
      session: {
        sessionId: session.id,
        userId: body.user_id,
        tenantId: tenant.id,
        orgId: null,
        appId: null,
        role: 'x',
        amr: ['pwd', 'otp'],
        mfaVerified: true,
        authTime: body.auth_time,
        issuedAt: body.issued_at,
        expiresAt: body.expires_at,
      },
    })
    expect(verify.status()).toMatchObject({ feed: 'streaming', isStale: false, lastError: null })
  })

  it('refuses what was revoked before it came and what is revoked after', async () => {
    const tenant = await sesame.tenant()
    const [before, after] = [await tenant.session(), await tenant.session()]
    await tenant.call('DELETE', `/v1/sessions/${before.session.id}`)
    const verify = verifierOf(tenant, { onStale: 'refuse' })
    await verify.ready()
    expect(await verify(before.access_token)).toEqual({ valid: false, reason: 'session_revoked' })
    expect(await verify(after.access_token)).toMatchObject({ valid: true })
    await tenant.call('DELETE', `/v1/sessions/${after.session.id}`)
    await until(verify, after.access_token, 'session_revoked')
  })

  it('spares whom a bulk revoke spares, and who comes after it', async () => {
    const tenant = await sesame.tenant()
    const verify = verifierOf(tenant, { onStale: 'refuse' })
    await verify.ready()
    const [kept, ended] = [await tenant.session(), await tenant.session()]
    const other = await tenant.session({ user_id: 'usr_2' })
    const query = { user_id: 'usr_1', except: kept.session.id }
    await tenant.call('DELETE', '/v1/sessions', { query })
    await until(verify, ended.access_token, 'session_revoked')
    const later = await tenant.session()
    for (const { access_token: token } of [kept, other, later])
      expect(await verify(token)).toMatchObject({ valid: true })
  })

  it('says the role of today after a change, and asks about it once', async () => {
    const tenant = await sesame.tenant()
    const { fetch, asked } = countQuestions()
    const verify = verifierOf(tenant, { fetch })
    await verify.ready()
    const made = await tenant.session({ role: 'admin' })
    expect(await verify(made.access_token)).toMatchObject({ session: { role: 'admin' } })
    const path = `/v1/sessions/${made.session.id}`
    await tenant.call('PATCH', path, { body: { role: 'member' } })
    await expect
      .poll(() => verify(made.access_token), { timeout: 10_000, interval: 5 })
      .toMatchObject({ valid: true, session: { role: 'member' } })
    await Promise.all(Array.from({ length: 20 }, () => verify(made.access_token)))
    expect(asked()).toBe(1)
    const late = verifierOf(tenant, { fetch })
    await late.ready()
    expect(await late(made.access_token)).toMatchObject({ session: { role: 'member' } })
    expect(asked()).toBe(2)
  })

  it('asks nothing about a token that was refreshed after the change', async () => {
    const tenant = await sesame.tenant()
    const { fetch, asked } = countQuestions()
    const verify = verifierOf(tenant, { fetch })
    await verify.ready()
    const made = await tenant.session({ role: 'admin' })
    const path = `/v1/sessions/${made.session.id}`
    await tenant.call('PATCH', path, { body: { role: 'member', org_id: 'org_2' } })
    sesame.node.clock.advanceSeconds(3)
    const body = { refresh_token: made.refresh_token }
    const refreshed = await tenant.call('POST', '/v1/sessions/refresh', { body })
    await expect.poll(() => verify.status().entries, { timeout: 10_000 }).toBe(1)
    const session = { role: 'member', orgId: 'org_2' }
    expect(await verify(refreshed.body.access_token)).toMatchObject({ valid: true, session })
    expect(asked()).toBe(0)
    expect(await verify(made.access_token)).toMatchObject({ valid: true, session })
    expect(asked()).toBe(1)
  })

  it('refuses a session that moved when the organisation it moved into is revoked, and tells its listeners', async () => {
    const tenant = await sesame.tenant()
    const verify = verifierOf(tenant)
    await verify.ready()
    const into = await tenant.session({ org_id: 'org_1' })
    const outOf = await tenant.session({ org_id: 'org_2' })
    const verdicts = [await verify(into.access_token), await verify(outOf.access_token)]
    let wrong = 0
    const told = new Promise<void>(resolve => {
      const [first, second] = verdicts
      if (first?.valid !== true || second?.valid !== true) throw new Error('they should be valid')
      verify.onRevoked(first.session, resolve)
      verify.onRevoked(second.session, () => wrong++)
    })
    await tenant.call('PATCH', `/v1/sessions/${into.session.id}`, { body: { org_id: 'org_2' } })
    await tenant.call('PATCH', `/v1/sessions/${outOf.session.id}`, { body: { org_id: 'org_1' } })
    await expect.poll(() => verify.status().entries, { timeout: 10_000 }).toBe(2)
    expect(await verify(into.access_token)).toMatchObject({ session: { orgId: 'org_2' } })
    await tenant.call('DELETE', '/v1/sessions', { query: { org_id: 'org_2' } })
    await told
    await until(verify, into.access_token, 'session_revoked')
    expect(await verify(outOf.access_token)).toMatchObject({ session: { orgId: 'org_1' } })
    expect(wrong).toBe(0)
  })

  it('catches up with more than a page of revocations', async () => {
    const tenant = await sesame.tenant()
    const made = await inTurns(1_100, () => tenant.session())
    await inTurns(1_099, at => tenant.call('DELETE', `/v1/sessions/${made[at]?.session.id}`))
    const verify = verifierOf(tenant, { onStale: 'refuse' })
    await verify.ready()
    const verdicts = await Promise.all(made.map(({ access_token: token }) => verify(token)))
    expect(verdicts.filter(({ valid }) => valid)).toHaveLength(1)
    expect(verify.status()).toMatchObject({ entries: 1_099 })
  })

  it('refuses every token of a suspended tenant, tells its listeners, and comes back with it', async () => {
    const tenant = await sesame.tenant()
    const verify = verifierOf(tenant, { onStale: 'refuse' })
    await verify.ready()
    const { access_token: token } = await tenant.session()
    const verification = await verify(token)
    if (!verification.valid) throw new Error('it should be valid')
    const told = new Promise<void>(resolve => verify.onRevoked(verification.session, resolve))
    const path = `/v1/tenants/${tenant.id}`
    await sesame.operator.call('PATCH', path, { body: { status: 'suspended' } })
    await until(verify, token, 'session_revoked')
    await told
    await sesame.operator.call('PATCH', path, { body: { status: 'active' } })
    await expect.poll(() => verify(token), { timeout: 10_000 }).toMatchObject({ valid: true })
  })

  it('drops a signing key that was revoked, and takes the one that follows', async () => {
    const tenant = await sesame.tenant()
    const verify = verifierOf(tenant, { onStale: 'refuse' })
    await verify.ready()
    const { access_token: token } = await tenant.session()
    expect(await verify(token)).toMatchObject({ valid: true })
    const header = JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString())
    await tenant.call('DELETE', `/v1/signing-keys/${header.kid}`)
    await until(verify, token, 'signature_invalid')
    const { access_token: next } = await tenant.session()
    expect(await verify(next)).toMatchObject({ valid: true })
  })

  it('goes on when its key is one of those that end the stream', async () => {
    const tenant = await sesame.tenant()
    const verify = verifierOf(tenant, { onStale: 'refuse' })
    await verify.ready()
    const key = await tenant.withKey({})
    await tenant.call('DELETE', `/v1/api-keys/${key.id}`)
    const { session, access_token: token } = await tenant.session()
    await tenant.call('DELETE', `/v1/sessions/${session.id}`)
    await until(verify, token, 'session_revoked')
  })

  it('says at once that a key is not good', async () => {
    const tenant = await sesame.tenant()
    const { secret } = await tenant.withKey({ scopes: ['sessions:verify'] })
    const verify = verifierOf(tenant, { revocations: { secretKey: secret } })
    await expect(verify.ready()).rejects.toThrow('the feed answered 403 scope_missing')
    const unknown = verifierOf(tenant, { revocations: { secretKey: 'sk_test_wrong' } })
    await expect(unknown.ready()).rejects.toThrow('the feed answered 401 api_key_invalid')
    const { access_token: token } = await tenant.session()
    expect(await verify(token)).toMatchObject({ valid: true })
    await expect(unknown(token)).rejects.toMatchObject({ code: 'verify_unavailable', status: 503 })
  })

  it('of a hundred on one node, each refuses soon after the revoke answered', async () => {
    const tenant = await sesame.tenant()
    const verifiers = Array.from({ length: 100 }, () => verifierOf(tenant, { onStale: 'refuse' }))
    await Promise.all(verifiers.map(verify => verify.ready()))
    const { session, access_token: token } = await tenant.session()
    const verdicts = await Promise.all(verifiers.map(verify => verify(token)))
    const delaysMs: number[] = []
    let answeredAtMs = 0
    const refused = verifiers.map(
      (verify, at) =>
        new Promise<void>(resolve => {
          const verdict = verdicts[at]
          if (verdict?.valid !== true) throw new Error('it should be valid')
          verify.onRevoked(verdict.session, () => {
            delaysMs.push(Math.max(0, performance.now() - answeredAtMs))
            resolve()
          })
        }),
    )
    await tenant.call('DELETE', `/v1/sessions/${session.id}`)
    answeredAtMs = performance.now()
    await Promise.all(refused)
    for (const verify of verifiers)
      expect(await verify(token)).toEqual({ valid: false, reason: 'session_revoked' })
    const sorted = delaysMs.toSorted((a, b) => a - b)
    console.info(
      `revoke to refusal, 100 verifiers: p50 ${sorted[49]?.toFixed(0)} ms, p99 ${sorted[98]?.toFixed(0)} ms`,
    )
    expect(sorted.at(-1)).toBeLessThan(5_000)
  })
})
