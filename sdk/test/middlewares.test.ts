import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVerifier, type Verifier, VerifierUnavailableError } from '../src/index.ts'
import type { HostileToken } from '../src/testing/hostile-tokens.ts'
import { createTestTenant, type TestTenant } from '../src/testing/index.ts'
import { FRAMEWORKS, type RunningApp } from './frameworks.ts'
import { rawRequest } from './raw-request.ts'

type Token = (sesame: TestTenant) => string | null | Promise<string | null>

interface Case {
  name: string
  path: string
  /** What follows `Authorization: `; null for no header. */
  authorization: Token
  status: number
  code?: string
  reason?: string
  challenge?: string
}

const bearer =
  (token: Token): Token =>
  async sesame =>
    `Bearer ${await token(sesame)}`
const good = bearer(sesame => sesame.mintAccessToken({ userId: 'ada' }))
const anHourAgo = () => new Date(Date.now() - 3_600_000)
const invalid = (reason: string, description: string) => ({
  status: 401,
  code: 'access_token_invalid',
  reason,
  challenge: `Bearer realm="api", error="invalid_token", error_description="${description}"`,
})
const MISSING = { status: 401, code: 'access_token_missing', challenge: 'Bearer realm="api"' }
const stepUp = (realm: string, description: string, parameters: string) =>
  `Bearer realm="${realm}", error="insufficient_user_authentication", ` +
  `error_description="${description}", ${parameters}`
const REPEATED = {
  status: 400,
  code: 'authorization_repeated',
  challenge:
    'Bearer realm="api", error="invalid_request", ' +
    'error_description="Send one Authorization header with one access token."',
}

const CASES: Case[] = [
  { name: 'a good token', path: '/me', authorization: good, status: 200 },
  {
    name: 'a lower-case scheme',
    path: '/me',
    authorization: async sesame => `bearer   ${await sesame.mintAccessToken()}`,
    status: 200,
  },
  { name: 'no token', path: '/me', authorization: () => null, ...MISSING },
  { name: 'an empty header', path: '/me', authorization: () => '', ...MISSING },
  { name: 'another scheme', path: '/me', authorization: () => 'Basic YTpi', ...MISSING },
  {
    name: 'a scheme that only begins like ours',
    path: '/me',
    authorization: async sesame => `Bearerx ${await sesame.mintAccessToken()}`,
    ...MISSING,
  },
  {
    name: 'the scheme alone',
    path: '/me',
    authorization: () => 'Bearer',
    ...invalid('malformed', 'The access token is malformed.'),
  },
  {
    name: 'a tab for a space',
    path: '/me',
    authorization: async sesame => `Bearer\t${await sesame.mintAccessToken()}`,
    ...invalid('malformed', 'The access token is malformed.'),
  },
  {
    name: 'quotes and a challenge of its own',
    path: '/me',
    authorization: () => 'Bearer x", error="none", realm="evil',
    ...invalid('malformed', 'The access token is malformed.'),
  },
  {
    name: 'letters beyond ASCII',
    path: '/me',
    authorization: () => 'Bearer \u00e4\u00f6\u00fc\u00ff.\u00e9.\u00e8',
    ...invalid('malformed', 'The access token is malformed.'),
  },
  {
    name: 'two tokens in one header',
    path: '/me',
    authorization: async sesame =>
      `Bearer ${await sesame.mintAccessToken()}, Bearer ${await sesame.mintAccessToken()}`,
    ...REPEATED,
  },
  {
    name: 'an expired token',
    path: '/me',
    authorization: bearer(sesame => sesame.mintExpiredToken()),
    ...invalid('expired', 'The access token has expired.'),
  },
  {
    name: 'a revoked token',
    path: '/me',
    authorization: bearer(sesame => sesame.mintRevokedToken()),
    ...invalid('session_revoked', 'The session was revoked.'),
  },
  {
    name: 'a forged token',
    path: '/me',
    authorization: bearer(sesame => sesame.mintForgedToken()),
    ...invalid('signature_invalid', 'The signature of the access token is not valid.'),
  },
  {
    name: 'a role that suffices',
    path: '/admin',
    authorization: bearer(sesame => sesame.mintAccessToken({ role: 'owner' })),
    status: 200,
  },
  ...['member', null, 'Admin', 'admin,owner'].map(role => ({
    name: `the role ${role}`,
    path: '/admin',
    authorization: bearer(sesame => sesame.mintAccessToken({ role })),
    status: 403,
    code: 'role_missing',
    challenge:
      'Bearer realm="api", error="insufficient_scope", ' +
      'error_description="The role of the session does not allow this."',
  })),
  {
    name: 'two factors',
    path: '/mfa',
    authorization: bearer(sesame => sesame.mintAccessToken({ amr: ['pwd', 'otp'] })),
    status: 200,
  },
  {
    name: 'one factor',
    path: '/mfa',
    authorization: bearer(sesame => sesame.mintAccessToken({ amr: ['pwd', 'pin'] })),
    status: 401,
    code: 'mfa_missing',
    challenge: stepUp('api', 'The user must sign in with a second factor.', 'acr_values="mfa"'),
  },
  { name: 'a recent sign-in', path: '/recent', authorization: good, status: 200 },
  {
    name: 'a sign-in of an hour ago',
    path: '/recent',
    authorization: bearer(sesame => sesame.mintAccessToken({ authTime: anHourAgo() })),
    status: 401,
    code: 'authentication_too_old',
    challenge: stepUp('api', 'The user must sign in again.', 'max_age="60"'),
  },
  {
    name: 'all that is demanded',
    path: '/strict',
    authorization: bearer(sesame => sesame.mintAccessToken({ role: 'admin', amr: ['mfa'] })),
    status: 200,
  },
  {
    name: 'neither a second factor nor a recent sign-in',
    path: '/strict',
    authorization: bearer(sesame =>
      sesame.mintAccessToken({ role: 'admin', authTime: anHourAgo() }),
    ),
    status: 401,
    code: 'mfa_missing',
    challenge: stepUp(
      'bank',
      'The user must sign in with a second factor.',
      'acr_values="mfa", max_age="60"',
    ),
  },
  { name: 'a good token, optional', path: '/optional', authorization: good, status: 200 },
  { name: 'no token, optional', path: '/optional', authorization: () => null, status: 200 },
  {
    name: 'a bad token, optional',
    path: '/optional',
    authorization: () => 'Bearer x.y.z',
    ...invalid('malformed', 'The access token is malformed.'),
  },
  {
    name: 'a header where a cookie is asked for',
    path: '/cookie',
    authorization: good,
    ...MISSING,
  },
]

