import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isMfa as isMfaOfService } from '../../../services/api/src/sessions/mfa.ts'
import { VerifierUnavailableError } from '../errors.ts'
import { Sesame } from '../sesame.ts'
import { createVerifier, type Verifier, type VerifierOptions } from '../verifier/verifier.ts'
import { isMfa } from './mfa.ts'
import { createTestTenant, type TestTenant } from './test-tenant.ts'

let sesame: TestTenant
let verifiers: Verifier[]

beforeEach(async () => {
  sesame = await createTestTenant()
  verifiers = []
})
afterEach(() => {
  for (const verify of verifiers) verify.close()
})

async function listen(options: Partial<VerifierOptions> = {}): Promise<Verifier> {
  const verify = createVerifier({ ...sesame.verifierOptions, ...options })
  verifiers.push(verify)
  await verify.ready()
  return verify
}

const reasonOf = async (verify: Verifier, token: string): Promise<string> => {
  const verification = await verify(token)
  return verification.valid ? 'valid' : verification.reason
}

/** What `POST /v1/sessions/verify` says. */
const askService = async (token: string): Promise<string> => {
  const verification = await new Sesame(sesame.clientOptions).sessions.verify(token)
  return verification.valid ? 'valid' : verification.reason
}

describe('tokens', () => {
  it('say what they were made of', async () => {
    const verify = await listen()
    const authTime = new Date('2026-01-02T03:04:05Z')
    const token = await sesame.mintAccessToken({
      sessionId: 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
      userId: 'ada',
      orgId: 'org_1',
      appId: 'web',
      role: 'admin',
      amr: ['pwd', 'otp'],
      authTime,
    })
    expect(await verify(token)).toMatchObject({
      valid: true,
      session: {
        sessionId: 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
        userId: 'ada',
        tenantId: sesame.tenantId,
        orgId: 'org_1',
        appId: 'web',
        role: 'admin',
        amr: ['pwd', 'otp'],
        mfaVerified: true,
        authTime: authTime.toISOString(),
      },
    })
  })

  it('are good, expired, revoked and forged as they are called', async () => {
    const verify = await listen()
    const tokens = {
      valid: await sesame.mintAccessToken(),
      expired: await sesame.mintExpiredToken(),
      session_revoked: await sesame.mintRevokedToken(),
      signature_invalid: await sesame.mintForgedToken(),
    }
    for (const [verdict, token] of Object.entries(tokens)) {
      expect(await reasonOf(verify, token)).toBe(verdict)
      expect(await askService(token)).toBe(verdict)
    }
  })

  it('of the hostile corpus are refused for a right reason, by the verifier and by the service', async () => {
    const verify = await listen()
    const corpus = await sesame.hostileTokens()
    expect(corpus.length).toBeGreaterThan(4_000)
    const wrong: unknown[] = []
    for (const [at, { name, token, reasons }] of corpus.entries()) {
      const verdict = await reasonOf(verify, token)
      // The flips are alike; the service, which is slower, gets a few of them.
      const isAsked = at % 20 === 0 || !/ bit |^character/.test(name)
      const answer = isAsked ? await askService(token) : verdict
      if (!reasons.some(reason => reason === verdict) || verdict !== answer)
        wrong.push({ name, reasons, verdict, answer })
    }
    expect(wrong).toEqual([])
  })

  it('have the factors counted as the service counts them', () => {
    const methods = ['pwd', 'pin', 'otp', 'sms', 'hwk', 'fpt', 'face', 'mfa', 'constructor', 'x']
    for (const one of methods)
      for (const other of methods) expect(isMfa([one, other])).toBe(isMfaOfService([one, other]))
  })
})

