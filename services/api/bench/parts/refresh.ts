import { compare, measure } from '../compare.ts'
import type { Part } from '../figures.ts'
import type { Call } from '../load.ts'
import { signIn, signInOnce } from '../sign-ins.ts'
import type { World } from '../world.ts'
import { makeBenchTables } from './create.ts'

const SESSIONS = 6_000
const WARM_UP_REQUESTS = 3_000

/** Each token is used once: the next run brings the successors that this one was given. */
export const refreshPart: Part = {
  name: 'refresh',
  isQuick: true,
  async run(world, form) {
    await makeBenchTables(world)
    const signIns = await signIn(world, SESSIONS)
    await world.pool.query(
      'INSERT INTO bench_sessions SELECT * FROM sessions WHERE tenant_id = $1 ON CONFLICT DO NOTHING',
      [world.tenantId],
    )
    const sessionIds = signIns.slice(0, 1_000).map(({ sessionId }) => sessionId)
    const sample = await signInOnce(world, 0)
    const bare = await world.startBaseline({
      kind: 'refresh',
      sample,
      values: [world.tenantId, ...sessionIds],
    })
    const refreshTokens = signIns.map(({ refreshToken }) => refreshToken)
    const order = { connections: 64, status: 200 }
    try {
      const comparison = await compare(
        async requests => {
          const count = Math.min(requests, SESSIONS)
          const used = refreshTokens.splice(0, count)
          await world.loader.prepare(used.map(token => refreshCall(world, token)))
          const collect = '"refresh_token":"([^"]+)"'
          const run = { ...order, requests: count, collect }
          const measured = await measure(world.loader, world.node, run)
          refreshTokens.push(...measured.collected)
          return measured
        },
        requests => measure(world.loader, bare, { ...order, requests, expects: '' }),
        { ...form, warmUpRequests: WARM_UP_REQUESTS },
      )
      const baseline = 'BF + one prepared conditional UPDATE + one Ed25519 signature'
      const value = comparison.cpuRatio
      return [{ part: 'refresh', baseline, most: 1.5, unit: 'ratio', value, comparison }]
    } finally {
      await bare.stop()
    }
  },
}

function refreshCall({ headers }: Pick<World, 'headers'>, token: string): Call {
  const body = JSON.stringify({ refresh_token: token })
  const sessionId = `ses_${token.split('.')[1]}`
  return { method: 'POST', path: '/v1/sessions/refresh', headers, body, expects: sessionId }
}
