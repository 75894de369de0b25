import { randomInt } from 'node:crypto'
import { renderReport } from './report.ts'
import { runChaos } from './run.ts'

/**
 * Several real nodes under load while Redis, Postgres and the nodes are killed, paused and cut off;
 * ends with 1 when a promise was broken. `npm run chaos -- 60` takes 60 seconds, and a second number
 * is the seed of an earlier run.
 */
const DEFAULT_SECONDS = 180
const MAX_SECONDS = 3_600

const [seconds = DEFAULT_SECONDS, seed = randomInt(2 ** 31)] = process.argv.slice(2).map(Number)
if (!(seconds >= 1 && seconds <= MAX_SECONDS && Number.isSafeInteger(seed))) {
  console.error(`usage: npm run chaos -- [SECONDS, up to ${MAX_SECONDS}] [SEED]`)
  process.exit(2)
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)))

console.log(`Chaos for ${seconds} s, seed ${seed}`)
try {
  const pauseMs = { least: 1_000, most: 4_000 }
  const options = { seconds, seed, clients: 24, pauseMs, hasLongFaults: true }
  const result = await runChaos({ ...options, signal: stop.signal })
  console.log(renderReport(result))
  process.exitCode = result.judgement.isSound ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
