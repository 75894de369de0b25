import { compare, measure, type Side } from '../compare.ts'
import type { Figure, Part } from '../figures.ts'
import { fillLargeTable } from '../many-sessions.ts'
import { type SignIn, signIn } from '../sign-ins.ts'
import { createWorld, type World } from '../world.ts'
import { refreshSide } from './refresh.ts'
import { verifyCall } from './verify.ts'

const IN_SMALL_TABLE = 1_000
const CONNECTIONS = 64
const MOST = 1.05

/** A service that has grown old beside one that is new, each with a Postgres of its own. */
export const agePart: Part = {
  name: 'age',
  isQuick: false,
  async run(old, form) {
    const young = await createWorld()
    try {
      const sessions = await fillLargeTable(old, form)
      const [oldIns, youngIns] = [
        await signIn(old, IN_SMALL_TABLE),
        await signIn(young, IN_SMALL_TABLE),
      ]
      // A plan must not hang on whether autovacuum came by.
      for (const { pool } of [old, young]) await pool.query('ANALYZE sessions')
      const pairs = { ...form, warmUpRequests: IN_SMALL_TABLE }
      const sides = {
        verify: [verifySide(old, oldIns), verifySide(young, youngIns)],
        refresh: [refreshSide(old, tokensOf(oldIns)), refreshSide(young, tokensOf(youngIns))],
      } as const
      const figures: Figure[] = []
      for (const [name, [ours, theirs]] of Object.entries(sides)) {
        const comparison = await compare(ours, theirs, pairs)
        figures.push({
          part: `${name} with ${sessions} sessions in the table`,
          baseline: `the same with ${IN_SMALL_TABLE}`,
          value: comparison.cpuRatio,
          unit: 'ratio',
          most: MOST,
          comparison,
        })
      }
      return figures
    } finally {
      await young.close()
    }
  },
}

const tokensOf = (signIns: SignIn[]): string[] => signIns.map(({ refreshToken }) => refreshToken)

function verifySide(world: World, signIns: SignIn[]): Side {
  const calls = signIns.map(each => verifyCall(world, each.accessToken, each.sessionId))
  return async requests => {
    await world.loader.prepare(calls)
    return measure(world.loader, world.node, { requests, connections: CONNECTIONS, status: 200 })
  }
}