describe.each(Object.entries(FRAMEWORKS))('%s', (name, start) => {
  let sesame: TestTenant
  let verify: Verifier
  let app: RunningApp

  beforeAll(async () => {
    sesame = await createTestTenant()
    verify = createVerifier(sesame.verifierOptions)
    await verify.ready()
    app = await start(verify)
  })
  afterAll(async () => {
    await app.close()
    verify.close()
  })

  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(app.url + path, { method, headers })
  const tokenHeader = async (token: Promise<string>) => ({ authorization: `Bearer ${await token}` })

  test.each(CASES)('$name: $status', async each => {
    const authorization = await each.authorization(sesame)
    const response = await get(each.path, authorization === null ? {} : { authorization })
    const text = await response.text()
    const body = JSON.parse(text)
    expect({ status: response.status, body }).toMatchObject({ status: each.status })
    expect(response.headers.get('www-authenticate')).toBe(each.challenge ?? null)
    if (each.code === undefined) return
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      type: `urn:sesame:problem:${each.code}`,
      title: expect.any(String),
      status: each.status,
      code: each.code,
      detail: expect.any(String),
      ...(each.reason !== undefined && { reason: each.reason }),
    })
  })

  test('gives the handler the session', async () => {
    const token = sesame.mintAccessToken({ userId: 'grace' })
    const response = await get('/me', await tokenHeader(token))
    expect(await response.json()).toEqual({ userId: 'grace' })
    expect(await (await get('/optional')).json()).toEqual({ userId: null })
  })

  test('takes the token from where it is told', async () => {
    const token = await sesame.mintAccessToken({ userId: 'cookie monster' })
    const response = await get('/cookie', { cookie: `a=b; access_token=${token}` })
    expect(await response.json()).toEqual({ userId: 'cookie monster' })
    expect((await get('/cookie', { cookie: 'access_token=x.y.z' })).status).toBe(401)
  })

  test('refuses a session from the moment that it is revoked', async () => {
    const token = await sesame.mintAccessToken()
    const headers = await tokenHeader(Promise.resolve(token))
    expect((await get('/me', headers)).status).toBe(200)
    await sesame.revoke(token)
    expect((await get('/me', headers)).status).toBe(401)
  })

  test('answers HEAD as GET, with no body', async () => {
    const response = await get('/me', {}, 'HEAD')
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe(MISSING.challenge)
    expect(await response.text()).toBe('')
  })

  test('makes no exception for OPTIONS, and reads no body before it refuses', async () => {
    expect((await get('/me', {}, 'OPTIONS')).status).toBe(401)
    const body = 'x'.repeat(1024 * 1024)
    const response = await fetch(`${app.url}/me`, { method: 'POST', body })
    expect(response.status).toBe(401)
  })

  test('refuses two Authorization headers, whichever of them is good', async () => {
    const line = `Authorization: Bearer ${await sesame.mintAccessToken()}`
    for (const other of ['Authorization: Bearer x.y.z', line, 'AUTHORIZATION: Basic YTpi'])
      for (const lines of [
        [line, other],
        [other, line],
      ]) {
        const { status, text } = await rawRequest(app.url, '/me', lines)
        expect(status).toBe(400)
        expect(text).toContain('authorization_repeated')
      }
  })

  test('lets nothing through that no client would send', async () => {
    const token = await sesame.mintAccessToken()
    const hostile = [
      `Authorization: Bearer ${'A'.repeat(1024 * 1024)}`,
      `Authorization: Bearer ${token}\rX-Evil: 1`,
      `Authorization: Bearer ${token}\nX-Evil: 1`,
      `Authorization: Bearer ${token}\0`,
      `Authorization: Bearer x\r\n ${token}`,
      `Authorization : Bearer ${token}`,
      `Authorization: Bearer ${token}\x7f`,
      `Authorization: Bearer ${token} ${token}`,
      `Authorization: Bearer "${token}"`,
      `Authorization: Bearer ${token},`,
      'Authorization: Bearer \u00ff\u00fe',
    ]
    for (const line of hostile) {
      const { status, text } = await rawRequest(app.url, '/me', [line])
      expect(status, line.slice(0, 60)).toBeGreaterThanOrEqual(400)
      expect(status, line.slice(0, 60)).toBeLessThan(500)
      expect(text).not.toContain(token.slice(-20))
      expect(text).not.toMatch(/^x-evil/im)
    }
    expect((await get('/me', await tokenHeader(sesame.mintAccessToken()))).status).toBe(200)
  })

  test('leaves the errors of a handler to the framework', async () => {
    const response = await get('/broken', await tokenHeader(sesame.mintAccessToken()))
    expect(response.status).toBe(500)
    const byFramework = { handledBy: name }
    const own = expect.objectContaining({ code: 'internal_error' })
    expect(await response.json()).toEqual(name === 'node' ? own : byFramework)
  })
})

