import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGatedApp, type GatedApp, type GatedStatement } from './gated-app.ts'
import {
  create,
  createWorld,
  isAccepted,
  refresh,
  verify,
  type World,
} from './revoked-meanwhile.ts'
import type { Answer } from './test-app.ts'
import { createTestCluster, type TestCluster } from './test-node.ts'

// Postgres does what it is asked, and its answer does not come: until every time-out has passed, and
// then it does. Real time-outs, so all cases run at once, each at a node of its own.

let cluster: TestCluster
let other: GatedApp

beforeAll(async () => {
  cluster = await createTestCluster()
  other = await createGatedApp(cluster.node())
})
afterAll(async () => {
  await other.close()
  await cluster.close()
})

const TIME_LIMIT_MS = 120_000
const UNAVAILABLE = { code: 'service_unavailable' }

interface Case {
  app: GatedApp
  world: World
}

async function newCase(isWarm: boolean): Promise<Case> {
  const app = await createGatedApp(cluster.node({ onError: () => {} }))
  const world = await createWorld(other)
  // The first statements of a process are more than those of later calls.
  const known = isWarm ? world : await createWorld(other)
  await verify(app, known.key.secret, known.session.accessToken)
  await create(app, known.adminKey)
  return { app, world }
}

type Run = (app: GatedApp, world: World) => Promise<Answer>

async function countStatements(run: Run, isWarm: boolean): Promise<number> {
  const { app, world } = await newCase(isWarm)
  let count = 0
  app.setGate(statement => {
    count++
    return statement.send()
  })
  await run(app, world)
  await app.close()
  return count
}

/** Runs with the answer to one statement held back until all is over; answers with what came of it. */
async function runHung({ app, world }: Case, run: Run, index: number): Promise<Answer> {
  let resume = () => {}
  const hang = (statement: GatedStatement) => {
    if (statement.index === index) resume = statement.silenceConnection()
    return statement.send()
  }
  app.setGate(hang)
  const answer = await run(app, world)
  app.setGate(null)
  resume()
  return answer
}

/** Whatever is acknowledged now is committed: no connection is used that is in the middle of anything. */
async function expectSoundNode({ app, world }: Case): Promise<void> {
  const made = await Promise.all(Array.from({ length: 3 }, () => create(app, world.adminKey)))
  for (const { status, body } of made) {
    expect(status).toBe(201)
    const found = await other.call(world.adminKey, 'GET', `/v1/sessions/${body.session.id}`)
    expect(found.status).toBe(200)
    const ended = await app.call(world.adminKey, 'DELETE', `/v1/sessions/${body.session.id}`)
    expect(ended.status).toBe(204)
    expect(isAccepted(await verify(other, world.adminKey, body.access_token))).toBe(false)
  }
}

async function inEveryStatement(
  run: Run,
  isWarm: boolean,
  check: (each: Case) => Promise<unknown>,
): Promise<void> {
  const count = await countStatements(run, isWarm)
  expect(count).toBeGreaterThan(0)
  const cases: Case[] = []
  for (let index = 0; index < count; index++) cases.push(await newCase(isWarm))
  await Promise.all(
    cases.map(async (each, index) => {
      const answer = await runHung(each, run, index)
      // Where the statement is not waited for (a copy is read in pages), all is well without it.
      if (!isAccepted(answer)) expect(answer).toMatchObject({ status: 503, body: UNAVAILABLE })
      await expectSoundNode(each)
      await check(each)
      await each.app.close()
    }),
  )
}

describe('with a statement whose answer does not come', () => {
  it.concurrent(
    'a verify is a 503, and works the next time',
    () => {
      const run: Run = (app, { key, session }) => verify(app, key.secret, session.accessToken)
      return inEveryStatement(run, false, async ({ app, world }) =>
        expect(isAccepted(await run(app, world))).toBe(true),
      )
    },
    TIME_LIMIT_MS,
  )

  it.concurrent(
    'a refresh is a 503, and its token is still good for the one successor',
    () => {
      const run: Run = (app, { key, session }) => refresh(app, key.secret, session.refreshToken)
      return inEveryStatement(run, true, async ({ app, world }) => {
        const [here, there] = await Promise.all([run(app, world), run(other, world)])
        expect(here.status).toBe(200)
        expect(there.body).toEqual(here.body)
      })
    },
    TIME_LIMIT_MS,
  )

  it.concurrent(
    'the revoke of an API key is a 503, and can be repeated',
    () => {
      const run: Run = (app, { adminKey, key }) =>
        app.call(adminKey, 'DELETE', `/v1/api-keys/${key.id}`)
      return inEveryStatement(run, true, async ({ app, world }) => {
        expect((await run(app, world)).status).toBe(204)
        for (const each of [app, other])
          expect((await verify(each, world.key.secret, world.session.accessToken)).status).toBe(401)
      })
    },
    TIME_LIMIT_MS,
  )
})
