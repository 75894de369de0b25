import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestApp, TEST_OPERATOR_KEY, type TestApp } from '../../services/api/test/test-app.ts'
import {
  AuthenticationError,
  BadRequestError,
  ConflictError,
  NotFoundError,
} from '../src/errors.ts'
import type { Session } from '../src/generated/model.ts'
import { Sesame } from '../src/sesame.ts'
import { collect } from './collect.ts'
import { operationOf } from './seen-operations.ts'

let service: TestApp
let baseUrl: string
let operator: Sesame
let sesame: Sesame
let secretKey: string

/** Operations of the document that a method of the client reached. */
const reached = new Set<string>()
const recordingFetch: typeof fetch = (input, init) => {
  reached.add(operationOf(String(init?.method), new URL(String(input)).pathname))
  return fetch(input, init)
}

beforeAll(async () => {
  service = await createTestApp()
  baseUrl = await service.app.listen({ host: '127.0.0.1', port: 0 })
  operator = new Sesame({ secretKey: TEST_OPERATOR_KEY, baseUrl, fetch: recordingFetch })
  const { apiKey } = await operator.tenants.create({ name: 'Acme' })
  secretKey = apiKey.secret
  sesame = new Sesame({ secretKey, baseUrl, fetch: recordingFetch })
})
afterAll(() => service.close())

describe('sessions', () => {
  test('live from create to revoke, and are refused from then on', async () => {
    const device = { name: 'Phone', type: 'mobile' as const }
    const metadata = { my_key: 'snake', myKey: 'camel' }
    const made = await sesame.sessions.create({ userId: 'ada', amr: ['pwd'], device, metadata })
    expect(made).toMatchObject({ tokenType: 'Bearer', expiresIn: 900 })
    const { session, accessToken } = made
    expect(session).toMatchObject({ userId: 'ada', mfaVerified: false, metadata, device })
    expect(await sesame.sessions.get(session.id)).toEqual(session)

    const verification = await sesame.sessions.verify(accessToken)
    expect(verification).toEqual({
      valid: true,
      session: {
        sessionId: session.id,
        userId: 'ada',
        tenantId: session.tenantId,
        orgId: null,
        appId: null,
        role: null,
        amr: ['pwd'],
        mfaVerified: false,
        authTime: expect.any(String),
        issuedAt: expect.any(String),
        expiresAt: expect.any(String),
      },
    })
    const changed = await sesame.sessions.update(session.id, {
      role: 'admin',
      metadata: { a_b: '1' },
    })
    expect(changed).toMatchObject({ role: 'admin', metadata: { a_b: '1' } })

    expect(await sesame.sessions.revoke(session.id, { reason: 'signed_out' })).toBeUndefined()
    await sesame.sessions.revoke(session.id)
    expect(await sesame.sessions.verify(accessToken)).toEqual({
      valid: false,
      reason: 'session_revoked',
    })
    expect(await sesame.sessions.get(session.id)).toMatchObject({ revokeReason: 'signed_out' })
    await expect(sesame.sessions.update(session.id, { role: 'x' })).rejects.toThrow(ConflictError)
  })

  test('are listed over all pages, each once', async () => {
    const ids: string[] = []
    for (let n = 0; n < 7; n++)
      ids.unshift((await sesame.sessions.create({ userId: 'grace' })).session.id)
    await sesame.sessions.create({ userId: 'somebody-else' })
    const listed: string[] = []
    for await (const { id } of sesame.sessions.list({ userId: 'grace', limit: 3 })) listed.push(id)
    expect(listed).toEqual(ids)

    const first = await sesame.sessions.list({ userId: 'grace', limit: 3 }).page()
    expect(first).toMatchObject({ hasMore: true, nextCursor: expect.any(String) })
    const cursor = first.nextCursor ?? ''
    const second = await sesame.sessions.list({ userId: 'grace', limit: 3, cursor }).page()
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids.slice(0, 6))
  })

  test('are refreshed, and a stolen token is told from a good one', async () => {
    const { refreshToken } = await sesame.sessions.create({ userId: 'ada' })
    const second = await sesame.sessions.refresh({ refreshToken })
    const third = await sesame.sessions.refresh({ refreshToken: second.refreshToken })
    expect(third.session.id).toBe(second.session.id)
    const error = await sesame.sessions.refresh({ refreshToken }).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(AuthenticationError)
    expect(error).toMatchObject({ code: 'refresh_token_reuse' })
  })

  test('end together: those of a user but one, or all when all is said', async () => {
    const { session: kept } = await sesame.sessions.create({ userId: 'alan' })
    for (let n = 0; n < 3; n++) await sesame.sessions.create({ userId: 'alan', appId: 'web' })
    const filter = { userId: 'alan', except: kept.id }
    expect(await sesame.sessions.revokeAll({ ...filter, dryRun: true })).toEqual({ revoked: 3 })
    expect(await sesame.sessions.revokeAll({ ...filter, reason: 'password' })).toEqual({
      revoked: 3,
    })
    expect((await sesame.sessions.get(kept.id)).status).toBe('active')
    const { revoked } = await sesame.sessions.revokeAll({ all: true })
    expect(revoked).toBeGreaterThanOrEqual(1)
    expect((await sesame.sessions.list().page()).data).toEqual([])
  })

  test('a create that is repeated with its key makes one session', async () => {
    const options = { idempotencyKey: 'sign-in-1' }
    const made = await Promise.all(
      Array.from({ length: 5 }, () => sesame.sessions.create({ userId: 'edsger' }, options)),
    )
    expect(new Set(made.map(({ session }) => session.id)).size).toBe(1)
    await expect(sesame.sessions.create({ userId: 'other' }, options)).rejects.toMatchObject({
      code: 'idempotency_conflict',
    })
  })

  test('a create whose answer got lost is repeated, and made one session', async () => {
    const client = losingOneAnswer()
    const { session } = await client.sessions.create({ userId: 'donald' })
    expect(await collect(sesame.sessions.list({ userId: 'donald' }))).toEqual([session])
  })

  test('ended together, but the answer got lost: it is done once, and counts once', async () => {
    for (let n = 0; n < 3; n++) await sesame.sessions.create({ userId: 'tony' })
    let later: Session | undefined
    const client = losingOneAnswer(async () => {
      later = (await sesame.sessions.create({ userId: 'tony' })).session
    })
    expect(await client.sessions.revokeAll({ userId: 'tony' })).toEqual({ revoked: 3 })
    expect(await collect(sesame.sessions.list({ userId: 'tony' }))).toEqual([later])
  })

  test('say what is wrong with a request', async () => {
    const error = await sesame.sessions.create({ userId: 'a b' }).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error).toMatchObject({
      code: 'request_invalid',
      requestId: expect.stringMatching(/^req_/),
      fieldErrors: [{ field: 'user_id', message: expect.any(String) }],
    })
    const unknown = sesame.sessions.get('ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5')
    await expect(unknown).rejects.toThrow(NotFoundError)
    const misspelt = { usr: 'ada' }
    await expect(sesame.sessions.list(misspelt as object).page()).rejects.toThrow(BadRequestError)
  })
})

