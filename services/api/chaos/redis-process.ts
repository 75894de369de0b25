import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type GuardedProcess, spawnGuarded } from './guarded-process.ts'

/** A redis-server of our own, with nothing on disk. */
export interface RedisProcess {
  url: string
  start(): Promise<void>
  kill(): Promise<void>
  pause(): void
  resume(): void
  flush(): Promise<void>
}

export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0

const START_ATTEMPTS = 200

export function createRedisProcess(port: number): RedisProcess {
  let running: GuardedProcess | null = null
  return {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      const address = ['--port', String(port), '--bind', '127.0.0.1']
      running = spawnGuarded('redis-server', [...address, '--save', '', '--appendonly', 'no'])
      running.child.stdout?.resume()
      running.child.stderr?.resume()
      for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
        if ((await command(port, 'PING')).startsWith('+PONG')) return
        await sleep(25)
      }
      throw new Error('redis-server did not start')
    },
    kill: async () => running?.kill(),
    pause: () => running?.signal('SIGSTOP'),
    resume: () => running?.signal('SIGCONT'),
    flush: async () => void (await command(port, 'FLUSHALL')),
  }
}

/** The answer to an inline command; empty when there is none. */
function command(port: number, text: string): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => void socket.write(`${text}\r\n`))
    const finish = (answer: string) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => finish(''))
    socket.once('data', data => finish(data.toString()))
    socket.once('error', () => finish(''))
  })
}