describe.each(Object.entries(FRAMEWORKS))('%s that cannot know', (_name, start) => {
  test.each([
    [
      'throws',
      () => Promise.reject(new VerifierUnavailableError('x', { code: 'jwks_unavailable' })),
    ],
    ['is blind', async () => ({ valid: false, reason: 'revocations_stale' }) as const],
  ])('because the verifier %s answers 503, never 401', async (_kind, verify) => {
    const app = await start(verify)
    const response = await fetch(`${app.url}/optional`, { headers: { authorization: 'Bearer x' } })
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(response.headers.get('www-authenticate')).toBeNull()
    expect(await response.json()).toMatchObject({ code: 'verification_unavailable' })
    await app.close()
  })

  test('for another reason leaves the error to the framework', async () => {
    const app = await start(() => Promise.reject(new Error('a bug')))
    const response = await fetch(`${app.url}/me`, { headers: { authorization: 'Bearer x' } })
    expect(response.status).toBe(500)
    await app.close()
  })
})

describe('every hostile token', () => {
  let corpus: HostileToken[]
  let sesame: TestTenant
  beforeAll(async () => {
    sesame = await createTestTenant()
    corpus = await sesame.hostileTokens()
  })

  /** What an HTTP header can carry. */
  const isSendable = ({ token }: HostileToken) =>
    token.length < 8_000 && /^[\t\x20-\x7e\x80-\xff]*$/.test(token) && token.trim() === token

  /** Thousands differ in one bit or one character: a few of these will do over HTTP. */
  const isWorthARequest = ({ name }: HostileToken, at: number) =>
    !/ bit \d+$|^character \d+$/.test(name) || at % 50 === 0

  test.each(Object.entries(FRAMEWORKS))('is refused by %s', async (_name, start) => {
    const verify = createVerifier(sesame.verifierOptions)
    await verify.ready()
    const app = await start(verify)
    const statuses = new Map<string, number>()
    for (const { name, token } of corpus.filter(isSendable).filter(isWorthARequest)) {
      const headers = { authorization: `Bearer ${token}` }
      const response = await fetch(`${app.url}/me`, { headers })
      await response.arrayBuffer()
      statuses.set(name, response.status)
    }
    expect(statuses.size).toBeGreaterThan(200)
    expect([...statuses].filter(([, status]) => status !== 401)).toEqual([])
    await app.close()
    verify.close()
  })
})