/** A client whose first request is done while its answer is lost, and then something happens. */
function losingOneAnswer(meanwhile: () => Promise<void> = async () => {}): Sesame {
  let isLost = false
  const losing: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (isLost) return response
    isLost = true
    await meanwhile()
    throw new TypeError('fetch failed')
  }
  return new Sesame({ secretKey, baseUrl, fetch: losing })
}

describe('the rest of the tenant', () => {
  test('API keys are made, rotated, listed and revoked', async () => {
    const key = await sesame.apiKeys.create({ name: 'CI', scopes: ['sessions:verify'] })
    const rotated = await sesame.apiKeys.rotate(key.id)
    expect(rotated.id).toBe(key.id)
    expect(rotated.secret).not.toBe(key.secret)
    const ids: string[] = []
    for await (const { id } of sesame.apiKeys.list({ limit: 1 })) ids.push(id)
    expect(ids).toContain(key.id)
    const other = new Sesame({ secretKey: rotated.secret, baseUrl })
    expect(await other.sessions.verify('x')).toEqual({ valid: false, reason: 'malformed' })
    await sesame.apiKeys.revoke(key.id)
    await expect(other.sessions.verify('x')).rejects.toThrow(AuthenticationError)
  })

  test('signing keys are listed, rotated and revoked', async () => {
    const { data } = await sesame.signingKeys.list().page()
    expect(data.map(({ status }) => status)).toContain('active')
    expect((await sesame.signingKeys.rotate()).publicJwk.crv).toBe('Ed25519')
    const kid = data.find(({ status }) => status === 'active')?.kid ?? ''
    await sesame.signingKeys.revoke(kid, { reason: 'a drill' })
    const keys = await collect(sesame.signingKeys.list())
    expect(keys.find(key => key.kid === kid)?.status).toBe('revoked')
  })

  test('events tell what happened, and their facts are as the service wrote them', async () => {
    const { session } = await sesame.sessions.create({ userId: 'barbara' })
    const events = await collect(sesame.events.list({ userId: 'barbara' }))
    expect(events).toMatchObject([{ type: 'session.created', sessionId: session.id }])
  })

  test('revocations are read page by page, in order', async () => {
    for (let n = 0; n < 3; n++) {
      const { session } = await sesame.sessions.create({ userId: 'ken' })
      await sesame.sessions.revoke(session.id)
    }
    const entries = await collect(sesame.revocations.list({ limit: 2 }))
    const seqs = entries.map(({ seq }) => seq)
    expect(seqs.length).toBeGreaterThan(3)
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
    expect(new Set(seqs).size).toBe(seqs.length)
    const after = seqs.at(-2) ?? 0
    const page = await sesame.revocations.list({ after }).page()
    expect(page).toMatchObject({ hasMore: false, nextAfter: seqs.at(-1), reset: false })
    expect(page.data).toEqual(entries.slice(-1))
  })
})

