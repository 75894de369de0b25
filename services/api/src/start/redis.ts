import type { FastifyBaseLogger } from 'fastify'
import type { Redis } from 'ioredis'

const CONNECT_TIMEOUT_MS = 2_000
const MAX_RETRY_DELAY_MS = 1_000

/**
 * Never waits for Redis: without it the service goes on, each node counting its rate limits for
 * itself, and it comes back by itself. A command that finds no connection fails at once.
 */
export async function connectRedis(url: string, log: FastifyBaseLogger): Promise<Redis> {
  // A node without Redis does not carry its client: 9 MB.
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    retryStrategy: attempt => Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RETRY_DELAY_MS),
  })
  let isLost = false
  redis.on('error', err => {
    if (!isLost) log.warn({ err }, 'Redis is not available: going on without it')
    isLost = true
  })
  redis.on('ready', () => {
    if (isLost) log.info('Redis is available again')
    isLost = false
  })
  return redis
}
