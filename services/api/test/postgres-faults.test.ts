import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGatedApp, type GatedApp } from './gated-app.ts'
import { openPostgresLine, type PostgresLine } from './postgres-line.ts'
import { create, createWorld, refresh, verify, type World } from './revoked-meanwhile.ts'
import { type Answer, TEST_OPERATOR_KEY } from './test-app.ts'
import { createTestCluster, type TestCluster } from './test-node.ts'

let cluster: TestCluster
let line: PostgresLine
/** Reaches Postgres over the line. */
let app: GatedApp
let other: GatedApp
let world: World

beforeAll(async () => {
  cluster = await createTestCluster()
  line = await openPostgresLine(cluster.databaseUrl)
  app = await createGatedApp(cluster.node({ databaseUrl: line.url, onError: () => {} }))
  other = await createGatedApp(cluster.node())
  world = await createWorld(other)
  await verify(app, world.key.secret, world.session.accessToken)
})
afterAll(async () => {
  line.resume()
  await Promise.all([app.close(), other.close()])
  await cluster.close()
  await line.close()
})

// A second is what they take; the rest is for a machine that has other things to do.
const SOON_MS = 3_000
const READY_WITHIN_MS = 5_000

const isGood = async (): Promise<boolean> => {
  const { status, body } = await verify(app, world.adminKey, world.session.accessToken)
  return status === 200 && body.valid === true
}
const becomesReady = () => expect.poll(isGood, { timeout: READY_WITHIN_MS }).toBe(true)

const KINDS: readonly [name: string, run: () => Promise<Answer>][] = [
  ['a verify', () => verify(app, world.adminKey, world.session.accessToken)],
  ['a refresh', () => refresh(app, world.adminKey, world.session.refreshToken)],
  ['a create', () => create(app, world.adminKey)],
  ['a list', () => app.call(world.adminKey, 'GET', '/v1/sessions')],
  ['a revoke', () => app.call(world.adminKey, 'DELETE', `/v1/sessions/${world.session.id}`)],
]

function expectUnavailable({ status, body, headers }: Answer, name = ''): void {
  const seen = [name, status, body?.code, headers['retry-after']]
  expect(seen).toEqual([name, 503, 'service_unavailable', '1'])
  expect(headers['content-type']).toContain('application/problem+json')
}

describe('while Postgres stands still', () => {
  it('every request is answered soon, that it cannot be had', async () => {
    line.stall()
    try {
      const begunMs = performance.now()
      const answers = KINDS.map(async ([name, run]) => [name, await run()] as const)
      for (const [name, answer] of await Promise.all(answers)) expectUnavailable(answer, name)
      expect(performance.now() - begunMs).toBeLessThan(SOON_MS)
    } finally {
      line.resume()
    }
    await becomesReady()
  })

  it('a thousand who ask are answered soon, and leave nothing behind', async () => {
    line.stall()
    try {
      const begunMs = performance.now()
      const ask = () => verify(app, world.adminKey, world.session.accessToken)
      for (const answer of await Promise.all(Array.from({ length: 1_000 }, ask)))
        expectUnavailable(answer)
      expect(performance.now() - begunMs).toBeLessThan(SOON_MS)
    } finally {
      line.resume()
    }
    await becomesReady()
    expect(app.node.database.pool.waitingCount).toBe(0)
    expect(app.node.database.freshnessPool.waitingCount).toBe(0)
  })

  it('what another node revokes is refused from the first answer after', async () => {
    const { body } = await create(other, world.adminKey)
    expect((await verify(app, world.adminKey, body.access_token)).body.valid).toBe(true)
    line.stall()
    const early = verify(app, world.adminKey, body.access_token)
    const ended = await other.call(world.adminKey, 'DELETE', `/v1/sessions/${body.session.id}`)
    expect(ended.status).toBe(204)
    const late = verify(app, world.adminKey, body.access_token)
    line.resume()
    const answers = await Promise.all([early, late])
    // The early one came before the revoke had answered; the late one after.
    expect(answers[1].body.valid).not.toBe(true)
    await expect
      .poll(() => verify(app, world.adminKey, body.access_token), { timeout: READY_WITHIN_MS })
      .toMatchObject({ status: 200, body: { valid: false, reason: 'session_revoked' } })
  })
})

describe('when every connection is cut', () => {
  it('in the middle of work, all is answered, nothing is half done, and it goes on', async () => {
    for (let round = 0; round < 3; round++) {
      const busy = Array.from({ length: 40 }, () => create(app, world.adminKey))
      setImmediate(line.cut)
      for (const { status } of await Promise.all(busy)) expect([201, 503]).toContain(status)
      await becomesReady()
    }
  })
})

describe('a Postgres without a free connection', () => {
  it('is a 503 with Retry-After, and no more once there is one', async () => {
    const { pathname } = new URL(cluster.databaseUrl)
    const limitTo = (connections: number) =>
      other.node.database.pool.query(
        `ALTER DATABASE ${pathname.slice(1)} CONNECTION LIMIT ${connections}`,
      )
    await limitTo(0)
    const late = cluster.node({ onError: () => {} })
    const poor = await createGatedApp(late)
    try {
      expectUnavailable(await verify(poor, world.adminKey, world.session.accessToken))
      expectUnavailable(await create(poor, world.adminKey))
      expectUnavailable(await poor.call(TEST_OPERATOR_KEY, 'GET', '/v1/tenants'))
      await limitTo(-1)
      await expect
        .poll(() => verify(poor, world.adminKey, world.session.accessToken), {
          timeout: READY_WITHIN_MS,
        })
        .toMatchObject({ status: 200, body: { valid: true } })
    } finally {
      await poor.close()
      await limitTo(-1)
    }
  })
})
