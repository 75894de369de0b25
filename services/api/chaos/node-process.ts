import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type GuardedProcess, spawnGuarded } from './guarded-process.ts'

/** One real process of the service, always at the same port. */
export interface NodeProcess {
  index: number
  url: string
  state: 'up' | 'paused' | 'down'
  start(): Promise<void>
  kill(): Promise<void>
  pause(): void
  resume(): void
}

const SERVER = new URL('../src/server.ts', import.meta.url).pathname
const START_LIMIT_MS = 60_000
const RETRY_MS = 250

export function createNodeProcess(
  index: number,
  port: number,
  settings: Record<string, string>,
  onLog: (line: string) => void,
): NodeProcess {
  let running: GuardedProcess | null = null
  const env = { ...settings, PORT: String(port) }
  const node: NodeProcess = {
    index,
    url: `http://127.0.0.1:${port}`,
    state: 'down',
    async start() {
      const args = ['--disable-warning=ExperimentalWarning', SERVER]
      const deadlineMs = performance.now() + START_LIMIT_MS
      for (;;) {
        running = spawnGuarded(process.execPath, args, env)
        try {
          await becameReady(running, onLog)
          node.state = 'up'
          return
        } catch (error) {
          // Postgres may be struck at this moment: as an orchestrator does, once more.
          await running.kill()
          if (performance.now() > deadlineMs) throw error
          await sleep(RETRY_MS)
        }
      }
    },
    async kill() {
      node.state = 'down'
      await running?.kill()
    },
    pause() {
      node.state = 'paused'
      running?.signal('SIGSTOP')
    },
    resume() {
      running?.signal('SIGCONT')
      if (node.state === 'paused') node.state = 'up'
    },
  }
  return node
}

function becameReady({ child }: GuardedProcess, onLog: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const lastLines: string[] = []
    const fail = (why: string) => reject(new Error(`a node ${why}:\n${lastLines.join('\n')}`))
    const timer = setTimeout(() => fail('was not ready in time'), START_LIMIT_MS)
    child.once('error', () => fail('cannot be started'))
    child.once('exit', () => {
      clearTimeout(timer)
      fail('ended before it was ready')
    })
    if (child.stdout === null || child.stderr === null) return fail('has no output')
    createInterface({ input: child.stdout }).on('line', line => {
      if (!line.startsWith('Sesame is ready on ')) return
      clearTimeout(timer)
      resolve()
    })
    createInterface({ input: child.stderr }).on('line', line => {
      lastLines.splice(0, lastLines.length - 9)
      lastLines.push(line)
      onLog(line)
    })
  })
}
