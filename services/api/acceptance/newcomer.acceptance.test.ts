import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import { createRemoteJWKSet, exportSPKI, importJWK, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createStage, type Service, type Stage, shownBy } from './service.ts'

let stage: Stage
let sesame: Service
let tenantId: string
let key: string

beforeAll(async () => {
  stage = createStage()
  sesame = await stage.start()
  const shown = shownBy(sesame.stdout())
  tenantId = shown.tenantId
  key = shown.key
})
afterAll(() => stage.end())

const create = async (body: object = {}) =>
  (
    await sesame.request('/v1/sessions', {
      method: 'POST',
      key,
      body: { user_id: 'usr_1', ...body },
    })
  ).body
const revoke = (id: string) => sesame.request(`/v1/sessions/${id}`, { method: 'DELETE', key })
const jwksPath = () => `/t/${tenantId}/.well-known/jwks.json`
const expected = () => ({
  issuer: `${sesame.url}/t/${tenantId}`,
  audience: tenantId,
  typ: 'at+jwt',
  algorithms: ['EdDSA'],
})

describe('a newcomer', () => {
  it('pastes the printed lines: a session, verified, listed, revoked, refused', async () => {
    const lines = sesame
      .stdout()
      .split('\n')
      .filter(line => /^(?:curl |[A-Z]+=)/.test(line))
    expect(lines.length).toBeGreaterThanOrEqual(7)
    const { stdout } = await promisify(execFile)('bash', ['-c', lines.join('\n')])
    const [created = '', before = '', jwks = '', listed = '', ended, after = ''] = stdout
      .trim()
      .split('\n')
    const { session } = JSON.parse(created)
    expect(session).toMatchObject({ object: 'session', tenant_id: tenantId, mfa_verified: true })
    expect(JSON.parse(before)).toMatchObject({ valid: true, session_id: session.id })
    expect(JSON.parse(jwks).keys.length).toBeGreaterThan(0)
    expect(JSON.parse(listed).data.map((each: { id: string }) => each.id)).toEqual([session.id])
    expect(ended).toBe('204')
    expect(JSON.parse(after)).toEqual({ valid: false, reason: 'session_revoked' })
  })

  it('finds every printed link working', async () => {
    const ready = await sesame.request('/readyz')
    expect([ready.status, (await sesame.request('/healthz')).status]).toEqual([200, 200])
    const { status, body } = await sesame.request('/openapi.json')
    expect([status, body.openapi]).toEqual([200, '3.1.0'])
    const problem = await sesame.request('/v1/sessions')
    expect(problem.status).toBe(401)
    const page = await fetch(problem.body.type)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('api_key_invalid')
  })

  it('sees where a session is, from its address alone', async () => {
    const { session } = await create({
      ip_address: '8.8.8.8',
      user_agent:
        'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 ' +
        '(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
    })
    expect(session).toMatchObject({ country: 'US', device_type: 'mobile' })
    expect(session.location).toMatch(/US$/)
    expect(session.device).toMatchObject({ type: 'mobile', os: 'iOS', browser: 'Safari' })
    const v6 = await create({ ip_address: '2001:4860:4860::8888' })
    expect(v6.session.country).toMatch(/^[A-Z]{2}$/)
    const home = await create({ ip_address: '192.168.1.7' })
    expect(home.session).toMatchObject({ country: null, location: null })
  })
})

