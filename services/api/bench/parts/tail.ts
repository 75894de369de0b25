import { spreadOf } from '../compare.ts'
import type { Part } from '../figures.ts'
import type { LoadReport } from '../load.ts'
import { signIn } from '../sign-ins.ts'
import { sampleOf, verifyCall } from './verify.ts'

const SESSIONS = 10_000
const CONNECTIONS = 64
const RUNS = 5
const RUN_SECONDS = 2

/**
 * Verify at half of what the node can do, in an open loop: nobody waits for a slow answer. BF at the
 * same rate tells what of it is the machine's.
 */
export const tailPart: Part = {
  name: 'tail',
  isQuick: false,
  async run(world) {
    const signIns = await signIn(world, SESSIONS)
    const calls = signIns.map(each => verifyCall(world, each.accessToken, each.sessionId))
    await world.loader.prepare(calls)
    const order = { port: world.node.port, connections: CONNECTIONS, status: 200 }
    await world.loader.run({ ...order, requests: SESSIONS })
    const full = await world.loader.run({ ...order, requests: SESSIONS })
    const perSecond = Math.round((SESSIONS * 1000) / full.durationMs / 2)
    const half = { ...order, perSecond, requests: perSecond * RUN_SECONDS }
    const sample = await sampleOf(world, signIns[0]?.accessToken ?? '')
    const bare = await world.startBaseline({ kind: 'verify', sample })
    const runs: LoadReport[] = []
    const bareRuns: LoadReport[] = []
    try {
      await world.loader.run({ ...order, port: bare.port, requests: SESSIONS, expects: '' })
      for (let n = 0; n < RUNS; n++) {
        runs.push(await world.loader.run(half))
        bareRuns.push(await world.loader.run({ ...half, port: bare.port, expects: '' }))
      }
    } finally {
      await bare.stop()
    }
    return [
      {
        part: 'p99 of verify at half load',
        baseline: 'its p50',
        value: spreadOf(runs.map(run => run.p99Ms / run.p50Ms)),
        unit: 'ratio',
        most: 3,
        notes: [
          `${perSecond} a second, open loop: ${told(runs)}; BF at the same rate: ${told(bareRuns)}`,
        ],
      },
    ]
  },
}

function told(runs: LoadReport[]): string {
  const [p50Ms, p99Ms] = [runs.map(run => run.p50Ms), runs.map(run => run.p99Ms)].map(spreadOf)
  return `p50 ${p50Ms?.median.toFixed(1)} ms, p99 ${p99Ms?.median.toFixed(1)} ms`
}
