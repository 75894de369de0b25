import { spreadOf } from '../compare.ts'
import type { Part } from '../figures.ts'
import { startLoader } from '../load.ts'
import { signIn } from '../sign-ins.ts'
import type { World } from '../world.ts'
import { verifyCall } from './verify.ts'

const SESSIONS = 1_000
const QUOTA_PER_SECOND = 100
const CALLS_PER_SECOND = 300
const CONNECTIONS = 32
const RUN_SECONDS = 2.5

/** One tenant asks ten times what it may: what another one on the same node feels of it. */
export const neighbourPart: Part = {
  name: 'neighbour',
  isQuick: false,
  async run(world, form) {
    const noisy = await world.asNewTenant({ rate_limit_per_second: QUOTA_PER_SECOND })
    await world.loader.prepare(await callsOf(world))
    const noise = startLoader()
    await noise.prepare(await callsOf(noisy))
    const order = { port: world.node.port, connections: CONNECTIONS, status: 200 }
    const quiet = () => world.loader.run({ ...order, ...atRate(CALLS_PER_SECOND) })
    const loud = () =>
      noise.run({ ...order, ...atRate(10 * QUOTA_PER_SECOND), orStatus: TOO_MANY_REQUESTS })
    const pairs: { aloneMs: number; besideMs: number }[] = []
    try {
      // One after the other: code gets compiled.
      await quiet()
      await loud()
      for (let n = 0; n < form.pairs; n++) {
        const alone = await quiet()
        const [beside] = await Promise.all([quiet(), loud()])
        pairs.push({ aloneMs: alone.p99Ms, besideMs: beside.p99Ms })
      }
    } finally {
      noise.stop()
    }
    const alone = spreadOf(pairs.map(({ aloneMs }) => aloneMs)).median
    const beside = spreadOf(pairs.map(({ besideMs }) => besideMs)).median
    return [
      {
        part: 'p99 of verify beside a tenant at ten times its quota',
        baseline: 'the same alone',
        value: spreadOf(pairs.map(({ aloneMs, besideMs }) => besideMs / aloneMs)),
        unit: 'ratio',
        most: 1.2,
        notes: [
          `${CALLS_PER_SECOND} a second, open loop: ${beside.toFixed(1)} ms beside ${alone.toFixed(1)} ms; the other sends ${10 * QUOTA_PER_SECOND} where it may ${QUOTA_PER_SECOND}`,
        ],
      },
    ]
  },
}

const TOO_MANY_REQUESTS = 429

const atRate = (perSecond: number) => ({ perSecond, requests: perSecond * RUN_SECONDS })

async function callsOf(tenant: World) {
  const signIns = await signIn(tenant, SESSIONS)
  return signIns.map(each => verifyCall(tenant, each.accessToken, each.sessionId))
}
