import { compare, measure, type Side } from '../compare.ts'
import type { Part } from '../figures.ts'
import type { Call } from '../load.ts'
import { signIn, signInOnce } from '../sign-ins.ts'
import type { World } from '../world.ts'
import { makeBenchTables } from './create.ts'

const SESSIONS = 6_000
const CONNECTIONS = 64
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
    const order = { connections: CONNECTIONS, status: 200, expects: '' }
    try {
      const comparison = await compare(
        refreshSide(world, refreshTokens),
        requests => measure(world.loader, bare, { ...order, requests }),
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

/**
 * Refreshes as many times as there are tokens, at most.
 * @param refreshTokens the newest of each session; kept so.
 */
export function refreshSide(world: World, refreshTokens: string[]): Side {
  return async requests => {
    const used = refreshTokens.splice(0, requests)
    await world.loader.prepare(used.map(token => refreshCall(world, token)))
    const measured = await measure(world.loader, world.node, {
      requests: used.length,
      connections: CONNECTIONS,
      status: 200,
      collect: '"refresh_token":"([^"]+)"',
    })
    refreshTokens.push(...measured.collected)
    return measured
  }
}

function refreshCall({ headers }: Pick<World, 'headers'>, token: string): Call {
  const body = JSON.stringify({ refresh_token: token })
  const sessionId = `ses_${token.split('.')[1]}`
  return { method: 'POST', path: '/v1/sessions/refresh', headers, body, expects: sessionId }
}
