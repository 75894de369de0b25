import type { FaultsOptions, Lane, Strike } from './faults.ts'
import { rest } from './rest.ts'

export function redisFaults({ cluster: { redis }, random, signal }: FaultsOptions): Lane {
  if (redis === null) return []
  const strike = (work: () => Promise<unknown>): Strike => {
    return async () => {
      await work()
      return null
    }
  }
  return [
    ['redis flushed', strike(redis.flush)],
    [
      'redis paused',
      strike(async () => {
        redis.pause()
        await rest(random.between(1_000, 3_000), signal)
        redis.resume()
      }),
    ],
    [
      'redis killed',
      strike(async () => {
        await redis.kill()
        await rest(random.between(200, 2_000), signal)
        await redis.start()
      }),
    ],
  ]
}
