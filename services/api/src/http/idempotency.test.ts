import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import { Type } from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createHttpFixture } from '../../test/http-fixture.ts'
import { createTestDatabase } from '../../test/test-database.ts'
import { type Clock, systemClock } from '../shared/clock.ts'
import { createMasterKey } from '../shared/crypto.ts'
import { Problem } from '../shared/problem.ts'
import { createIdempotencyStore } from './idempotency.store.ts'
import { idempotency } from './idempotency.ts'
import { createIdempotentRuns } from './idempotent-runs.ts'

const TENANT = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
const OTHER_TENANT = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X6'
const masterKey = createMasterKey(randomBytes(32))

let database: Awaited<ReturnType<typeof createTestDatabase>>
let pool: pg.Pool
/** Two nodes of one service. */
let nodes: FastifyInstance[]
let runs = 0
let idempotencyKey = ''

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 10 })
  pool.on('error', () => {})
  nodes = [await createNode(), await createNode()]
})
afterAll(async () => {
  for (const node of nodes) await node.close()
  await pool.end()
  await database.drop()
})
beforeEach(() => {
  runs = 0
  idempotencyKey = randomUUID()
})

async function createNode(clock: Clock = systemClock): Promise<FastifyInstance> {
  const store = createIdempotencyStore(pool, masterKey)
  const { app } = await createHttpFixture(async scope => {
    await scope.register(idempotency, { runs: createIdempotentRuns({ store, clock }) })
    addRoutes(scope)
  })
  return app
}

function addRoutes(scope: FastifyInstance): void {
  const body = Type.Object({
    n: Type.Integer(),
    ms: Type.Optional(Type.Integer()),
    fail: Type.Optional(Type.String()),
  })
  type Body = { n: number; ms?: number; fail?: string }
  scope.addHook('onRequest', async request => {
    const tenantId = request.headers['x-tenant-id']
    if (typeof tenantId === 'string')
      Reflect.set(request, 'actor', { actor: 'key_1', tenantId, scopes: new Set() })
  })
  const work = async (input: Body) => {
    const run = ++runs
    await sleep(input.ms ?? 0)
    if (input.fail === 'crash') throw new Error('crash')
    if (input.fail === 'limit') throw new Problem('session_limit_reached')
    if (input.fail === 'invalid') throw new Problem('cursor_invalid')
    return { run, secret: 'sk_live_hush' }
  }
  scope.post<{ Body: Body }>('/things', { schema: { body } }, async (request, reply) =>
    reply.code(201).send(await work(request.body)),
  )
  scope.post<{ Body: Body }>('/others', { schema: { body } }, request => work(request.body))
  scope.post<{ Body: Body }>(
    '/operator',
    { schema: { body }, config: { operator: true } },
    request => work(request.body),
  )
  scope.post('/empty', { schema: {} }, async (_request, reply) => {
    runs++
    return reply.code(204).send(null)
  })
  scope.post<{ Body: Body }>(
    '/verify',
    { schema: { body }, config: { idempotent: false } },
    request => work(request.body),
  )
  scope.post<{ Body: Body }>('/public', { schema: { body }, config: { public: true } }, request =>
    work(request.body),
  )
}

interface Call {
  url?: string
  body?: object
  key?: string
  tenantId?: string | null
  node?: number
}

function post({ url = '/things', body = { n: 1 }, key, tenantId = TENANT, node = 0 }: Call = {}) {
  const app = nodes[node]
  if (app === undefined) throw new Error('no such node')
  return app.inject({
    method: 'POST',
    url,
    payload: body,
    headers: {
      'idempotency-key': key ?? idempotencyKey,
      ...(tenantId === null ? {} : { 'x-tenant-id': tenantId }),
    },
  })
}

