import { setTimeout as sleep } from 'node:timers/promises'
import { createBulkRevokeStore } from '../../src/sessions/bulk-revoke.store.ts'
import { spreadOf } from '../compare.ts'
import type { Figure, Form, Part } from '../figures.ts'
import type { Call } from '../load.ts'
import { copySessions, fillLargeTable } from '../many-sessions.ts'
import type { ServerProcess } from '../server-process.ts'
import { signIn, signInOnce } from '../sign-ins.ts'
import { walBytesSince, walPosition } from '../wal.ts'
import type { World } from '../world.ts'
import { sampleOf, verifyCall } from './verify.ts'

const SIZES: Record<Form['name'], number[]> = { quick: [20_000], full: [100_000, 1_000_000] }
/** So often the call is made alone, and taken back. */
const CALLS_ALONE = 9
const COUNTS = 3
const BYSTANDERS = 1_000
const CALLS_PER_SECOND = 300
/** One run of the other callers: before the call, in its course again and again, and after it. */
const RUN_SECONDS: Record<Form['name'], number> = { quick: 1.5, full: 2 }
const RUNS_WITHOUT: Record<Form['name'], number> = { quick: 1, full: 5 }
const MAX_RUNS_BESIDE = 15
const WARM_UP_REQUESTS = 2 * BYSTANDERS
const LOOK_AGAIN_MS = 20

/** All sessions of a tenant are ended by one call: how soon, by how much WAL, and who notices. */
export const bulkPart: Part = {
  name: 'bulk',
  isQuick: true,
  async run(world, form) {
    // The rest of the table belongs to others, as it would.
    if (form.name === 'full') await fillLargeTable(world, form)
    const second = await world.startNode()
    try {
      await world.loader.prepare(await bystanderCalls(world))
      await world.loader.run({ ...callersOf(world), requests: WARM_UP_REQUESTS })
      const figures: Figure[] = []
      for (const sessions of SIZES[form.name]) {
        const target = await fillTenant(world, sessions)
        const alone: Alone[] = []
        for (let n = 0; n < CALLS_ALONE; n++) alone.push(await revokeAlone(world, second, target))
        const others = await revokeBesideOthers(world, form, target)
        figures.push(...toFigures(sessions, alone, others))
      }
      return figures
    } finally {
      await second.stop()
    }
  },
}

/** A tenant, all of whose sessions are to end, with a token of one of them. */
interface Target {
  tenant: World
  sessions: number
  accessToken: string
}

interface Alone {
  countMs: number
  beyondCountMs: number
  walBytes: number
}

/** The call by itself. Its rows are held back, and then it is taken back: the next one does the same. */
async function revokeAlone(
  world: World,
  second: ServerProcess,
  { tenant, sessions, accessToken }: Target,
): Promise<Alone> {
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
    await takeBack(tenant)
    await letFollow()
  }
}

/** As long as no row has followed, the row that says so is all there is. */
async function takeBack({ pool, tenantId }: World): Promise<void> {
  await pool.query("DELETE FROM tenant_changes WHERE tenant_id = $1 AND kind = 'bulk'", [tenantId])
}

/** The p99 of each run of the other callers. */
interface Others {
  withoutMs: number[]
  besideMs: number[]
}

/** Callers of another tenant: before the call, from the call until the rows have followed, after. */
async function revokeBesideOthers(
  world: World,
  form: Form,
  { tenant, sessions }: Target,
): Promise<Others> {
  const requests = CALLS_PER_SECOND * RUN_SECONDS[form.name]
  const order = { ...callersOf(world), requests, perSecond: CALLS_PER_SECOND }
  const p99Ms = async (): Promise<number> => (await world.loader.run(order)).p99Ms
  const withoutMs: number[] = []
  const besideMs: number[] = []
  for (let n = 0; n < RUNS_WITHOUT[form.name]; n++) withoutMs.push(await p99Ms())
  const [first] = await Promise.all([p99Ms(), revokeAll(tenant, sessions)])
  besideMs.push(first)
  while (besideMs.length < MAX_RUNS_BESIDE && !(await haveFollowed(tenant)))
    besideMs.push(await p99Ms())
  await untilFollowed(tenant)
  for (let n = 0; n < RUNS_WITHOUT[form.name]; n++) withoutMs.push(await p99Ms())
  return { withoutMs, besideMs }
}

async function fillTenant(world: World, sessions: number): Promise<Target> {
  const tenant = await world.asNewTenant()
  const copies = { tenantId: tenant.tenantId, sessions: sessions - 2, isHalfEnded: false }
  const { access_token } = await signInOnce(tenant, 0)
  // The one that is copied is the second of its tenant.
  await copySessions(tenant, copies)
  return { tenant, sessions, accessToken: access_token }
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

async function untilFollowed(tenant: World): Promise<void> {
  while (!(await haveFollowed(tenant))) await sleep(LOOK_AGAIN_MS)
}

async function haveFollowed({ pool, tenantId }: World): Promise<boolean> {
  const { rowCount } = await pool.query(
    `SELECT FROM tenant_changes
     WHERE tenant_id = $1 AND kind = 'bulk' AND applied_at IS NULL`,
    [tenantId],
  )
  return rowCount === 0
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

function toFigures(sessions: number, alone: Alone[], { withoutMs, besideMs }: Others): Figure[] {
  const part = `bulk revoke of ${sessions} sessions`
  const countMs = spreadOf(alone.map(one => one.countMs)).median
  const without = spreadOf(withoutMs).median
  const meanwhile = spreadOf(besideMs).median
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
      baseline: 'their p99 before and after',
      value: spreadOf(besideMs.map(p99Ms => p99Ms / without)),
      unit: 'ratio',
      most: 2,
      notes: [
        `verify and get, ${CALLS_PER_SECOND} a second, open loop: ${meanwhile.toFixed(1)} ms in ${besideMs.length} runs beside ${without.toFixed(1)} ms in ${withoutMs.length}`,
      ],
    },
  ]
}