describe('a revoke', () => {
  it('is known to every verifier that listens when it has resolved', async () => {
    const all = await Promise.all([listen(), listen(), listen()])
    const token = await sesame.mintAccessToken()
    for (const verify of all) expect(await reasonOf(verify, token)).toBe('valid')
    await sesame.revoke(token)
    for (const verify of all) expect(await reasonOf(verify, token)).toBe('session_revoked')
  })

  it('takes an id, a token, or what verify answered', async () => {
    const verify = await listen()
    const tokens = await Promise.all([1, 2, 3].map(() => sesame.mintAccessToken()))
    const [first = '', second = '', third = ''] = tokens
    const verification = await verify(third)
    if (!verification.valid) throw new Error('it is good')
    const other = await verify(second)
    if (!other.valid) throw new Error('it is good')
    await sesame.revoke(first)
    await sesame.revoke(other.session.sessionId)
    await sesame.revoke(verification.session)
    for (const token of tokens) expect(await reasonOf(verify, token)).toBe('session_revoked')
  })

  it('of many ends those that match, spares one, and ends none that come later', async () => {
    const verify = await listen()
    const ada = await sesame.mintAccessToken({ userId: 'ada' })
    const sessionId = 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
    const spared = await sesame.mintAccessToken({ userId: 'ada', sessionId })
    const grace = await sesame.mintAccessToken({ userId: 'grace' })
    await sesame.revokeAll({ userId: 'ada', except: sessionId })
    const later = await sesame.mintAccessToken({ userId: 'ada' })
    expect(await reasonOf(verify, ada)).toBe('session_revoked')
    for (const token of [spared, grace, later]) {
      expect(await reasonOf(verify, token)).toBe('valid')
      expect(await askService(token)).toBe('valid')
    }
    await sesame.revokeAll()
    for (const token of [spared, grace, later])
      expect(await reasonOf(verify, token)).toBe('session_revoked')
  })

  it('reaches whoever listens for it', async () => {
    const verify = await listen()
    const verification = await verify(await sesame.mintAccessToken())
    if (!verification.valid) throw new Error('it is good')
    const closed = new Promise<void>(resolve => verify.onRevoked(verification.session, resolve))
    await sesame.revoke(verification.session)
    await closed
  })
})

describe('signing keys', () => {
  it('rotate: old tokens stay good, new ones are taken', async () => {
    const verify = await listen()
    const before = await sesame.mintAccessToken()
    await sesame.rotateSigningKey()
    expect(await reasonOf(verify, await sesame.mintAccessToken())).toBe('valid')
    expect(await reasonOf(verify, before)).toBe('valid')
  })

  it('are revoked: tokens of the old ones are refused', async () => {
    const verify = await listen()
    const before = await sesame.mintAccessToken()
    expect(await reasonOf(verify, before)).toBe('valid')
    await sesame.revokeSigningKeys()
    expect(await reasonOf(verify, await sesame.mintAccessToken())).toBe('valid')
    expect(await reasonOf(verify, before)).toBe('signature_invalid')
  })
})

describe('trouble', () => {
  it('is not there: verifying costs no request', async () => {
    const verify = await listen()
    const before = sesame.requests.length
    for (let n = 0; n < 50; n++) await verify(await sesame.mintAccessToken())
    expect(sesame.requests.length).toBe(before)
  })

  it('with the feed: the verifier asks, and a revocation is not missed', async () => {
    const verify = await listen({ maxStaleness: 300 })
    const token = await sesame.mintAccessToken()
    expect(await reasonOf(verify, token)).toBe('valid')
    expect(sesame.requests).not.toContain('POST /v1/sessions/verify')
    sesame.cutFeed()
    await expect.poll(() => verify.status().isStale).toBe(true)
    await sesame.revoke(token)
    expect(await reasonOf(verify, token)).toBe('session_revoked')
    expect(sesame.requests).toContain('POST /v1/sessions/verify')
    sesame.restoreFeed()
    await expect.poll(() => verify.status().isStale, { timeout: 10_000 }).toBe(false)
    expect(await reasonOf(verify, token)).toBe('session_revoked')
  })

  it('with the service: the verifier says that it cannot know, and recovers', async () => {
    const verify = await listen({ maxStaleness: 300 })
    const token = await sesame.mintAccessToken()
    sesame.goDown()
    await expect.poll(() => verify.status().isStale).toBe(true)
    await expect(verify(token)).rejects.toBeInstanceOf(VerifierUnavailableError)
    sesame.comeBack()
    expect(await reasonOf(verify, token)).toBe('valid')
  })

  it('with the tenant: a suspended one has no good token', async () => {
    const verify = await listen()
    const token = await sesame.mintAccessToken()
    await sesame.suspend()
    await expect.poll(() => reasonOf(verify, token)).toBe('session_revoked')
    sesame.resume()
    await expect.poll(() => reasonOf(verify, token), { timeout: 10_000 }).toBe('valid')
  })
})

