import { randomInt } from 'node:crypto'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createGatedApp, type GatedApp } from './gated-app.ts'
import { createWorld, verify, type World } from './revoked-meanwhile.ts'
import { createTestCluster, type TestCluster } from './test-node.ts'

// Keys that end while every node looks them up, with each statement of the nodes held back for a
// moment, before it is sent or after it was answered. More rounds find more: the number is what a
// test suite can wait for.
const ROUNDS = 40
const TIME_LIMIT_MS = 60_000
const AT_ONCE = 12
const NODES = 3

let cluster: TestCluster
let apps: GatedApp[]
let world: World

beforeAll(async () => {
  cluster = await createTestCluster()
  const nodes = Array.from({ length: NODES }, () => cluster.node({ onError: () => {} }))
  apps = await Promise.all(nodes.map(createGatedApp))
  world = await createWorld(some(apps))
  for (const app of apps)
    app.setGate(async ({ send }) => {
      await aMoment()
      const result = await send()
      await aMoment()
      return result
    })
})
afterAll(async () => {
  await Promise.all(apps.map(app => app.close()))
  await cluster.close()
})

function some<T>(items: readonly T[]): T {
  const item = items[randomInt(items.length)]
  if (item === undefined) throw new Error('there is nothing to pick from')
  return item
}

/** Mostly none, so that some statements overtake others. */
async function aMoment(): Promise<void> {
  const kind = randomInt(6)
  if (kind === 0) await sleep(randomInt(12))
  else if (kind === 1) await turn()
}

const statusesOf = async (secret: string, times: number): Promise<number[]> => {
  const { accessToken } = world.session
  const calls = apps.flatMap(app =>
    Array.from({ length: times }, () => verify(app, secret, accessToken)),
  )
  return (await Promise.all(calls)).map(({ status }) => status)
}

/** Makes every node drop all that it knows, in the middle of whatever it does. */
const dropCopies = () =>
  some(apps).node.database.pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'sesame-freshness' AND datname = current_database()`,
  )

async function playRound(isRotated: boolean): Promise<void> {
  const { adminKey } = world
  const { body: key } = await some(apps).call(adminKey, 'POST', '/v1/api-keys', {
    body: { name: 'doomed' },
  })
  if (key.secret === undefined) return
  if (randomInt(2) === 0) await statusesOf(key.secret, 1)
  const racing = statusesOf(key.secret, 2)
  await aMoment()
  const path = `/v1/api-keys/${key.id}`
  const ended = isRotated
    ? await some(apps).call(adminKey, 'POST', `${path}/rotate`, { body: {} })
    : await some(apps).call(adminKey, 'DELETE', path)
  if (ended.status >= 300) return
  // Those that raced have put into memory what they found, or are about to.
  for (let n = 0; n < 2; n++) {
    const after = await statusesOf(key.secret, 1)
    expect(after.filter(status => status !== 401 && status !== 503)).toEqual([])
  }
  await racing
  expect((await statusesOf(key.secret, 1)).filter(status => status < 300)).toEqual([])
  if (!isRotated) return
  const successor = await statusesOf(ended.body.secret, 1)
  expect(successor.filter(status => status !== 200 && status !== 503)).toEqual([])
}

it(
  'an API key that ends while every node looks it up is refused by all from the answer on',
  async () => {
    let round = 0
    const client = async () => {
      while (round < ROUNDS) {
        const mine = round++
        if (mine % 20 === 10) await dropCopies()
        await playRound(mine % 2 === 0)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, client))
  },
  TIME_LIMIT_MS,
)