describe('somebody else’s JOSE library', () => {
  it('verifies a token through the JWK set, by RFC 8725 and RFC 9068', async () => {
    const metadata = await sesame.request(`/t/${tenantId}/.well-known/oauth-authorization-server`)
    expect(metadata.body.issuer).toBe(expected().issuer)
    const keys = createRemoteJWKSet(new URL(metadata.body.jwks_uri))
    const { session, access_token: token } = await create({
      org_id: 'o1',
      app_id: 'web',
      role: 'member',
      amr: ['pwd', 'otp'],
    })
    const { payload, protectedHeader } = await jwtVerify(token, keys, expected())
    expect(Object.keys(protectedHeader).toSorted()).toEqual(['alg', 'kid', 'typ'])
    expect(payload).toMatchObject({
      iss: expected().issuer,
      aud: tenantId,
      sub: 'usr_1',
      sid: session.id,
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
      auth_time: expect.any(Number),
      tenant_id: tenantId,
      org_id: 'o1',
      role: 'member',
      amr: ['pwd', 'otp'],
      mfa_verified: true,
      client_id: 'web',
    })
    const wrong = { ...expected(), audience: 'other' }
    await expect(jwtVerify(token, keys, wrong)).rejects.toThrow('aud')
    await expect(jwtVerify(`${token.slice(0, -6)}AAAAAA`, keys, expected())).rejects.toThrow()
  })

  it('goes on through a rotation of keys, and stops where a key was revoked', async () => {
    const url = new URL(sesame.url + jwksPath())
    const before = (await create()).access_token
    await sesame.request('/v1/signing-keys/rotate', { method: 'POST', key })
    const after = (await create()).access_token
    const keys = createRemoteJWKSet(url, { cooldownDuration: 0 })
    for (const token of [before, after]) await jwtVerify(token, keys, expected())
    const { kid } = JSON.parse(Buffer.from(after.split('.')[0], 'base64url').toString())
    await sesame.request(`/v1/signing-keys/${kid}`, { method: 'DELETE', key })
    const fresh = createRemoteJWKSet(url)
    await expect(jwtVerify(after, fresh, expected())).rejects.toThrow('no applicable key')
    await jwtVerify(before, fresh, expected())
  })

  it('is @fastify/jwt in a backend that knows the JWK set and nothing else', async () => {
    const backend = Fastify()
    stage.onEnd(() => backend.close())
    await backend.register(fastifyJwt, {
      decode: { complete: true },
      secret: async (_request: unknown, token: unknown) => {
        const { kid } = (token as { header: { kid: string } }).header
        const { keys } = (await sesame.request(jwksPath())).body
        const jwk = keys.find((each: { kid: string }) => each.kid === kid)
        const publicKey = await importJWK({ ...jwk, ext: true }, 'EdDSA', { extractable: true })
        if (publicKey instanceof Uint8Array) throw new Error('this is no public key')
        return exportSPKI(publicKey)
      },
      verify: {
        algorithms: ['EdDSA'],
        allowedIss: expected().issuer,
        allowedAud: tenantId,
        requiredClaims: ['exp', 'sid'],
      },
    })
    backend.get('/', async request => request.jwtVerify())
    const ask = (token: string) =>
      backend.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
    const { session, access_token: token } = await create()
    const answer = await ask(token)
    expect([answer.statusCode, answer.json().sid]).toEqual([200, session.id])
    expect((await ask(`${token.slice(0, -6)}AAAAAA`)).statusCode).toBe(401)
    // What local verification cannot see, the API can: this is what the feed is for.
    await revoke(session.id)
    expect((await ask(token)).statusCode).toBe(200)
    const verified = await sesame.request('/v1/sessions/verify', {
      method: 'POST',
      key,
      body: { token },
    })
    expect(verified.body).toEqual({ valid: false, reason: 'session_revoked' })
  })
})

describe('over a real connection', () => {
  it('every answer says which request it was, and is kept by no cache', async () => {
    const answers = await Promise.all(
      ['/v1/sessions', '/v1/nothing', '/v1/sessions/x', '/v1/api-keys'].map(path =>
        sesame.request(path, { key }),
      ),
    )
    const ids = answers.map(({ headers }) => headers.get('x-request-id'))
    expect(new Set(ids).size).toBe(answers.length)
    for (const { headers } of answers) {
      expect(headers.get('x-request-id')).toMatch(/^req_/)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('server')).toBeNull()
      expect(headers.get('x-powered-by')).toBeNull()
    }
  })

  it('a body over 64 KB is 413, of another type 415, half of one 400', async () => {
    const post = async (headers: Record<string, string>, body: string) => {
      const response = await fetch(`${sesame.url}/v1/sessions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, ...headers },
        body,
      })
      const { code } = (await response.json()) as { code: string }
      return [response.status, code]
    }
    const json = { 'content-type': 'application/json' }
    const large = JSON.stringify({ user_id: 'u', metadata: { a: 'x'.repeat(70_000) } })
    expect(await post(json, large)).toEqual([413, 'body_too_large'])
    const text = { 'content-type': 'text/plain' }
    expect(await post(text, '{}')).toEqual([415, 'content_type_unsupported'])
    expect(await post(json, '{"user_id":')).toEqual([400, 'body_malformed'])
    expect(await post(json, `${' '.repeat(10)}`)).toEqual([400, 'body_malformed'])
    expect((await sesame.request('/v1/sessions', { key })).status).toBe(200)
  })

  it('a limit is told with each answer, and 429 says when to come back', async () => {
    const { operatorKey } = shownBy(sesame.stdout())
    const made = await sesame.request('/v1/tenants', {
      method: 'POST',
      key: operatorKey,
      body: { name: 'slow', settings: { rate_limit_per_second: 2 } },
    })
    const slow = made.body.api_key.secret
    const ask = () => sesame.request('/v1/sessions', { key: slow })
    const answers = await Promise.all(Array.from({ length: 12 }, ask))
    const statuses = answers.map(({ status }) => status).toSorted()
    expect(statuses.filter(status => status === 200).length).toBeGreaterThanOrEqual(4)
    for (const { status, headers, body } of answers) {
      expect(headers.get('ratelimit')).toMatch(/r=\d+/)
      expect(headers.get('ratelimit-policy')).toMatch(/q=\d+/)
      if (status === 200) continue
      expect([status, body.code]).toEqual([429, 'rate_limit_exceeded'])
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    expect(statuses.at(-1)).toBe(429)
    expect((await sesame.request('/v1/sessions', { key })).status).toBe(200)
  })
})
