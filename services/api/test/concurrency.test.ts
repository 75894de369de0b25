import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, createTestApp, type TestApp, type TestTenant } from './test-app.ts'
import { walkPages } from './walk-pages.ts'

let sesame: TestApp
let tenant: TestTenant

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant({ settings: { rate_limit_per_second: 1_000_000 } })
})
afterAll(() => sesame.close())

const times = <T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))
const statusesOf = (answers: Answer[]): number[] => [
  ...new Set(answers.map(({ status }) => status)),
]
const verify = (token: string) =>
  tenant.call('POST', '/v1/sessions/verify', { body: { token } }).then(({ body }) => body)

describe('a hundred at once', () => {
  it('create as many sessions, each with an id, a token and an event of its own', async () => {
    const answers = await times(100, n =>
      tenant.call('POST', '/v1/sessions', { body: { user_id: 'crowd', metadata: { n: `${n}` } } }),
    )
    expect(statusesOf(answers)).toEqual([201])
    const ids = new Set(answers.map(({ body }) => body.session.id))
    const tokens = new Set(answers.map(({ body }) => body.access_token))
    expect([ids.size, tokens.size]).toEqual([100, 100])
    const listed = await walkPages(tenant, '/v1/sessions', { user_id: 'crowd', limit: '100' })
    expect(new Set(listed.map(({ id }) => id))).toEqual(ids)
    for (const { body } of answers)
      expect(listed.find(({ id }) => id === body.session.id)).toEqual(body.session)
    const events = await walkPages(tenant, '/v1/events', { user_id: 'crowd', limit: '100' })
    expect(new Set(events.map(event => event.session_id))).toEqual(ids)
    expect(events).toHaveLength(100)
  })

  it('revoke as many sessions, and each token is refused from then on', async () => {
    const made = await times(100, () => tenant.session({ user_id: 'doomed' }))
    const verdicts = await times(100, async n => {
      const { session, access_token: token } = made[n]
      const { status } = await tenant.call('DELETE', `/v1/sessions/${session.id}`)
      expect(status).toBe(204)
      return verify(token)
    })
    for (const verdict of verdicts)
      expect(verdict).toEqual({ valid: false, reason: 'session_revoked' })
  })
})

describe('one session', () => {
  it('that fifty end at once is ended once, for one reason, with one event', async () => {
    const { session, access_token: token } = await tenant.session()
    const path = `/v1/sessions/${session.id}`
    const answers = await times(50, n =>
      tenant.call('DELETE', path, { query: { reason: `reason ${n}` } }),
    )
    expect(statusesOf(answers)).toEqual([204])
    const query = { session_id: session.id, type: 'session.revoked' }
    const events = await walkPages(tenant, '/v1/events', query)
    expect(events).toHaveLength(1)
    const read = (await tenant.call('GET', path)).body
    expect(read).toMatchObject({ status: 'revoked', revoke_reason: events[0]?.data.reason })
    expect(await verify(token)).toEqual({ valid: false, reason: 'session_revoked' })
  })

  it('that is ended by itself and in bulk at once has ended for both, with one reason', async () => {
    for (let round = 0; round < 10; round++) {
      const query = { user_id: `both-${round}` }
      const { session, access_token: token } = await tenant.session(query)
      const path = `/v1/sessions/${session.id}`
      const [single, bulk] = await Promise.all([
        tenant.call('DELETE', path, { query: { reason: 'single' } }),
        tenant.call('DELETE', '/v1/sessions', { query: { ...query, reason: 'bulk' } }),
      ])
      expect([single.status, bulk.status]).toEqual([204, 200])
      expect(await verify(token)).toEqual({ valid: false, reason: 'session_revoked' })
      const before = (await tenant.call('GET', path)).body
      expect(before.status).toBe('revoked')
      await sesame.node.services.followers.settled()
      expect((await tenant.call('GET', path)).body).toEqual(before)
    }
  })

  it('that is changed and ended at once ends, and says so to whoever came late', async () => {
    for (let round = 0; round < 10; round++) {
      const { session, access_token: token } = await tenant.session()
      const path = `/v1/sessions/${session.id}`
      const [changed, ended] = await Promise.all([
        tenant.call('PATCH', path, { body: { role: 'late' } }),
        tenant.call('DELETE', path),
      ])
      expect(ended.status).toBe(204)
      expect([200, 409]).toContain(changed.status)
      expect(await verify(token)).toEqual({ valid: false, reason: 'session_revoked' })
      expect((await tenant.call('GET', path)).body.status).toBe('revoked')
    }
  })

  it('whose fields two change at once keeps both', async () => {
    const { session } = await tenant.session()
    const path = `/v1/sessions/${session.id}`
    const bodies = [{ role: 'owner' }, { org_id: 'o9' }, { metadata: { a: 'b' } }]
    await Promise.all(bodies.map(body => tenant.call('PATCH', path, { body })))
    const { body } = await tenant.call('GET', path)
    expect(body).toMatchObject({ role: 'owner', org_id: 'o9', metadata: { a: 'b' } })
  })
})

