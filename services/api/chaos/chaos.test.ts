import { expect, it } from 'vitest'
import { FAULT_KINDS } from './history.ts'
import { hasRedisServer } from './redis-process.ts'
import { renderReport } from './report.ts'
import { runChaos } from './run.ts'

// The short form of `npm run chaos`: most kinds of fault about once.
const SECONDS = 16
const TIME_LIMIT_MS = 180_000

it(
  'keeps every promise while Redis, Postgres and nodes are killed, paused and cut off',
  async () => {
    const pauseMs = { least: 300, most: 1_200 }
    const seed = Math.floor(Math.random() * 2 ** 31)
    const options = { seconds: SECONDS, seed, clients: 16, pauseMs, hasLongFaults: false }
    const result = await runChaos(options)
    const { judgement, history, played } = result
    const report = `seed ${seed}\n${renderReport(result)}`
    expect(judgement.isSound, report).toBe(true)
    // That it was a test at all, also on a machine with other things to do.
    const rounds = [...played.acknowledged.values()].reduce((sum, count) => sum + count, 0)
    expect(rounds, report).toBeGreaterThan(10)
    const struck = new Set(history.faults.map(({ kind }) => kind))
    const isExpected = (kind: string) => hasRedisServer || !kind.startsWith('redis')
    expect(struck.size, report).toBeGreaterThan(FAULT_KINDS.filter(isExpected).length / 2)
    for (const { node, startMs, endMs } of history.operations)
      expect(node >= 0 && endMs >= startMs).toBe(true)
  },
  TIME_LIMIT_MS,
)
