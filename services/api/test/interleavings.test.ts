import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGatedApp, type Gate, type GatedApp, type GatedStatement } from './gated-app.ts'
import {
  create,
  createWorld,
  expectEnded,
  isAccepted,
  REVOKES,
  refresh,
  verify,
  type World,
} from './revoked-meanwhile.ts'
import type { Answer } from './test-app.ts'
import { createTestCluster, type TestCluster } from './test-node.ts'

// Every operation of the promise is taken through every one of its statements: one of them meets a
// fault, or answers late while another node revokes. Real Postgres, real routes, two nodes.

let cluster: TestCluster
/** The node whose statements are stepped between, and one that is left alone. */
let gated: GatedApp
let other: GatedApp

beforeAll(async () => {
  cluster = await createTestCluster()
  // What the background does about a connection that breaks is logged, and is no concern here.
  gated = await createGatedApp(cluster.node({ onError: () => {} }))
  other = await createGatedApp(cluster.node())
  // The first statements of a process are more than those of later calls.
  const world = await createWorld(other)
  await warm(gated, world)
})
afterAll(async () => {
  await Promise.all([gated.close(), other.close()])
  await cluster.close()
})

interface Operation {
  name: string
  /** Before the gate is set. */
  prepare?(at: GatedApp, world: World): Promise<unknown>
  run(at: GatedApp, world: World): Promise<Answer>
}

const warm = (at: GatedApp, { key, session }: World) => verify(at, key.secret, session.accessToken)

const USES: readonly Operation[] = [
  {
    name: 'a verify by a node that knows nothing of the tenant yet',
    run: warm,
  },
  {
    name: 'a verify of a session that has changed',
    async prepare(at, world) {
      await at.call(world.adminKey, 'PATCH', `/v1/sessions/${world.session.id}`, {
        body: { role: 'other' },
      })
      await warm(at, world)
    },
    run: warm,
  },
  {
    name: 'the first use of an API key',
    prepare: (at, { adminKey, session }) => verify(at, adminKey, session.accessToken),
    run: warm,
  },
  {
    name: 'a refresh',
    prepare: warm,
    run: (at, { key, session }) => refresh(at, key.secret, session.refreshToken),
  },
  {
    name: 'a refresh that is repeated',
    async prepare(at, world) {
      await warm(at, world)
      await refresh(at, world.key.secret, world.session.refreshToken)
    },
    run: (at, { key, session }) => refresh(at, key.secret, session.refreshToken),
  },
  { name: 'a create', prepare: warm, run: (at, { key }) => create(at, key.secret) },
]

/** A world in which the operation is about to run at the gated node. */
async function prepared({ prepare }: Operation): Promise<World> {
  const world = await createWorld(other)
  await prepare?.(gated, world)
  return world
}

/** How many statements the operation takes, and its answer when all is well. */
async function measure(operation: Operation): Promise<{ count: number; answer: Answer }> {
  const world = await prepared(operation)
  let count = 0
  const answer = await runGated(operation, world, statement => {
    count++
    return statement.send()
  })
  return { count, answer }
}

async function runGated({ run }: Operation, world: World, gate: Gate): Promise<Answer> {
  gated.setGate(gate)
  try {
    return await run(gated, world)
  } finally {
    gated.setGate(null)
  }
}

/** The given statement meets `fault`; the others pass. */
const only =
  (index: number, fault: Gate): Gate =>
  statement =>
    statement.index === index ? fault(statement) : statement.send()