describe('a limit of sessions for each user', () => {
  const ROOM = 5
  const limited = (on_limit: string) =>
    sesame.tenant({
      settings: { max_sessions_per_user: ROOM, on_limit, rate_limit_per_second: 1_000_000 },
    })
  const signIn = (by: TestTenant, user_id = 'u') =>
    by.call('POST', '/v1/sessions', { body: { user_id } })

  it('that refuses lets exactly so many of a hundred in, and others by when one leaves', async () => {
    const own = await limited('refuse')
    const answers = await times(100, () => signIn(own))
    const made = answers.filter(({ status }) => status === 201)
    expect(made).toHaveLength(ROOM)
    for (const { status, body } of answers.filter(answer => !made.includes(answer)))
      expect([status, body.code]).toEqual([409, 'session_limit_reached'])
    expect((await signIn(own, 'somebody-else')).status).toBe(201)
    await own.call('DELETE', `/v1/sessions/${made[0]?.body.session.id}`)
    const again = await times(5, () => signIn(own))
    expect(again.filter(({ status }) => status === 201)).toHaveLength(1)
  })

  it('that revokes the oldest leaves exactly so many of a hundred, each other refused', async () => {
    const own = await limited('revoke_oldest')
    const answers = await times(100, () => signIn(own))
    expect(statusesOf(answers)).toEqual([201])
    const active = await walkPages(own, '/v1/sessions', { user_id: 'u' })
    expect(active).toHaveLength(ROOM)
    const kept = new Set(active.map(({ id }) => id))
    for (const { body } of answers) {
      const token = body.access_token
      const verdict = await own.call('POST', '/v1/sessions/verify', { body: { token } })
      expect([body.session.id, verdict.body.valid]).toEqual([
        body.session.id,
        kept.has(body.session.id),
      ])
    }
    const { session } = (await signIn(own)).body
    const after = (await walkPages(own, '/v1/sessions', { user_id: 'u' })).map(({ id }) => id)
    expect(after).toHaveLength(ROOM)
    expect(after).toContain(session.id)
  })
})

describe('a request that is repeated with its Idempotency-Key', () => {
  it('fifty times at once makes one session, and gets one answer', async () => {
    const call = { headers: { 'idempotency-key': 'once' }, body: { user_id: 'idem' } }
    const answers = await times(50, () => tenant.call('POST', '/v1/sessions', call))
    expect(statusesOf(answers)).toEqual([201])
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(await walkPages(tenant, '/v1/sessions', { user_id: 'idem' })).toHaveLength(1)
    const other = { ...call, body: { user_id: 'other' } }
    const conflict = await tenant.call('POST', '/v1/sessions', other)
    expect([conflict.status, conflict.body.code]).toEqual([409, 'idempotency_conflict'])
  })
})

describe('signing keys that rotate under traffic', () => {
  it('make no request fail and no token invalid', async () => {
    let isOver = false
    const tokens: string[] = []
    const traffic = times(4, async () => {
      while (!isOver) {
        const created = await tenant.call('POST', '/v1/sessions', { body: { user_id: 'busy' } })
        expect(created.status).toBe(201)
        tokens.push(created.body.access_token)
        expect(await verify(created.body.access_token)).toMatchObject({ valid: true })
      }
    })
    const signers = new Set<string>()
    for (let round = 0; round < 6; round++) {
      const rotated = await tenant.call('POST', '/v1/signing-keys/rotate')
      expect(rotated.status).toBe(200)
      signers.add(rotated.body.kid)
      sesame.node.clock.advanceSeconds(120)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    isOver = true
    await traffic
    expect(tokens.length).toBeGreaterThan(20)
    expect(signers.size).toBeGreaterThan(1)
    const { keys } = (await sesame.anonymous.call('GET', `/t/${tenant.id}/.well-known/jwks.json`))
      .body
    const published = new Set(keys.map((key: { kid: string }) => key.kid))
    for (const token of tokens) {
      const header = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()
      expect(published).toContain(JSON.parse(header).kid)
    }
  })

  it('that are revoked under traffic refuse nobody who signs in after', async () => {
    const own = await sesame.tenant({ settings: { rate_limit_per_second: 1_000_000 } })
    for (let round = 0; round < 5; round++) {
      const { access_token: token } = await own.session()
      const header = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()
      const creations = times(10, () => own.session())
      await own.call('DELETE', `/v1/signing-keys/${JSON.parse(header).kid}`)
      await creations
      const after = (await own.session()).access_token
      const check = (each: string) =>
        own.call('POST', '/v1/sessions/verify', { body: { token: each } })
      expect((await check(token)).body).toEqual({ valid: false, reason: 'signature_invalid' })
      expect((await check(after)).body.valid).toBe(true)
    }
  })
})

describe('an API key', () => {
  it('that is revoked under traffic is refused by whatever begins after', async () => {
    const key = await tenant.withKey({})
    let isRevoked = false
    const traffic = times(8, async () => {
      for (;;) {
        const beganAfter = isRevoked
        const { status } = await key.call('GET', '/v1/sessions')
        if (beganAfter) {
          expect(status).toBe(401)
          return
        }
      }
    })
    await new Promise(resolve => setTimeout(resolve, 100))
    const revoked = await tenant.call('DELETE', `/v1/api-keys/${key.id}`)
    expect(revoked.status).toBe(204)
    isRevoked = true
    await traffic
  })
})
