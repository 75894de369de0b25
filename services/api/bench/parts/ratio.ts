import { compare, measure } from '../compare.ts'
import type { Figure, Form } from '../figures.ts'
import type { Call } from '../load.ts'
import type { ServerProcess } from '../server-process.ts'
import type { BaselineOptions, World } from '../world.ts'

export interface RatioOptions {
  part: string
  baseline: string
  most: number
  calls: Call[]
  /** Of the first run, which is not counted. */
  warmUpRequests: number
  status: number
  options: BaselineOptions
  /** Left out: the node of the world. */
  node?: ServerProcess
}

const CONNECTIONS = 64

/** The CPU time of a request beside that of a baseline which gets the same bytes. */
export async function measureRatio(
  world: World,
  form: Form,
  { part, baseline, most, calls, warmUpRequests, status, options, node = world.node }: RatioOptions,
): Promise<Figure> {
  const bare = await world.startBaseline(options)
  try {
    await world.loader.prepare(calls)
    const order = { connections: CONNECTIONS, status }
    const comparison = await compare(
      requests => measure(world.loader, node, { ...order, requests }),
      requests => measure(world.loader, bare, { ...order, requests, expects: '' }),
      { ...form, warmUpRequests },
    )
    return { part, baseline, most, unit: 'ratio', value: comparison.cpuRatio, comparison }
  } finally {
    await bare.stop()
  }
}
