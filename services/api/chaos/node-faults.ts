import type { FaultsOptions, Lane } from './faults.ts'
import type { NodeProcess } from './node-process.ts'
import { rest } from './rest.ts'

/** What strikes one of the nodes, while the others go on. */
export function nodeFaults({ cluster, random, signal }: FaultsOptions): Lane {
  const { nodes, lines } = cluster
  const someNode = (): NodeProcess => random.pick(nodes)
  return [
    [
      'node paused',
      async () => {
        const node = someNode()
        node.pause()
        await rest(random.between(500, 3_000), signal)
        node.resume()
        return node.index
      },
    ],
    [
      'node killed',
      async () => {
        const node = someNode()
        await node.kill()
        await rest(random.between(0, 1_000), signal)
        await node.start()
        return node.index
      },
    ],
    // Its connections stay, and nothing comes back on them: it must say that it cannot know.
    [
      'node cut off',
      async () => {
        const { index } = someNode()
        const line = lines[index]
        line?.stall()
        await rest(random.between(500, 3_000), signal)
        line?.resume()
        return index
      },
    ],
  ]
}
