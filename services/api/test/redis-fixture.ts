import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0

export interface RedisFixture {
  connect(): Promise<Redis>
  /** Stops answering, as a hung machine does. */
  pause(): void
  resume(): void
  kill(): Promise<void>
  /** Again at the same port, with nothing in it. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** A real Redis of one's own, with nothing on disk. */
export async function startRedis(): Promise<RedisFixture> {
  const port = await freePort()
  const clients: Redis[] = []
  let server = await spawnRedis(port)
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  return {
    async connect() {
      const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50, lazyConnect: true })
      client.on('error', () => {})
      clients.push(client)
      await client.connect()
      return client
    },
    pause: () => server.kill('SIGSTOP'),
    resume: () => server.kill('SIGCONT'),
    kill,
    async restart() {
      await kill()
      server = await spawnRedis(port)
    },
    async close() {
      for (const client of clients) client.disconnect()
      await kill()
    },
  }
}

async function spawnRedis(port: number): Promise<ChildProcess> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', args, { stdio: 'ignore' })
  for (let attempt = 0; attempt < 100; attempt++) {
    const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null })
    client.on('error', () => {})
    try {
      await client.connect()
      return server
    } catch {
      await sleep(30)
    } finally {
      client.disconnect()
    }
  }
  throw new Error('redis-server did not start')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