test('a user is erased, and the sessions end at once', async () => {
  const { session, accessToken } = await sesame.sessions.create({
    userId: 'joan',
    metadata: { a: 'b' },
  })
  const erasure = await sesame.users.erase('joan', { reason: 'asked for it' })
  expect(erasure).toMatchObject({ object: 'erasure', revoked: 1, sessionsErased: 1 })
  expect(await sesame.sessions.verify(accessToken)).toMatchObject({ valid: false })
  expect((await sesame.sessions.get(session.id)).metadata).toEqual({})
})

test('a user is erased once, also when the answer got lost and the user is back already', async () => {
  await sesame.sessions.create({ userId: 'niklaus' })
  let later: Session | undefined
  const client = losingOneAnswer(async () => {
    later = (await sesame.sessions.create({ userId: 'niklaus', metadata: { a: 'b' } })).session
  })
  const erasure = await client.users.erase('niklaus')
  expect(erasure).toMatchObject({ status: 'completed', revoked: 1, sessionsErased: 1 })
  expect(await collect(sesame.sessions.list({ userId: 'niklaus' }))).toEqual([later])
  const erased = await collect(sesame.events.list({ type: 'user.erased' }))
  expect(erased.filter(({ data }) => data.erasure_id === erasure.id)).toHaveLength(1)
})

test('revocations are told as they happen, after all that there was', async () => {
  const { session } = await sesame.sessions.create({ userId: 'leslie' })
  const told: string[] = []
  for await (const event of sesame.revocations.stream()) {
    told.push(event.type)
    if (event.type === 'synced') await sesame.sessions.revoke(session.id)
    if (event.type !== 'session_revoked' || event.sessionId !== session.id) continue
    expect(event.seq).toBeGreaterThan(0)
    break
  }
  expect(told.indexOf('synced')).toBeGreaterThanOrEqual(0)
  expect(told.at(-1)).toBe('session_revoked')
})

describe('the operator', () => {
  test('makes, changes, lists and ends tenants', async () => {
    const { tenant } = await operator.tenants.create({ name: 'Globex' })
    const settings = { apps: { web_app: { sessionTtlSeconds: 3600 } }, refreshGraceSeconds: 5 }
    const changed = await operator.tenants.update(tenant.id, { settings })
    expect(changed.settings).toMatchObject(settings)
    expect(await operator.tenants.get(tenant.id)).toEqual(changed)
    const ids: string[] = []
    for await (const { id } of operator.tenants.list({ limit: 1 })) ids.push(id)
    expect(ids).toContain(tenant.id)
    await operator.tenants.delete(tenant.id)
    await expect(operator.tenants.get(tenant.id)).rejects.toThrow(NotFoundError)
  })

  test('acts in the tenant that the client or the call names', async () => {
    const { tenant } = await operator.tenants.create({ name: 'Initech' })
    const inside = new Sesame({ secretKey: TEST_OPERATOR_KEY, tenantId: tenant.id, baseUrl })
    const { session } = await inside.sessions.create({ userId: 'peter' })
    expect(session.tenantId).toBe(tenant.id)
    const seen = await operator.sessions.get(session.id, { tenantId: tenant.id })
    expect(seen).toEqual(session)
    await expect(operator.sessions.get(session.id)).rejects.toMatchObject({
      code: 'tenant_missing',
    })
  })
})

/** Not for callers of the API, and why. A new operation has to get a method, or a line here. */
const LEFT_OUT = {
  getOpenApiDocument: 'a document',
  getHealth: 'for load balancers',
  getReadiness: 'for load balancers',
  getErrorPage: 'a page for people',
  getTenantJwks: 'read by createVerifier',
  getJwks: 'read by createVerifier',
  getAuthorizationServerMetadata: 'for OAuth libraries',
  introspectToken: 'for OAuth libraries; here it is sessions.verify',
  revokeToken: 'for OAuth libraries; here it is sessions.revoke',
}

test('every operation of the document has a method that reached it, or is left out', () => {
  const document = JSON.parse(
    readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
  ) as { paths: Record<string, Record<string, { operationId: string }>> }
  const all = Object.values(document.paths).flatMap(methods =>
    Object.values(methods).map(({ operationId }) => operationId),
  )
  expect([...reached, ...Object.keys(LEFT_OUT)].toSorted()).toEqual(all.toSorted())
})
