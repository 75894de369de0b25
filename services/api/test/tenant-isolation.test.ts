import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { comparable } from './expect-problem.ts'
import {
  enforced,
  type JsonSchema,
  nameOf,
  pathOf,
  type RegisteredRoute,
  withRouteTable,
} from './route-table.ts'
import { sampleOf } from './schema-samples.ts'
import { type Answer, createTestApp, type TestApp, type TestTenant } from './test-app.ts'
import { walkPages } from './walk-pages.ts'

/** Stands in everything that the first tenant holds, and in nothing else. */
const CANARY = 'canary-7f3a'

let sesame: TestApp
let routes: RegisteredRoute[]
let owner: TestTenant
let intruder: TestTenant
/** What the owner has, by the name under which a route asks for it. */
let existing: Record<string, string>
let ownersTokens: Answer['body']
/** Every byte that the intruder was sent. */
const received: string[] = []

beforeAll(async () => {
  const { made, routes: seen } = await withRouteTable(createTestApp)
  sesame = made
  routes = seen
  owner = await sesame.tenant({ name: CANARY, settings: { audience: CANARY } })
  intruder = await sesame.tenant({ name: 'intruder' })
  ownersTokens = await owner.session({
    user_id: `usr-${CANARY}`,
    org_id: `org-${CANARY}`,
    app_id: `app-${CANARY}`,
    role: CANARY,
    user_agent: CANARY,
    ip_address: '198.51.100.77',
    device: { id: `dev-${CANARY}`, name: CANARY },
    metadata: { [CANARY]: CANARY },
  })
  const { session } = ownersTokens
  for (let n = 0; n < 3; n++) await owner.session({ user_id: `usr-${CANARY}` })
  await owner.call('PATCH', `/v1/sessions/${session.id}`, { body: { role: `${CANARY}-2` } })
  const doomed = (await owner.session()).session.id
  await owner.call('DELETE', `/v1/sessions/${doomed}`, { query: { reason: CANARY } })
  const apiKey = await owner.withKey({ name: CANARY })
  const signingKeys = (await owner.call('GET', '/v1/signing-keys')).body.data
  existing = {
    sessionId: session.id,
    apiKeyId: apiKey.id,
    kid: signingKeys[0].kid,
    tenantId: owner.id,
    userId: `usr-${CANARY}`,
    session_id: session.id,
    user_id: `usr-${CANARY}`,
    org_id: `org-${CANARY}`,
    app_id: `app-${CANARY}`,
    device_id: `dev-${CANARY}`,
    except: session.id,
    token: ownersTokens.access_token,
    refresh_token: ownersTokens.refresh_token,
  }
})
afterAll(() => sesame.close())

/** Of the same form as what exists, and never made by anybody. */
const unknown: Record<string, string> = {
  sessionId: 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
  apiKeyId: 'key_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
  kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
  tenantId: 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
  userId: 'usr-nobody',
  session_id: 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
  user_id: 'usr-nobody',
  org_id: 'org-nobody',
  app_id: 'app-nobody',
  device_id: 'dev-nobody',
  except: 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
}

const TENANT_TABLES = [
  'tenants',
  'tenant_heads',
  'tenant_changes',
  'api_keys',
  'api_key_secrets',
  'signing_keys',
  'sessions',
  'events',
  'erasures',
  'lifetime_walks',
  'idempotency_keys',
]

/** Everything that the database holds of a tenant. */
async function contentsOf(tenantId: string): Promise<Record<string, string[]>> {
  const contents: Record<string, string[]> = {}
  for (const table of TENANT_TABLES) {
    const { rows } = await sesame.node.database.pool.query<{ row: string }>(
      `SELECT to_jsonb(t)::text AS row FROM ${table} AS t WHERE tenant_id = $1 ORDER BY 1`,
      [tenantId],
    )
    contents[table] = rows.map(({ row }) => row)
  }
  return contents
}

