import { setTimeout as sleep } from 'node:timers/promises'
import { createBulkRevokeStore } from '../../src/sessions/bulk-revoke.store.ts'
import { spreadOf } from '../compare.ts'
import type { Figure, Form, Part } from '../figures.ts'
import type { Call } from '../load.ts'
import { copySessions } from '../many-sessions.ts'
import type { ServerProcess } from '../server-process.ts'
import { signIn, signInOnce } from '../sign-ins.ts'
import { walBytesSince, walPosition } from '../wal.ts'
import type { World } from '../world.ts'
import { sampleOf, verifyCall } from './verify.ts'

/** Each round ends so many sessions twice: once alone, once beside other callers. */
const SIZES: Record<Form['name'], { sessions: number; rounds: number }[]> = {
  quick: [{ sessions: 20_000, rounds: 1 }],
  full: [
    { sessions: 100_000, rounds: 3 },
    { sessions: 1_000_000, rounds: 1 },
  ],
}
const COUNTS = 5
const BYSTANDERS = 1_000
const CALLS_PER_SECOND = 300
const LOAD_SECONDS: Record<Form['name'], number> = { quick: 1.2, full: 6 }
const WARM_UP_REQUESTS = 2 * BYSTANDERS
const LOOK_AGAIN_MS = 20

/** All sessions of a tenant are ended by one call: how soon, by how much WAL, and who notices. */
export const bulkPart: Part = {
  name: 'bulk',
  isQuick: true,
  async run(world, form) {
    const second = await world.startNode()
    try {
      await world.loader.prepare(await bystanderCalls(world))
      await world.loader.run({ ...callersOf(world), requests: WARM_UP_REQUESTS })
      const figures: Figure[] = []
      for (const { sessions, rounds } of SIZES[form.name]) {
        const alone: Alone[] = []
        const beside: Beside[] = []
        for (let n = 0; n < rounds; n++) {
          alone.push(await revokeAlone(world, second, sessions))
          beside.push(await revokeBesideOthers(world, sessions, LOAD_SECONDS[form.name]))
        }
        figures.push(...toFigures(sessions, alone, beside))
      }
      return figures
    } finally {
      await second.stop()
    }
  },
}

interface Alone {
  countMs: number
  beyondCountMs: number
  walBytes: number
}

async function revokeAlone(world: World, second: ServerProcess, sessions: number): Promise<Alone> {
  const { tenant, accessToken } = await fillTenant(world, sessions)
  const nodes = [world.node.url, second.url]
  const answersAre = async (expected: string): Promise<void> => {
    const answers = await Promise.all(
      nodes.map(url => tenant.call('POST', '/v1/sessions/verify', { token: accessToken }, url)),
    )
    for (const answer of answers)
      if (!JSON.stringify(answer).includes(expected))
        throw new Error(`a node answered ${JSON.stringify(answer)}`)
  }
  await answersAre('"valid":true')
  const countMs = await timeOfCount(tenant)
  const letFollow = await holdFollowers(tenant)
  try {
    const position = await walPosition(tenant.pool)
    const began = performance.now()
    await revokeAll(tenant, sessions)
    await answersAre('"reason":"session_revoked"')
    const beyondCountMs = performance.now() - began - countMs
    return { countMs, beyondCountMs, walBytes: await walBytesSince(tenant.pool, position) }
  } finally {
    await letFollow()
    await untilFollowed(tenant)
  }
}

interface Beside {
  aloneP99Ms: number
  besideP99Ms: number
}

/** Callers of another tenant, before, and from the call until the rows follow. */
async function revokeBesideOthers(
  world: World,
  sessions: number,
  seconds: number,
): Promise<Beside> {
  const requests = CALLS_PER_SECOND * seconds
  const order = { ...callersOf(world), requests, perSecond: CALLS_PER_SECOND }
  // Before the tenant is filled: what Postgres tidies up after that is not theirs alone.
  const alone = await world.loader.run(order)
  const { tenant } = await fillTenant(world, sessions)
  const [beside] = await Promise.all([world.loader.run(order), revokeAll(tenant, sessions)])
  await untilFollowed(tenant)
  return { aloneP99Ms: alone.p99Ms, besideP99Ms: beside.p99Ms }
}