describe('a client of the tenant', () => {
  it('signs in, lists, refreshes and signs out with no server', async () => {
    const { sessions } = new Sesame(sesame.clientOptions)
    const verify = await listen()
    const first = await sessions.create({ userId: 'ada', amr: ['pwd'], metadata: { plan: 'pro' } })
    const second = await sessions.create({ userId: 'ada' })
    await sessions.create({ userId: 'grace' })
    expect(await reasonOf(verify, first.accessToken)).toBe('valid')

    const mine = []
    for await (const session of sessions.list({ userId: 'ada', limit: 1 })) mine.push(session.id)
    expect(mine).toEqual([second.session.id, first.session.id])

    const refreshed = await sessions.refresh({ refreshToken: first.refreshToken })
    expect(refreshed.session).toMatchObject({ id: first.session.id, metadata: { plan: 'pro' } })
    const { revoked } = await sessions.revokeAll({ userId: 'ada', except: first.session.id })
    expect(revoked).toBe(1)
    expect(await reasonOf(verify, second.accessToken)).toBe('session_revoked')
    expect(await reasonOf(verify, refreshed.accessToken)).toBe('valid')
    await sessions.revoke(first.session.id)
    expect(await reasonOf(verify, refreshed.accessToken)).toBe('session_revoked')
    expect(await sessions.get(first.session.id)).toMatchObject({ status: 'revoked' })
  })

  it('changes a session: verifiers know its role and organisation, and bulk revokes follow it', async () => {
    const { sessions } = new Sesame(sesame.clientOptions)
    const verify = await listen()
    const { session, accessToken } = await sessions.create({ userId: 'ada', orgId: 'org_1' })
    await sesame.revokeAll({ orgId: 'org_2' })
    await sessions.update(session.id, { role: 'admin', orgId: 'org_2' })
    const today = { valid: true, session: { role: 'admin', orgId: 'org_2' } }
    expect(await verify(accessToken)).toMatchObject(today)
    await sesame.revokeAll({ orgId: 'org_1' })
    expect(await verify(accessToken)).toMatchObject(today)
    await sesame.revokeAll({ orgId: 'org_2' })
    expect(await reasonOf(verify, accessToken)).toBe('session_revoked')
    expect(await askService(accessToken)).toBe('session_revoked')
    expect(await sessions.get(session.id)).toMatchObject({ status: 'revoked' })
  })

  it('is out when a refresh token is used twice', async () => {
    const { sessions } = new Sesame(sesame.clientOptions)
    const { refreshToken } = await sessions.create({ userId: 'ada' })
    const { refreshToken: next } = await sessions.refresh({ refreshToken })
    await expect(sessions.refresh({ refreshToken })).rejects.toMatchObject({
      code: 'refresh_token_reuse',
    })
    await expect(sessions.refresh({ refreshToken: next })).rejects.toMatchObject({ status: 401 })
  })

  it('with another key may do nothing', async () => {
    const other = await createTestTenant()
    const { sessions } = new Sesame({ ...sesame.clientOptions, secretKey: other.secretKey })
    await expect(sessions.create({ userId: 'ada' })).rejects.toMatchObject({ status: 401 })
  })
})