async function intrude(
  method: string,
  path: string,
  call: Parameters<TestTenant['call']>[2] = {},
): Promise<Answer> {
  const answer = await intruder.call(method, path, call)
  received.push(JSON.stringify([answer.headers, answer.body]))
  return answer
}

const propertiesOf = (schema: unknown): Record<string, JsonSchema> =>
  (schema as JsonSchema | undefined)?.properties ?? {}
const bodyOf = ({ schema }: RegisteredRoute) =>
  schema.body === undefined ? {} : { body: sampleOf(enforced(schema.body)) }
const guarded = () => routes.filter(({ config }) => config.public !== true)

describe('to another tenant', () => {
  it('every path with an id answers as for an id that never existed', async () => {
    const before = await contentsOf(owner.id)
    const walked: string[] = []
    for (const route of guarded()) {
      const names = Object.keys(propertiesOf(route.schema.params))
      if (names.length === 0) continue
      walked.push(nameOf(route))
      for (const name of names) expect(existing).toHaveProperty(name)
      const call = bodyOf(route)
      const theirs = await intrude(
        route.method,
        pathOf(route.url, n => existing[n] ?? ''),
        call,
      )
      const nobodys = await intrude(
        route.method,
        pathOf(route.url, n => unknown[n] ?? ''),
        call,
      )
      expect([nameOf(route), comparable(theirs)]).toEqual([nameOf(route), comparable(nobodys)])
      // A user is not a thing of ours: one who has no session is like any other.
      const found = names.includes('userId') ? 200 : 404
      const expected = route.config.operator === true ? 403 : found
      expect([nameOf(route), theirs.status]).toEqual([nameOf(route), expected])
    }
    expect(walked.length).toBeGreaterThanOrEqual(9)
    expect(await contentsOf(owner.id)).toEqual(before)
  })

  it('every filter finds what it finds for an id that never existed', async () => {
    const before = await contentsOf(owner.id)
    await intruder.session({ user_id: 'own' })
    let walked = 0
    for (const route of guarded()) {
      const query = propertiesOf(route.schema.querystring)
      for (const name of Object.keys(query).filter(filter => filter in existing)) {
        walked++
        const ask = (value = '') =>
          intrude(route.method, route.url, {
            query: { [name]: value, ...('dry_run' in query && { dry_run: 'true' }) },
          })
        const theirs = await ask(existing[name])
        const nobodys = await ask(unknown[name])
        expect([nameOf(route), name, comparable(theirs)]).toEqual([
          nameOf(route),
          name,
          comparable(nobodys),
        ])
        expect(theirs.status).toBe(200)
      }
    }
    expect(walked).toBeGreaterThanOrEqual(10)
    expect(await contentsOf(owner.id)).toEqual(before)
  })

  it('a bulk revoke by the ids of a tenant ends nothing of it', async () => {
    const before = await contentsOf(owner.id)
    for (const name of ['user_id', 'org_id', 'app_id'])
      expect(
        (await intrude('DELETE', '/v1/sessions', { query: { [name]: existing[name] ?? '' } })).body,
      ).toEqual({ revoked: 0 })
    await intrude('DELETE', '/v1/sessions')
    const erased = await intrude('DELETE', `/v1/users/${existing.userId}/sessions`, {
      query: { erase: 'true' },
    })
    expect(erased.body).toMatchObject({ revoked: 0, sessions_erased: 0, events_erased: 0 })
    expect(await contentsOf(owner.id)).toEqual(before)
  })

  it('the cursors of a tenant are as good as forged ones', async () => {
    const forged = Buffer.alloc(46, 1).toString('base64url')
    let walked = 0
    for (const route of guarded()) {
      if (!('cursor' in propertiesOf(route.schema.querystring))) continue
      const isOperators = route.config.operator === true
      const page = await (isOperators ? sesame.operator : owner).call('GET', route.url, {
        query: { limit: '1' },
      })
      const cursor = page.body.next_cursor
      expect(cursor).toMatch(/^[\w-]+$/)
      const theirs = await intrude('GET', route.url, { query: { cursor } })
      const nobodys = await intrude('GET', route.url, { query: { cursor: forged } })
      expect([nameOf(route), comparable(theirs)]).toEqual([nameOf(route), comparable(nobodys)])
      expect(theirs.body.code).toBe(isOperators ? 'scope_missing' : 'cursor_invalid')
      walked++
    }
    expect(walked).toBeGreaterThanOrEqual(4)
  })

  it('a token of a tenant is as good as one of a tenant that is gone', async () => {
    const gone = await sesame.tenant()
    const { access_token, refresh_token } = await gone.session()
    await sesame.operator.call('DELETE', `/v1/tenants/${gone.id}`)
    const before = await contentsOf(owner.id)
    const verify = (token: string) => intrude('POST', '/v1/sessions/verify', { body: { token } })
    expect(comparable(await verify(ownersTokens.access_token))).toEqual(
      comparable(await verify(access_token)),
    )
    const refresh = (token: string) =>
      intrude('POST', '/v1/sessions/refresh', { body: { refresh_token: token } })
    const theirs = await refresh(ownersTokens.refresh_token)
    expect(comparable(theirs)).toEqual(comparable(await refresh(refresh_token)))
    expect(theirs.status).toBeGreaterThanOrEqual(400)
    expect(await contentsOf(owner.id)).toEqual(before)
    const verified = await owner.call('POST', '/v1/sessions/verify', {
      body: { token: ownersTokens.access_token },
    })
    expect(verified.body.valid).toBe(true)
  })

  it('the tenant that X-Tenant-ID names does not show whether it exists', async () => {
    const as = (id = '') => intrude('GET', '/v1/sessions', { headers: { 'x-tenant-id': id } })
    const theirs = await as(owner.id)
    expect(theirs.body.code).toBe('tenant_mismatch')
    expect(comparable(theirs)).toEqual(comparable(await as(unknown.tenantId)))
    expect(comparable(theirs)).toEqual(comparable(await as('nonsense')))
  })

  it('the Idempotency-Key of a tenant is free', async () => {
    const call = { headers: { 'idempotency-key': CANARY }, body: { user_id: 'usr_1' } }
    const own = await owner.call('POST', '/v1/sessions', call)
    const theirs = await intrude('POST', '/v1/sessions', call)
    expect(theirs.status).toBe(201)
    expect(theirs.body.session.tenant_id).toBe(intruder.id)
    expect(theirs.body.session.id).not.toBe(own.body.session.id)
    const again = await owner.call('POST', '/v1/sessions', call)
    expect(again.body).toEqual(own.body)
  })

  it('every list holds its own things alone', async () => {
    for (const path of ['/v1/sessions', '/v1/events', '/v1/api-keys']) {
      const query = path === '/v1/sessions' ? { status: 'all', limit: '100' } : { limit: '100' }
      const items = await walkPages(intruder, path, query)
      received.push(JSON.stringify(items))
      expect(items.length).toBeGreaterThan(0)
    }
    const feed = (await intrude('GET', '/v1/revocations')).body.data
    expect(feed.length).toBeGreaterThan(0)
    const own = (await intrude('GET', '/v1/signing-keys')).body.data
    const jwks = await sesame.anonymous.call('GET', `/t/${intruder.id}/.well-known/jwks.json`)
    received.push(JSON.stringify(jwks.body))
    const kids = (keys: { kid: string }[]) => keys.map(({ kid }) => kid).toSorted()
    expect(kids(jwks.body.keys)).toEqual(kids(own))
  })

  it('no byte of a tenant was in any answer', async () => {
    expect(received.length).toBeGreaterThan(50)
    const keys = (await owner.call('GET', '/v1/signing-keys')).body.data
    const secrets = [
      CANARY,
      owner.id,
      owner.secret.slice(8, 40),
      '198.51.100.77',
      existing.sessionId ?? '',
      existing.apiKeyId ?? '',
      ...keys.map((key: { kid: string }) => key.kid),
      ...ownersTokens.access_token.split('.').slice(1),
    ]
    for (const text of received) for (const secret of secrets) expect(text).not.toContain(secret)
  })
})