async function fillTenant(world: World, sessions: number) {
  const tenant = await world.asNewTenant()
  const copies = { tenantId: tenant.tenantId, sessions: sessions - 2, isHalfEnded: false }
  const { access_token } = await signInOnce(tenant, 0)
  // The one that is copied is the second of its tenant.
  await copySessions(tenant, copies)
  return { tenant, accessToken: access_token }
}

async function revokeAll(tenant: World, sessions: number): Promise<void> {
  const answer = await tenant.call('DELETE', '/v1/sessions')
  if (JSON.stringify(answer) !== JSON.stringify({ revoked: sessions }))
    throw new Error(`of ${sessions} sessions were ended ${JSON.stringify(answer)}`)
}

/** The exact count by itself, as the service asks for it; the first runs find the pages. */
async function timeOfCount({ pool, tenantId }: World): Promise<number> {
  const store = createBulkRevokeStore(pool)
  const times: number[] = []
  for (let n = 0; n < COUNTS; n++) {
    const began = performance.now()
    await store.count(tenantId, {}, new Date())
    times.push(performance.now() - began)
  }
  return spreadOf(times).median
}

/** The rows that follow wait for this lock: WAL until it is let go is that of the answer alone. */
async function holdFollowers({ pool }: World): Promise<() => Promise<void>> {
  const client = await pool.connect()
  await client.query('BEGIN; LOCK TABLE sessions IN SHARE MODE')
  return async () => {
    await client.query('COMMIT')
    client.release()
  }
}

async function untilFollowed({ pool, tenantId }: World): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `SELECT FROM tenant_changes
       WHERE tenant_id = $1 AND kind = 'bulk' AND applied_at IS NULL`,
      [tenantId],
    )
    if (rowCount === 0) return
    await sleep(LOOK_AGAIN_MS)
  }
}

const callersOf = ({ node }: World) => ({ port: node.port, connections: 16, status: 200 })

/** One that needs no query and one that does, in turns. */
async function bystanderCalls(world: World): Promise<Call[]> {
  const { headers } = world
  const signIns = await signIn(world, BYSTANDERS)
  await sampleOf(world, signIns[0]?.accessToken ?? '')
  return signIns.flatMap(({ accessToken, sessionId }) => [
    verifyCall(world, accessToken, sessionId),
    { method: 'GET', path: `/v1/sessions/${sessionId}`, headers, expects: `"id":"${sessionId}"` },
  ])
}

function toFigures(sessions: number, alone: Alone[], beside: Beside[]): Figure[] {
  const part = `bulk revoke of ${sessions} sessions`
  const countMs = spreadOf(alone.map(one => one.countMs)).median
  const before = spreadOf(beside.map(one => one.aloneP99Ms)).median
  const meanwhile = spreadOf(beside.map(one => one.besideP99Ms)).median
  return [
    {
      part: `${part}: until both nodes refuse`,
      baseline: 'the exact count by itself',
      value: spreadOf(alone.map(one => one.beyondCountMs)),
      unit: 'ms',
      most: 50,
      notes: [`beyond the count, which takes ${countMs.toFixed(0)} ms`],
    },
    {
      part: `${part}: WAL before the answer`,
      baseline: 'the log',
      value: spreadOf(alone.map(one => one.walBytes / 1000)),
      unit: 'KB',
      most: 64,
    },
    {
      part: `${part}: p99 of other calls meanwhile`,
      baseline: 'their p99 before',
      value: spreadOf(beside.map(one => one.besideP99Ms / one.aloneP99Ms)),
      unit: 'ratio',
      most: 2,
      notes: [
        `verify and get, ${CALLS_PER_SECOND} a second, open loop: ${meanwhile.toFixed(1)} ms beside ${before.toFixed(1)} ms`,
      ],
    },
  ]
}
