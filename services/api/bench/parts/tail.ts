import { spreadOf } from '../compare.ts'
import type { Part } from '../figures.ts'
import { signIn } from '../sign-ins.ts'
import { verifyCall } from './verify.ts'

const SESSIONS = 10_000
const CONNECTIONS = 64
const RUNS = 5
const RUN_SECONDS = 2

/** Verify at half of what the node can do, in an open loop: nobody waits for a slow answer. */
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
    const runs = []
    for (let n = 0; n < RUNS; n++) runs.push(await world.loader.run(half))
    const p50Ms = spreadOf(runs.map(run => run.p50Ms)).median
    const p99Ms = spreadOf(runs.map(run => run.p99Ms)).median
    return [
      {
        part: 'p99 of verify at half load',
        baseline: 'its p50',
        value: spreadOf(runs.map(run => run.p99Ms / run.p50Ms)),
        unit: 'ratio',
        most: 3,
        notes: [
          `${perSecond} a second, open loop: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
        ],
      },
    ]
  },
}
