import { setTimeout as sleep } from 'node:timers/promises'
import { spreadOf } from '../compare.ts'
import type { Figure, Part } from '../figures.ts'
import type { ServerProcess } from '../server-process.ts'
import type { World } from '../world.ts'

const PAIRS = 3
const IDLE_MS = 4_000

/** How long a node takes to be ready, and what it holds when nobody asks for anything. */
export const startPart: Part = {
  name: 'start',
  isQuick: false,
  async run(world) {
    const ours: Started[] = []
    const theirs: Started[] = []
    // The first start of each fills the caches of the disk and of Node.
    await startOnce(() => world.startNode())
    await startOnce(() => world.startScript('./bare-server.ts'))
    for (let n = 0; n < PAIRS; n++) {
      const isLast = n === PAIRS - 1
      ours.push(await startOnce(() => world.startNode(), isLast))
      theirs.push(await startOnce(() => world.startScript('./bare-server.ts'), isLast))
    }
    return [...againstBare(ours, theirs), await embedded(world)]
  },
}

interface Started {
  startMs: number
  idleBytes: number
}

async function startOnce(
  start: () => Promise<ServerProcess>,
  isMeasuredIdle = false,
): Promise<Started> {
  const server = await start()
  try {
    if (isMeasuredIdle) await sleep(IDLE_MS)
    return { startMs: server.startMs, idleBytes: server.residentBytes() }
  } finally {
    await server.stop()
  }
}

function againstBare(ours: Started[], theirs: Started[]): Figure[] {
  const baseline = 'a bare Fastify + pg process'
  const ratios = ours.map((one, n) => one.startMs / (theirs[n]?.startMs ?? 1))
  const showMs = (all: Started[]): string =>
    `${spreadOf(all.map(({ startMs }) => startMs)).median.toFixed(0)} ms`
  const [mine = 0, bare = 1] = [ours.at(-1)?.idleBytes, theirs.at(-1)?.idleBytes]
  const memory = mine / bare
  return [
    {
      part: 'start of the API process against a running database',
      baseline,
      value: spreadOf(ratios),
      unit: 'ratio',
      most: 2,
      notes: [`${showMs(ours)} beside ${showMs(theirs)}`],
    },
    {
      part: 'idle memory of the API process',
      baseline,
      value: { median: memory, min: memory, max: memory },
      unit: 'ratio',
      most: 1.6,
      notes: [`${(mine / 1e6).toFixed(0)} MB beside ${(bare / 1e6).toFixed(0)} MB`],
    },
  ]
}

/** As `npm start` does it on an installed tree, in a data folder that is there. */
async function embedded(world: World): Promise<Figure> {
  const times: number[] = []
  for (let n = 0; n <= PAIRS; n++) times.push((await startOnce(world.startEmbedded)).startMs)
  const [first = 0, ...later] = times
  return {
    part: 'start with the embedded Postgres',
    baseline: 'the clock',
    value: spreadOf(later),
    unit: 'ms',
    most: 2_500,
    notes: [`the very first start, which makes the database: ${first.toFixed(0)} ms`],
  }
}