describe('the same key', () => {
  test('gets the first answer again, on any node', async () => {
    const first = await post()
    expect(first.statusCode).toBe(201)
    expect(first.headers['idempotency-replayed']).toBeUndefined()
    for (const node of [0, 1]) {
      const again = await post({ node })
      expect(again.statusCode).toBe(201)
      expect(again.body).toBe(first.body)
      expect(again.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'idempotency-replayed': 'true',
      })
      expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id'])
    }
    expect(runs).toBe(1)
  })

  test('with another body, another path or more spaces is a conflict', async () => {
    await post()
    for (const call of [
      { body: { n: 2 } },
      { url: '/others' },
      { url: '/things', node: 1, body: { n: 3 } },
    ]) {
      const response = await post(call)
      expect([response.statusCode, response.json().code]).toEqual([409, 'idempotency_conflict'])
    }
    expect(runs).toBe(1)
  })

  test('of another tenant, or of the operator, is another key', async () => {
    await post()
    expect((await post({ tenantId: OTHER_TENANT })).json().run).toBe(2)
    const operator = { url: '/operator', tenantId: null }
    expect((await post(operator)).json().run).toBe(3)
    expect((await post({ ...operator, node: 1 })).json().run).toBe(3)
  })

  test('replays an answer without a body', async () => {
    const first = await post({ url: '/empty', body: {} })
    const again = await post({ url: '/empty', body: {}, node: 1 })
    expect([first.statusCode, again.statusCode, again.body, runs]).toEqual([204, 204, '', 1])
    expect(again.headers['content-type']).toBeUndefined()
  })

  test('replays a refusal that is final', async () => {
    const first = await post({ body: { n: 1, fail: 'limit' } })
    const again = await post({ body: { n: 1, fail: 'limit' }, node: 1 })
    expect([first.statusCode, again.statusCode, runs]).toEqual([409, 409, 1])
    expect(again.headers['content-type']).toContain('problem+json')
    expect(again.body).toBe(first.body)
  })

  test.each(['crash', 'invalid'])('is free again after a %s', async fail => {
    await post({ body: { n: 1, fail } })
    expect((await post({ body: { n: 1 } })).statusCode).toBe(201)
    expect(runs).toBe(2)
  })

  test('is never replayed where an old answer would be wrong, and not for nobody', async () => {
    for (const call of [{ url: '/verify' }, { url: '/public', tenantId: null }]) {
      await post(call)
      await post(call)
    }
    expect(runs).toBe(4)
  })

  test('is free again after a day', async () => {
    await post()
    await pool.query(`UPDATE idempotency_keys SET expires_at = now() WHERE idempotency_key = $1`, [
      idempotencyKey,
    ])
    expect((await post({ body: { n: 2 } })).json().run).toBe(2)
    expect((await post({ body: { n: 2 }, node: 1 })).json().run).toBe(2)
  })

  test('leaves no secret in the database', async () => {
    await post()
    const { rows } = await pool.query('SELECT * FROM idempotency_keys')
    const dump = rows.map(row => `${JSON.stringify(row)}${row.response}`).join('')
    expect(dump).not.toContain('hush')
  })
})

describe('a key', () => {
  test.each(['a b', 'ü', 'x'.repeat(256), ''])('like %j is refused', async key => {
    const response = await post({ key })
    expect(response.statusCode).toBe(400)
    expect(response.json().errors[0].field).toBe('header.idempotency-key')
    expect(runs).toBe(0)
  })

  test.each(['a', '"8e03978e-40d5-43dd-bc93-6894a57f9324"', 'x'.repeat(255)])(
    'like %j is taken',
    async key => {
      expect((await post({ key: key + (key.length < 9 ? idempotencyKey : '') })).statusCode).toBe(
        201,
      )
    },
  )

  test('is not used up by a request that is not valid', async () => {
    expect((await post({ body: { m: 1 } })).statusCode).toBe(400)
    expect((await post()).statusCode).toBe(201)
  })
})

describe('at once', () => {
  test('a thousand on two nodes are run once and all get the same answer', async () => {
    const all = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => post({ node: i % 2, body: { n: 1, ms: 50 } })),
    )
    expect(new Set(all.map(({ statusCode, body }) => `${statusCode} ${body}`)).size).toBe(1)
    expect(all[0]?.statusCode).toBe(201)
    expect(runs).toBe(1)
  })

  test('another request with the key is a conflict at once, on both nodes', async () => {
    const first = post({ body: { n: 1, ms: 200 } })
    await sleep(50)
    for (const node of [0, 1])
      expect((await post({ node, body: { n: 2 } })).json().code).toBe('idempotency_conflict')
    expect((await first).statusCode).toBe(201)
  })

  test('when the first fails, one of those that waited does the work', async () => {
    const body = { n: 1, ms: 30, fail: 'crash' }
    const all = await Promise.all(Array.from({ length: 4 }, (_, i) => post({ node: i % 2, body })))
    expect(all.map(({ statusCode }) => statusCode)).toEqual([500, 500, 500, 500])
    expect(runs).toBe(4)
  })

  test('whoever waits too long is told to come again', async () => {
    let aheadMs = 0
    const clock = { nowMs: Date.now, monotonicMs: () => performance.now() + aheadMs }
    nodes[2] = await createNode(clock)
    const first = post({ body: { n: 1, ms: 700 } })
    await sleep(50)
    const late = post({ node: 2, body: { n: 1, ms: 700 } })
    await sleep(100)
    aheadMs = 11_000
    const response = await late
    expect([response.statusCode, response.json().code]).toEqual([409, 'idempotency_in_progress'])
    expect(response.headers['retry-after']).toBe('1')
    expect((await first).statusCode).toBe(201)
  })

  test('the claim of a node that died is taken over by one', async () => {
    await pool.query(
      `INSERT INTO idempotency_keys (tenant_id, idempotency_key, fingerprint, state, owner,
         locked_until, expires_at)
       SELECT tenant_id, $2, fingerprint, 'running', 'the dead', now() - interval '1 second',
         expires_at FROM idempotency_keys WHERE idempotency_key = $1`,
      [await usedKey(), idempotencyKey],
    )
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => post({ node: i % 2 })))
    expect(new Set(all.map(({ body }) => body)).size).toBe(1)
    expect(runs).toBe(2)
  })

  /** A key with the fingerprint of `post()`. */
  async function usedKey(): Promise<string> {
    const key = randomUUID()
    await post({ key })
    return key
  }
})