describe.each(USES)('$name', operation => {
  it.each(REVOKES)(
    'whose answers come late while $name ends: nothing is accepted after',
    async revoke => {
      const { count } = await measure(operation)
      expect(count).toBeGreaterThan(0)
      let reached = 0
      for (let index = 0; index < count; index++) {
        const world = await prepared(operation)
        const revoked: Answer[] = []
        const late = async (statement: GatedStatement) => {
          const result = await statement.send()
          revoked.push(await revoke.run(other, world))
          await learnMeanwhile(statement, world)
          return result
        }
        const answer = await runGated(operation, world, only(index, late))
        expect(answer.status).not.toBe(500)
        // A copy may be read further after the answer: then there are fewer statements than once.
        if (revoked[0] === undefined) continue
        reached++
        expect(revoked[0].status).toBeLessThan(300)
        await expectEnded([gated, other], revoke, world, answer)
      }
      expect(reached).toBeGreaterThan(0)
    },
  )

  it.each([
    ['is lost before it is sent', loseStatement],
    ['is done and its answer is lost', loseAnswer],
  ] as [string, Gate][])(
    'of which a statement %s fails as a whole, and works the next time',
    async (_, fault) => {
      const { count, answer } = await measure(operation)
      for (let index = 0; index < count; index++) {
        const world = await prepared(operation)
        const struck = await runGated(operation, world, only(index, fault))
        if (struck.status !== answer.status) expectUnavailable(struck)
        const again = await operation.run(gated, world)
        expect([index, again.status, again.body.code]).toEqual([index, answer.status, undefined])
        await expectOneLine(world, again)
      }
    },
  )
})

/**
 * Another request lets the node know of the revoke before the late answer comes. (Not where that
 * request would wait for the very same answer.)
 */
async function learnMeanwhile({ text }: GatedStatement, world: World): Promise<void> {
  const isQuestion = text.includes('AS known (tenant_id, seq)')
  const isLoading = gated.node.services.freshness.peek(world.tenantId) === null
  if (!isQuestion && !isLoading) await verify(gated, world.adminKey, world.session.accessToken)
}

async function loseStatement(statement: GatedStatement) {
  statement.breakConnection()
  return statement.send()
}

async function loseAnswer(statement: GatedStatement): Promise<never> {
  await statement.send()
  statement.breakConnection()
  throw new Error('Connection terminated unexpectedly')
}

function expectUnavailable({ status, body, headers }: Answer): void {
  expect([status, body?.code, headers['retry-after']]).toEqual([503, 'service_unavailable', '1'])
}

/** However often a refresh was cut short, its session has one line, and it can be followed. */
async function expectOneLine(world: World, answer: Answer): Promise<void> {
  const { session, refresh_token: newest } = answer.body
  if (newest === undefined) return
  const next = await refresh(other, world.adminKey, newest)
  expect(next.status).toBe(200)
  expect(next.body.session).toMatchObject({ id: session.id, status: 'active' })
  expect(isAccepted(await verify(gated, world.adminKey, next.body.access_token))).toBe(true)
  expect(isAccepted(await verify(gated, world.adminKey, answer.body.access_token))).toBe(true)
}

describe.each(REVOKES)('a revoke ($name)', revoke => {
  const operation: Operation = {
    name: revoke.name,
    // The operator's routes ask nothing of the copy, so that it is the revoke alone that is gated.
    prepare: (at, { adminKey, session }) => verify(at, adminKey, session.accessToken),
    run: revoke.run,
  }

  it.each([
    ['is lost before it is sent', loseStatement],
    ['is done and its answer is lost', loseAnswer],
  ] as [string, Gate][])(
    'of which a statement %s is as if it were not, or whole',
    async (_, fault) => {
      const { count } = await measure(operation)
      for (let index = 0; index < count; index++) {
        const world = await prepared(operation)
        const struck = await runGated(operation, world, only(index, fault))
        expect([200, 204, 503]).toContain(struck.status)
        // All nodes are of one mind about it, whichever it is.
        const verdicts = await Promise.all(
          [gated, other].map(async app => {
            const answer = await verify(app, world.key.secret, world.session.accessToken)
            return isAccepted(answer)
          }),
        )
        expect(new Set(verdicts).size).toBe(1)
        if (struck.status < 300) expect(verdicts).toEqual([false, false])
        const again = await revoke.run(gated, world)
        expect([200, 204, 403, 404]).toContain(again.status)
        await expectEnded([gated, other], revoke, world, null)
      }
    },
  )
})
