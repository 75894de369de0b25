import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPostgresLine, type PostgresLine } from '../test/postgres-line.ts'
import { createNodeProcess, type NodeProcess } from './node-process.ts'
import { type PostgresProcess, startPostgres } from './postgres-process.ts'
import { createRedisProcess, hasRedisServer, type RedisProcess } from './redis-process.ts'

/** A service as in production: several nodes, one Postgres, one Redis; all on this machine's loopback. */
export interface Cluster {
  nodes: readonly NodeProcess[]
  /** From each node to Postgres. */
  lines: readonly PostgresLine[]
  postgres: PostgresProcess
  /** Null where there is no redis-server. */
  redis: RedisProcess | null
  operatorKey: string
  /** What the nodes logged as errors. */
  errorLog: readonly string[]
  close(): Promise<void>
}

const NODES = 4

export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'sesame-chaos-'))
  const closes: (() => unknown)[] = [
    () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }),
  ]
  const close = async () => {
    for (const step of closes.splice(0).toReversed()) await step()
  }
  try {
    return { ...(await startAll(folder, closes)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startAll(
  folder: string,
  closes: (() => unknown)[],
): Promise<Omit<Cluster, 'close'>> {
  const postgres = await startPostgres(join(folder, 'postgres'))
  closes.push(() => postgres.stop())
  const redis = hasRedisServer ? createRedisProcess(await freePort()) : null
  closes.push(() => redis?.kill())
  await redis?.start()
  const operatorKey = `ok_${randomBytes(32).toString('base64url')}`
  const settings = {
    ...(redis !== null && { REDIS_URL: redis.url }),
    SESAME_MASTER_KEY: randomBytes(32).toString('base64url'),
    SESAME_OPERATOR_KEY: operatorKey,
    SESAME_DEMO_TENANT: 'false',
    SESAME_DATA_DIR: join(folder, 'data'),
    PUBLIC_URL: 'http://sesame.test',
    METRICS_PORT: 'off',
    TRUST_PROXY: '127.0.0.1',
    LOG_LEVEL: 'error',
  }
  const errorLog: string[] = []
  const nodes: NodeProcess[] = []
  const lines: PostgresLine[] = []
  for (let index = 0; index < NODES; index++) {
    const line = await openPostgresLine(postgres.url)
    lines.push(line)
    closes.push(line.close)
    const own = { ...settings, DATABASE_URL: line.url }
    nodes.push(createNodeProcess(index, await freePort(), own, text => void errorLog.push(text)))
  }
  closes.push(() => Promise.all(nodes.map(node => node.kill())))
  await Promise.all(nodes.map(node => node.start()))
  return { nodes, lines, postgres, redis, operatorKey, errorLog }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
