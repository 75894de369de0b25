import { setTimeout as sleep } from 'node:timers/promises'
import { hasRedisServer, startRedis } from '../../test/redis-fixture.ts'
import type { Part } from '../figures.ts'
import { signIn } from '../sign-ins.ts'
import type { World } from '../world.ts'
import { measureRatio } from './ratio.ts'
import { sampleOf, verifyCall } from './verify.ts'

const SESSIONS = 10_000
const TO_REVOKE = 20_000
const REVOKE_INTERVAL_MS = 20

/** Verify at one of two nodes that share a Redis, while the other ends sessions. */
export const clusterPart: Part = {
  name: 'cluster',
  isQuick: false,
  async run(world, form) {
    if (!hasRedisServer) throw new Error('this part needs redis-server on the PATH')
    const redis = await startRedis()
    const { port } = (await redis.connect()).options
    const env = { REDIS_URL: `redis://127.0.0.1:${port}` }
    const [node, other] = [await world.startNode(env), await world.startNode(env)]
    const signIns = await signIn(world, SESSIONS)
    const doomed = await signIn(world, TO_REVOKE)
    const revokes = revokeSteadily(
      world,
      other.url,
      doomed.map(({ sessionId }) => sessionId),
    )
    try {
      const figure = await measureRatio(world, form, {
        part: 'verify, token seen before, Redis, a second node taking revokes',
        baseline: 'BF',
        most: 2.2,
        warmUpRequests: SESSIONS,
        status: 200,
        node,
        calls: signIns.map(each => verifyCall(world, each.accessToken, each.sessionId)),
        options: {
          kind: 'verify',
          sample: await sampleOf(world, signIns[0]?.accessToken ?? ''),
        },
      })
      return [{ ...figure, notes: [`${revokes.count()} sessions were revoked meanwhile`] }]
    } finally {
      await revokes.stop()
      await Promise.all([node.stop(), other.stop()])
      await redis.close()
    }
  },
}

/** Also during the baseline's runs: both sides have the same neighbours. */
function revokeSteadily(world: World, url: string, sessionIds: string[]) {
  let isStopping = false
  let revoked = 0
  const work = async (): Promise<void> => {
    for (const sessionId of sessionIds) {
      if (isStopping) return
      await world.call('DELETE', `/v1/sessions/${sessionId}`, undefined, url)
      revoked++
      await sleep(REVOKE_INTERVAL_MS)
    }
  }
  const working = work()
  // Its failure is the run's, but not before somebody waits for it.
  working.catch(() => {})
  return {
    count: () => revoked,
    async stop(): Promise<void> {
      isStopping = true
      await working
    },
  }
}
